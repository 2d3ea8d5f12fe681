// SPDX-License-Identifier: Apache-2.0
// Channels, stubs and blocking call objects: the public face of the client.
#include "client/async_call.hpp"
#include "client/blocking_call.hpp"
#include "client/bound_methods.hpp"
#include "client/channel_core.hpp"
#include "grpc/request_head.hpp"

#include <nearcall/client.hpp>
#include <nearcall/version.hpp>

#include <utility>

namespace nearcall {
namespace detail {
namespace {

http2::HeaderTemplate request_head(const Method& method, const ChannelOptions& options) {
  static const std::string user_agent = std::string("nearcall-cpp/") + version_string;
  grpc::HeaderBlock block;
  grpc::append_request_head(
      block, {.path = method.path, .authority = options.authority(), .user_agent = user_agent});
  std::vector<http2::HeaderField> fields;
  for (const HeaderView& field : block.fields())
    fields.push_back({field.name, field.value});
  return http2::HeaderTemplate(fields);
}

}  // namespace

BoundMethods::BoundMethods(std::shared_ptr<ChannelCore> channel, std::span<const Method> methods)
    : channel_(std::move(channel)) {
  methods_.reserve(methods.size());
  for (const Method& method : methods) {
    methods_.push_back({method, request_head(method, channel_->options())});
  }
}

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

ClientStub::ClientStub(Channel& channel, std::span<const Method> methods)
    : methods_(std::make_shared<detail::BoundMethods>(channel.core(), methods)) {
}

Status ClientStub::call_blocking(std::size_t method,
                                 const google::protobuf::MessageLite& request,
                                 const CallOptions& options,
                                 google::protobuf::MessageLite& reply) const {
  detail::ChannelCore& channel = methods_->channel();
  detail::BlockingCall call((*methods_)[method], options,
                            channel.options().max_receive_message_size());
  return call.run_unary(channel, request, options, reply);
}

ClientStub::BlockingPtr ClientStub::start_blocking(std::size_t method,
                                                   const google::protobuf::MessageLite* request,
                                                   const CallOptions& options) const {
  const std::size_t most = methods_->channel().options().max_receive_message_size();
  BlockingPtr call(new detail::BlockingCall((*methods_)[method], options, most));
  call->start(methods_, request, options);
  return call;
}

ClientStub::AsyncPtr ClientStub::start_async(std::size_t method,
                                             const google::protobuf::MessageLite* request,
                                             const CallOptions& options) const {
  return AsyncPtr(new detail::AsyncCall(methods_, method, request, options, EventLoop::current()));
}

}  // namespace nearcall
