// SPDX-License-Identifier: Apache-2.0
// Channels, stubs and blocking call objects: the public face of the client.
#include "client/async_call.hpp"
#include "client/blocking_call.hpp"
#include "client/bound_methods.hpp"

#include <nearcall/client.hpp>
#include <nearcall/event_loop.hpp>

#include <utility>

namespace nearcall::inline v0 {
namespace detail {
void BlockingCallDeleter::operator()(BlockingCall* call) const noexcept {
  delete call;
}

const Metadata& BlockingCallBase::headers() {
  return call().headers();
}
const Metadata& BlockingCallBase::trailers() const {
  return call().trailers();
}
void BlockingCallBase::cancel() noexcept {
  call().cancel();
}
bool BlockingCallBase::read_message(google::protobuf::MessageLite& into) {
  return call().read(into);
}
bool BlockingCallBase::write_message(const google::protobuf::MessageLite& message) {
  return call().write(message);
}
bool BlockingCallBase::half_close() {
  return call().half_close();
}
Status BlockingCallBase::finish_call() {
  return call().finish();
}

}  // namespace detail

Channel::Channel(std::string_view target, ChannelOptions options)
    : core_(std::make_shared<detail::ChannelCore>(std::string(target), std::move(options))) {
}

Channel::~Channel() = default;

void Channel::close_idle() const {
  core_->close_idle();
}

ClientStub::ClientStub(const Channel& channel, std::span<const Method> methods)
    : methods_(std::make_shared<detail::BoundMethods>(channel.core(), methods)) {
}

Status ClientStub::call_blocking(std::size_t method,
                                 const google::protobuf::MessageLite& request,
                                 const CallOptions& options,
                                 google::protobuf::MessageLite& reply) const {
  detail::BlockingCall call(methods_->backend(), (*methods_)[method], options);
  return call.run_unary(request, options, reply);
}

ClientStub::BlockingPtr ClientStub::start_blocking(std::size_t method,
                                                   const google::protobuf::MessageLite* request,
                                                   const CallOptions& options) const {
  BlockingPtr call(new detail::BlockingCall(methods_->backend(), (*methods_)[method], options));
  call->start(request, options);
  return call;
}

ClientStub::AsyncPtr ClientStub::start_async(std::size_t method,
                                             const google::protobuf::MessageLite* request,
                                             const CallOptions& options) const {
  return AsyncPtr(new detail::AsyncCall(*methods_, method, request, options, EventLoop::current()));
}

}  // namespace nearcall::inline v0
