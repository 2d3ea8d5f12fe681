// SPDX-License-Identifier: Apache-2.0
// MessageTap: what interceptors do with the messages of one call.
#pragma once

#include <nearcall/interceptor.hpp>
#include <nearcall/status.hpp>

#include <google/protobuf/message_lite.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

/// The hooks that interceptors have added for the messages of one call. What a hook refuses, or
/// throws, is remembered: refusal().
///
/// Those of requests are called in the order in which they were added, those of replies in the
/// opposite one: requests go in through the interceptors, replies out.
///
/// Thread safety: one thread reads while another one writes; the rest before and after.
class MessageTap {
 public:
  enum class Incoming : std::uint8_t { requests, replies };

  explicit MessageTap(Incoming incoming) noexcept : incoming_is_(incoming) {}
  MessageTap(const MessageTap&) = delete;
  MessageTap& operator=(const MessageTap&) = delete;

  // Of the interceptor at `depth`. An empty one is none.

  void add_incoming(std::size_t depth, MessageHook hook) {
    if (hook) hooks().incoming.push_back({depth, std::move(hook)});
  }
  void add_outgoing(std::size_t depth, MessageHook hook) {
    if (hook) hooks().outgoing.push_back({depth, std::move(hook)});
  }
  /// The interceptors inside the one at `depth` have returned, and what their hooks refer to is
  /// gone.
  void drop_hooks_inside(std::size_t depth);
  /// All hooks are there that will be: messages may pass.
  void open() noexcept { is_open_ = true; }
  bool is_open() const noexcept { return is_open_; }
  /// Who added them is about to go.
  void close() noexcept {
    is_closed_ = true;
    is_open_ = true;
  }

  bool has_incoming() const noexcept { return hooks_ != nullptr && !is_closed_; }
  bool has_outgoing() const noexcept {
    return hooks_ != nullptr && !hooks_->outgoing.empty() && !is_closed_ && !is_outgoing_closed_;
  }
  /// The same of those of what is written.
  void close_outgoing() noexcept { is_outgoing_closed_ = true; }
  /// OK, or why not.
  Status pass_incoming(google::protobuf::MessageLite& message) {
    if (!has_incoming()) return Status();
    return run(hooks_->incoming, incoming_is_ == Incoming::replies, message);
  }
  Status pass_outgoing(google::protobuf::MessageLite& message) {
    if (!has_outgoing()) return Status();
    return run(hooks_->outgoing, incoming_is_ == Incoming::requests, message);
  }
  /// What is to be written for `message`: itself, or a copy that the hooks have seen, the same one
  /// until end_copy(); null if they refuse it.
  const google::protobuf::MessageLite* pass_copy(const google::protobuf::MessageLite& message);
  /// It was written, or never will be.
  void end_copy() noexcept {
    if (hooks_ == nullptr) return;
    hooks_->copied = nullptr;
    hooks_->copy.reset();
  }

  bool has_refused() const noexcept { return refusal_.load(std::memory_order_acquire) != nullptr; }
  /// What the first hook said that refused a message. From any thread.
  Status refusal() const {
    const Status* const first = refusal_.load(std::memory_order_acquire);
    return first != nullptr ? *first : Status();
  }
  /// The reader was told that there are no more.
  virtual void on_read_end() {}

 protected:
  ~MessageTap() { delete refusal_.load(std::memory_order_relaxed); }
  const char* side() const noexcept {
    return incoming_is_ == Incoming::requests ? "server" : "client";
  }

 private:
  struct Hook {
    std::size_t depth;
    MessageHook call;
  };
  struct Hooks {
    std::vector<Hook> incoming;
    std::vector<Hook> outgoing;
    const google::protobuf::MessageLite* copied = nullptr;
    std::unique_ptr<google::protobuf::MessageLite> copy;
  };

  Hooks& hooks();
  void note_refusal(const Status& why);
  Status run(std::vector<Hook>& hooks, bool is_reversed, google::protobuf::MessageLite& message);

  const Incoming incoming_is_;
  bool is_open_ = false;
  bool is_closed_ = false;
  bool is_outgoing_closed_ = false;
  /// Null before the first one is added.
  std::unique_ptr<Hooks> hooks_;
  /// Null at first; set once, by whoever refuses first.
  std::atomic<const Status*> refusal_{nullptr};
};

/// A new message of the same type that says the same.
std::unique_ptr<google::protobuf::MessageLite> copy_of(
    const google::protobuf::MessageLite& message);

/// The status of a call of which an interceptor throws what is being handled; logs it.
Status status_of_thrown(const char* side) noexcept;

}  // namespace nearcall::inline v0::detail
