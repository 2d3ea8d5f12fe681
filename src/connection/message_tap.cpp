// SPDX-License-Identifier: Apache-2.0
// Messages on their way through the hooks of interceptors.
#include "connection/message_tap.hpp"

#include "base/log.hpp"

#include <exception>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {

std::unique_ptr<google::protobuf::MessageLite> copy_of(
    const google::protobuf::MessageLite& message) {
  std::unique_ptr<google::protobuf::MessageLite> copy(message.New());
  copy->CheckTypeAndMergeFrom(message);
  return copy;
}

Status status_of_thrown(const char* side) noexcept {
  try {
    throw;
  } catch (const std::exception& error) {
    log(LogLevel::error, "an interceptor of the ", side, " threw: ", error.what());
  } catch (...) {
    log(LogLevel::error, "an interceptor of the ", side,
        " threw something that is no std::exception");
  }
  return Status::unknown(std::string("an interceptor of the ") + side + " failed");
}

const google::protobuf::MessageLite* MessageTap::pass_copy(
    const google::protobuf::MessageLite& message) {
  if (!has_outgoing()) return &message;
  if (copied_ == &message) return copy_.get();  // it waits for room
  copy_ = copy_of(message);
  if (!pass_outgoing(*copy_).ok()) return nullptr;
  copied_ = &message;
  return copy_.get();
}

void MessageTap::drop_hooks_inside(std::size_t depth) {
  if (depth + 1 >= begins_.size()) return;
  const auto cut = [](std::vector<MessageHook>& hooks, std::size_t count) {
    while (hooks.size() > count)
      hooks.pop_back();
  };
  cut(incoming_, begins_[depth + 1].incoming);
  cut(outgoing_, begins_[depth + 1].outgoing);
}

void MessageTap::note_refusal(const Status& why) {
  auto noted = std::make_unique<const Status>(why);
  const Status* none = nullptr;
  if (refusal_.compare_exchange_strong(none, noted.get())) static_cast<void>(noted.release());
}

Status MessageTap::run(std::vector<MessageHook>& hooks,
                       bool is_reversed,
                       google::protobuf::MessageLite& message) {
  Status status;
  try {
    for (std::size_t i = 0; i < hooks.size() && status.ok(); ++i)
      status = hooks[is_reversed ? hooks.size() - 1 - i : i](message);
  } catch (...) {
    status = status_of_thrown(incoming_is_ == Incoming::requests ? "server" : "client");
  }
  if (!status.ok()) note_refusal(status);
  return status;
}

}  // namespace nearcall::inline v0::detail
