// SPDX-License-Identifier: Apache-2.0
// Channels, stubs and blocking call objects: the public face of the client.
#include "client/blocking_call.hpp"
#include "client/channel_core.hpp"
#include "client/eager_connect.hpp"
#include "client/state_change.hpp"
#include "transport/child_connector.hpp"

#include <nearcall/client_stub.hpp>

#include <string>
#include <utility>

namespace nearcall::inline v0 {
namespace detail {
void CallDeleter::operator()(BlockingCall* call) const noexcept {
  delete call;
}

const Metadata& BlockingCallBase::headers() {
  return call().headers();
}
const Metadata& BlockingCallBase::trailers() const {
  return call().trailers();
}
int BlockingCallBase::attempts() const {
  return call().attempts();
}
PeerIdentity BlockingCallBase::peer() const {
  return call().peer();
}
void BlockingCallBase::cancel() noexcept {
  call().cancel();
}
bool BlockingCallBase::read_message(google::protobuf::MessageLite& into) {
  return call().read(into);
}
bool BlockingCallBase::write_message(const google::protobuf::MessageLite& message,
                                     bool may_compress) {
  return call().write(message, may_compress);
}
bool BlockingCallBase::half_close() {
  return call().half_close();
}
Status BlockingCallBase::finish_call() {
  return call().finish();
}

}  // namespace detail

void detail::fail_not_overridden(const char* function) noexcept {
  fail_precondition(
      (std::string(function) + ": nobody overrides it; a mock has a MOCK_METHOD of what is called")
          .c_str());
}

Channel::Channel(std::string_view target, ChannelOptions options)
    : core_(std::make_shared<detail::ChannelCore>(std::string(target), std::move(options))) {
}

Channel::Channel(const std::vector<std::string>& targets, ChannelOptions options)
    : core_(std::make_shared<detail::ChannelCore>(targets, std::move(options))) {
}

Channel Channel::to_any(const std::vector<std::string>& targets, ChannelOptions options) {
  return Channel(targets, std::move(options));
}

Result<Channel> Channel::spawn(const std::vector<std::string>& command,
                               const SpawnOptions& spawn_options,
                               ChannelOptions options) {
  auto child = detail::spawn_child(command, spawn_options);
  if (!child) return std::move(child).error();
  options.connector(*std::move(child)).max_connections(1);
  return Channel("spawn:" + command.front(), std::move(options));
}

Channel::~Channel() = default;

Status Channel::connect(std::chrono::nanoseconds patience) const {
  return detail::connect_eagerly(core_->backend(), patience);
}

Task<Status> Channel::connect_async(std::chrono::nanoseconds patience) const {
  return detail::connect_eagerly_on_loop(core_, patience);
}

ConnectivityState Channel::state() const {
  return core_->backend().state();
}

bool Channel::wait_for_state_change(ConnectivityState from,
                                    std::chrono::steady_clock::time_point deadline) const {
  return detail::wait_for_state_change(core_->backend(), from, deadline);
}

Task<bool> Channel::wait_for_state_change_async(
    ConnectivityState from, std::chrono::steady_clock::time_point deadline) const {
  return detail::wait_for_state_change_on_loop(core_, from, deadline);
}

void Channel::close_idle() const {
  core_->close_idle();
}

ClientStub::ClientStub(const Channel& channel, std::span<const Method> methods)
    : channel_(detail::Access::core(channel).shared_from_this()),
      methods_(channel_->methods()->bind(methods).data()) {
}

Status ClientStub::call_blocking(std::size_t method,
                                 const google::protobuf::MessageLite& request,
                                 const CallOptions& options,
                                 google::protobuf::MessageLite& reply,
                                 CallInfo* info) const {
  return channel_->invoker().call({channel_->backend(), methods_[method], &request, options}, reply,
                                  info);
}

detail::BlockingCallPtr ClientStub::start_blocking(
    std::size_t method,
    const CallOptions& options,
    const google::protobuf::MessageLite* request) const {
  return channel_->invoker().start_blocking(
      {channel_->backend(), methods_[method], request, options});
}

detail::AsyncCallPtr ClientStub::start_async(std::size_t method,
                                             const CallOptions& options,
                                             const google::protobuf::MessageLite* request) const {
  return channel_->invoker().start_async({channel_->backend(), methods_[method], request, options});
}

}  // namespace nearcall::inline v0
