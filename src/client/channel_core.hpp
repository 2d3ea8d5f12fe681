// SPDX-License-Identifier: Apache-2.0
// ChannelCore: what channels and clients share: where calls begin, and through whom they go.
#pragma once

#include "client/backend.hpp"
#include "client/balancer.hpp"
#include "client/channel_target.hpp"
#include "client/invoker.hpp"
#include "connection/quiet_protobuf.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

/// What the handles of a channel and its clients share. When the last of them goes, its backends
/// close what no call uses any more. It has one backend, which is the front of several where there
/// are more (Balancer).
///
/// Thread safety: any thread.
class ChannelCore : public std::enable_shared_from_this<ChannelCore> {
 public:
  ChannelCore(std::string target, ChannelOptions options)
      : ChannelCore(std::vector<std::string>{std::move(target)}, std::move(options)) {}
  ChannelCore(std::vector<std::string> targets, ChannelOptions options)
      : methods_(make_methods(targets, options)),
        backend_(make_backend(std::move(targets), std::move(options), methods_)) {
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
  /// The one that calls begin with. Lives as long as this, and as long as calls on it.
  Backend& backend() const noexcept { return *backend_; }

 private:
  static std::shared_ptr<MethodTable> make_methods(const std::vector<std::string>& targets,
                                                   const ChannelOptions& options) {
    auto methods = std::make_shared<MethodTable>(options.authority(), options.codecs());
    methods->set_config(Access::service_config(options), Access::max_receive(options),
                        options.max_call_retry_buffer(), options.max_retry_buffer());
    std::string all;
    for (const std::string& target : targets)
      all.append(all.empty() ? "" : ",").append(target);
    methods->set_observed(Observed::make(Observer::Side::client, all, options.observers()));
    return methods;
  }

  static std::shared_ptr<Backend> make_backend(std::vector<std::string> targets,
                                               ChannelOptions options,
                                               const std::shared_ptr<MethodTable>& methods) {
    if (are_balanced(targets, options)) {
      return Balancer::make_front(targets, std::move(options), methods);
    }
    return std::make_shared<Backend>(std::move(targets.front()), std::move(options));
  }

  [[no_unique_address, maybe_unused]] QuietProtobuf quiet_protobuf_;
  const std::shared_ptr<MethodTable> methods_;
  const std::shared_ptr<Backend> backend_;
  std::vector<std::unique_ptr<Invoker>> wrappers_;
  Invoker* invoker_ = &direct_invoker();
};

}  // namespace nearcall::inline v0::detail
