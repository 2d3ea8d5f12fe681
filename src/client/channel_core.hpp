// SPDX-License-Identifier: Apache-2.0
// ChannelCore: what channels and clients share: which backend serves the next call.
#pragma once

#include "client/backend.hpp"
#include "client/invoker.hpp"
#include "connection/quiet_protobuf.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

/// Chooses, for a channel with several backends, the one that a call goes to. It owns those that it
/// chooses from: it gives them the channel's methods (Backend::keep()), and drains them when it
/// goes.
///
/// Thread safety: any thread.
class Picker {
 public:
  virtual ~Picker() = default;
  /// Lives as long as the picker, and as long as calls on it.
  virtual Backend& pick() noexcept = 0;
};

/// What the handles of a channel and its clients share. When the last of them goes, its backends
/// close what no call uses any more. It has one backend of its own, and a picker above it where
/// there are more.
///
/// Thread safety: any thread.
class ChannelCore : public std::enable_shared_from_this<ChannelCore> {
 public:
  ChannelCore(std::string target, ChannelOptions options)
      : methods_(make_methods(options)),
        backend_(std::make_shared<Backend>(std::move(target), std::move(options))) {
    backend_->keep(methods_);
    if (!backend_->options().interceptors().empty()) invoker_ = &intercepting_invoker();
  }
  ChannelCore(const ChannelCore&) = delete;
  ChannelCore& operator=(const ChannelCore&) = delete;
  ~ChannelCore() { backend_->drain(); }

  void close_idle() { backend_->close_idle(); }
  /// What calls go through.
  Invoker& invoker() const noexcept { return *invoker_; }
  /// From now on calls go through `outer`, which passes on to what was the invoker. REQUIRES: no
  /// call was made yet.
  void wrap(std::unique_ptr<Invoker> outer) {
    invoker_ = outer.get();
    wrappers_.push_back(std::move(outer));
  }
  const std::shared_ptr<MethodTable>& methods() const noexcept { return methods_; }
  /// The one that the next call goes to. Lives as long as this, and as long as calls on it.
  Backend& pick() const noexcept {
    if (picker_ == nullptr) [[likely]]
      return *backend_;
    return picker_->pick();
  }
  /// REQUIRES: no call was made yet.
  void set_picker(std::unique_ptr<Picker> picker) noexcept { picker_ = std::move(picker); }

 private:
  static std::shared_ptr<MethodTable> make_methods(const ChannelOptions& options) {
    auto methods = std::make_shared<MethodTable>(options.authority(), options.codecs());
    methods->set_config(Access::service_config(options), Access::max_receive(options),
                        options.max_call_retry_buffer(), options.max_retry_buffer());
    return methods;
  }

  [[no_unique_address, maybe_unused]] QuietProtobuf quiet_protobuf_;
  const std::shared_ptr<MethodTable> methods_;
  const std::shared_ptr<Backend> backend_;
  std::unique_ptr<Picker> picker_;
  std::vector<std::unique_ptr<Invoker>> wrappers_;
  Invoker* invoker_ = &direct_invoker();
};

}  // namespace nearcall::inline v0::detail
