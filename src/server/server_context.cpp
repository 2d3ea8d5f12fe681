// SPDX-License-Identifier: Apache-2.0
// What a handler sees of its call.
#include <nearcall/server_context.hpp>

namespace nearcall::inline v0 {

const PeerIdentity& ServerContext::peer() const noexcept {
  return call_->peer();
}
std::string_view ServerContext::method() const noexcept {
  return call_->method();
}
std::string_view ServerContext::authority() const noexcept {
  return call_->authority();
}
const Metadata& ServerContext::metadata() const noexcept {
  return call_->metadata();
}
std::chrono::steady_clock::time_point ServerContext::deadline() const noexcept {
  return call_->deadline();
}
bool ServerContext::is_cancelled() const noexcept {
  return call_->is_cancelled();
}
std::stop_token ServerContext::cancellation() {
  return call_->cancellation();
}
std::stop_token ServerContext::server_stopping() {
  return call_->server_stopping();
}
detail::EndingAwaiter ServerContext::until_ending() {
  return detail::EndingAwaiter(*call_);
}
google::protobuf::Arena& ServerContext::arena() {
  return call_->arena();
}
ServerContext& ServerContext::add_header(std::string_view key, std::string_view value) {
  call_->add_header(key, value);
  return *this;
}
ServerContext& ServerContext::add_trailer(std::string_view key, std::string_view value) {
  call_->add_trailer(key, value);
  return *this;
}
ServerContext& ServerContext::set_compression(const Codec& codec) {
  call_->set_compression(codec);
  return *this;
}
ServerContext& ServerContext::send_headers() {
  call_->send_headers();
  return *this;
}

}  // namespace nearcall::inline v0
