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

MessageTap::Hooks& MessageTap::hooks() {
  if (hooks_ == nullptr) hooks_ = std::make_unique<Hooks>();
  return *hooks_;
}

const google::protobuf::MessageLite* MessageTap::pass_copy(
    const google::protobuf::MessageLite& message) {
  if (!has_outgoing()) return &message;
  if (hooks_->copied == &message) return hooks_->copy.get();  // it waits for room
  hooks_->copy = copy_of(message);
  if (!pass_outgoing(*hooks_->copy).ok()) return nullptr;
  hooks_->copied = &message;
  return hooks_->copy.get();
}

void MessageTap::drop_hooks_inside(std::size_t depth) {
  if (hooks_ == nullptr) return;
  const auto is_inside = [depth](const Hook& hook) { return hook.depth > depth; };
  std::erase_if(hooks_->incoming, is_inside);
  std::erase_if(hooks_->outgoing, is_inside);
}

void MessageTap::note_refusal(const Status& why) {
  auto noted = std::make_unique<const Status>(why);
  const Status* none = nullptr;
  if (refusal_.compare_exchange_strong(none, noted.get())) static_cast<void>(noted.release());
}

Status MessageTap::run(std::vector<Hook>& hooks,
                       bool is_reversed,
                       google::protobuf::MessageLite& message) {
  Status status;
  try {
    for (std::size_t i = 0; i < hooks.size() && status.ok(); ++i)
      status = hooks[is_reversed ? hooks.size() - 1 - i : i].call(message);
  } catch (...) {
    status = status_of_thrown(side());
  }
  if (!status.ok()) note_refusal(status);
  return status;
}

}  // namespace nearcall::inline v0::detail
