// SPDX-License-Identifier: Apache-2.0
// A message stream that no connection carries.
#include "connection/message_stream.hpp"
#include "grpc/message_prefix.hpp"

#include <nearcall/stream_awaiters.hpp>

#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

class LooseStream::State final : private MessageOwner {
 public:
  State(EventLoop& loop, UniqueFunction<void(const google::protobuf::MessageLite&)> written)
      : written_(std::move(written)) {
    stream_.set_loop(Access::core(loop));
  }
  MessageStream& stream() noexcept { return stream_; }

 private:
  bool take_without_stream(const google::protobuf::MessageLite& message,
                           bool /*may_compress*/) override {
    written_(message);
    return true;
  }
  void on_bad_message(Status /*why*/) override { stream_.out().close(); }
  void on_output() override {}

  UniqueFunction<void(const google::protobuf::MessageLite&)> written_;
  MessageStream stream_{*this, std::numeric_limits<std::uint32_t>::max()};
};

LooseStream::LooseStream(EventLoop& loop,
                         UniqueFunction<void(const google::protobuf::MessageLite&)> written)
    : state_(std::make_unique<State>(loop, std::move(written))) {
}

LooseStream::~LooseStream() = default;

MessageStream& LooseStream::stream() noexcept {
  return state_->stream();
}

void LooseStream::arrive(std::string_view message) {
  std::vector<std::byte> bytes(grpc::message_prefix_size + message.size());
  grpc::write_prefix(bytes.data(), grpc::uncompressed_flag,
                     static_cast<std::uint32_t>(message.size()));
  std::memcpy(bytes.data() + grpc::message_prefix_size, message.data(), message.size());
  MessageInbox& in = state_->stream().in();
  in.arrive(bytes, /*end_stream=*/false);
  in.keep_rest();
}

void LooseStream::finish() {
  state_->stream().in().finish();
}

void LooseStream::close() {
  state_->stream().in().drop();
  state_->stream().out().close();
}

}  // namespace nearcall::inline v0::detail
