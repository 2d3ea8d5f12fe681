// SPDX-License-Identifier: Apache-2.0
// Call: one call at the client: what was asked, what came, how it ended.
#pragma once

#include "base/clock.hpp"
#include "base/owned_bytes.hpp"
#include "client/attempt.hpp"
#include "client/bound_method.hpp"
#include "client/call_retries.hpp"
#include "client/call_waiter.hpp"
#include "client/retry_policy.hpp"
#include "connection/observed_call.hpp"
#include "grpc/kept_message.hpp"

#include <nearcall/call_options.hpp>
#include <nearcall/channel.hpp>

#include <google/protobuf/message_lite.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace nearcall::inline v0::detail {

/// Whether a call waits until its server can be reached: as it says itself, or else the channel's
/// service config.
bool waits_for_ready(const BoundMethod& method, const CallOptions& options) noexcept;

/// Is told of a call's attempts.
class AttemptListener {
 public:
  /// One is about to be made: the first one has number 1.
  virtual void on_attempt(std::size_t number) noexcept = 0;
  void note_attempt() noexcept { on_attempt(++attempts_); }

 protected:
  ~AttemptListener() = default;

 private:
  std::size_t attempts_ = 0;
};

/// How a call ends by cancellation.
Status cancelled();

/// A call was awaited for its reply that was awaited before.
[[noreturn]] void fail_awaited_twice() noexcept;

/// One call at the client: its deadline, its request, its options, and the attempt that carries it.
/// Says nothing of who waits for it, and where it is opened.
///
/// Thread safety: none; its connection's driver's.
class Call final : private HedgingOwner {
 public:
  Call(CallWaiter& waiter,
       const BoundMethod& method,
       const CallOptions& options,
       const ChannelOptions& channel,
       Clock clock);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Before it begins.

  /// Whether it may begin; else it is over. `obstacle` is what is wrong where it is made, or OK.
  bool check(const CallOptions& options, Status obstacle);
  /// Its one message, serialised; is over if that is too large.
  void keep_request(const google::protobuf::MessageLite& message);
  /// Its one message, which stays where it is until the call is over, or stop_borrowing().
  void borrow_request(const google::protobuf::MessageLite& message) {
    borrowed_request_ = &message;
    if (retries_ != nullptr) [[unlikely]]
      keep_borrowed();
  }
  /// Where its one reply is parsed as soon as it comes.
  void expect_reply(google::protobuf::MessageLite& reply) noexcept;
  /// What is sent as metadata.
  Metadata& request_metadata() noexcept { return metadata_; }
  void set_deadline(TimePoint when) noexcept {
    timeout_.reset();
    deadline_ = std::max(when, TimePoint());  // how far it is can be computed
  }
  void set_attempt_listener(AttemptListener& listener) noexcept { attempt_listener_ = &listener; }

  // The attempt.

  /// Begins an attempt on `connection`, whose open_state() is ready. `loop` is null where threads
  /// wait; `last_look` is when somebody there last looked at the clock. Is over if the request's
  /// headers are more than the server takes.
  void open(ClientConnection& connection, LoopCore* loop, TimePoint last_look);
  /// There is no way to open it: the connection has gone, and has seen nothing of it.
  void on_unsent(Status why);
  /// It cannot be connected.
  void on_failed(Status why);
  /// It waits for its server, which could not be reached.
  void note_obstacle(const Status& why) { obstacle_ = why; }
  /// Requests cannot be sent a second time from now on, other than one message.
  void requests_are_gone() noexcept { has_written_ = true; }
  bool has_one_request() const noexcept {
    return borrowed_request_ != nullptr || kept_request_.is_kept();
  }
  /// How long the repeat that is wanted at once has to wait all the same.
  Duration repeat_pause() const noexcept { return policy_.pause(); }
  /// Whether it waits until its server can be reached.
  bool waits_for_ready() const noexcept { return waits_for_ready_; }
  /// Whether it has a retryPolicy, or a hedgingPolicy.
  bool may_be_retried() const noexcept { return retries_ != nullptr; }
  /// Null without a hedgingPolicy.
  Hedging* hedging() const noexcept {
    return retries_ != nullptr ? retries_->hedging.get() : nullptr;
  }
  /// How many attempts there were, the current one included. Those that the server did not process
  /// do not count.
  int attempts() const noexcept { return retries_ == nullptr ? 1 : retries_->attempts(); }
  /// Copies what `connection` has not sent yet of a borrowed request.
  void stop_borrowing(ClientConnection& connection);
  /// Ends the requests, now or as soon as it is open. False if the call is over.
  bool half_close();
  MessageStream& messages() noexcept { return attempt_.messages(); }

  // The end.

  /// Ends it from this side. The stream is reset.
  void fail(Status status);
  /// Where the deadline passed as well, it is that: the call that it is made for has the same one.
  void cancel() {
    if (is_over_) return;
    if (deadline_ <= now()) return fail_late();
    fail_with(StatusCode::cancelled, "the call was cancelled");
  }
  void fail_late() {
    if (!is_over_) fail(late());
  }
  /// The same where nothing was sent, and what was put into messages() may be read.
  void finish_unsent(Status status) { finish(std::move(status)); }
  void drop() { fail_with(StatusCode::cancelled, "the call was dropped"); }

  /// DEADLINE_EXCEEDED, and what it waited for.
  Status late() const;

  bool is_open() const noexcept { return attempt_.is_open(); }
  bool is_over() const noexcept { return is_over_; }
  /// Headers have come, or never will.
  bool has_headers() const noexcept { return attempt_.has_headers() || is_over_; }
  const Status& status() const noexcept { return status_; }
  /// The same for a call of one reply: UNIMPLEMENTED if that is not what came. Once.
  Status reply_status();
  const Metadata& headers() const noexcept { return attempt_.headers(); }
  /// Empty until it is over: nothing writes to what this returns, whichever thread looks at it.
  const Metadata& trailers() const noexcept;
  const BoundMethod& method() const noexcept { return *method_; }
  TimePoint deadline() const noexcept { return deadline_; }
  TimePoint now() const noexcept { return clock_.now(); }

 private:
  /// The caller's message, of which the session's output may have pieces.
  class BorrowedBytes final : public BytesOwner {
   public:
    bool is_used() const noexcept { return references() > 1; }

   private:
    void on_unreferenced() noexcept override {}
  };

  // HedgingOwner

  void on_headers() override;
  void on_outcome(Outcome outcome) override;
  void on_bad_message(Status why) override;
  void on_write(const grpc::OutgoingMessage& message) override;
  void on_message_sent(const Observer::Message& message) override {
    if (observed_ != nullptr) observed_->note_sent(message);
  }
  void on_message_received(const Observer::Message& message) override {
    if (observed_ != nullptr) observed_->note_received(message);
  }
  bool take_unsent(const google::protobuf::MessageLite& message, bool may_compress) override;
  void on_unsent_end() override;
  void on_hedge_sent(std::uint64_t number, const Observer::Message& message) override;
  void on_hedge_ended(std::uint64_t number, const Status& how, Observer::AttemptEnd then) override;
  void on_hedge_chosen(std::uint64_t number) override {
    if (observed_ != nullptr) observed_->select(number);
  }
  void on_hedges_failed(Outcome outcome) override { finish_failed(std::move(outcome)); }
  std::string_view receive_limit() const noexcept override;
  std::string_view send_limit() const noexcept override;
  const grpc::CodecSet& codecs() const noexcept override { return *method_->codecs; }

  void keep_borrowed();
  void drop_retries();
  /// open() with a retryPolicy, or a hedgingPolicy.
  void open_kept(ClientConnection& connection, LoopCore* loop, TimePoint last_look);
  /// An attempt is about to be made: what goes beside the headers that all calls of the method
  /// share; nothing: it is over.
  std::optional<std::span<const http2::HeaderField>> prepare_attempt(ClientConnection& connection,
                                                                     TimePoint last_look,
                                                                     int previous);
  /// Whether there is another attempt, by the retryPolicy.
  bool retry(const Outcome& outcome);
  const Method& shown_method() const noexcept;
  void begin_observed();
  void begin_observed_attempt(const ClientConnection& connection);
  void end_observed_attempt(const Status& status, Observer::AttemptEnd then);
  void note_attempt_end(const Status& status, Observer::AttemptEnd then) {
    if (observed_ != nullptr) [[unlikely]]
      end_observed_attempt(status, then);
  }
  void end_observed();
  RequestLeft request_left() const noexcept;
  std::optional<Duration> timeout_to_send(TimePoint last_look) const noexcept;
  void send_request(bool may_share);
  /// Costs nothing, not even the status, if it is over.
  void fail_with(StatusCode code, const char* message) {
    if (!is_over_) fail(Status(code, message));
  }
  void finish(Status status);
  /// As the attempt has ended, for which there is no other.
  void finish_failed(Outcome outcome);

  CallWaiter* waiter_;
  const BoundMethod* method_;
  Clock clock_;
  const bool waits_for_ready_;
  RetryPolicy policy_;
  /// Null without a retryPolicy, and a hedgingPolicy.
  std::unique_ptr<CallRetries> retries_;
  bool is_over_ = false;
  bool has_written_ = false;
  bool has_given_reply_ = false;
  std::optional<Duration> timeout_;
  TimePoint deadline_;
  Metadata metadata_;
  /// Why it waits for its server, or did.
  Status obstacle_;
  const google::protobuf::MessageLite* borrowed_request_ = nullptr;
  BorrowedBytes borrowed_bytes_;
  grpc::KeptMessage kept_request_;
  Status status_;
  AttemptListener* attempt_listener_ = nullptr;
  /// Null: nobody observes it, or it is over.
  std::unique_ptr<ObservedCall> observed_;
  Attempt attempt_;
};

}  // namespace nearcall::inline v0::detail
