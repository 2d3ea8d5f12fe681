// SPDX-License-Identifier: Apache-2.0
// OutgoingMessage: a prefix, the message's bytes, and nothing larger than protobuf allows.
#include "grpc/outgoing_message.hpp"

#include "support/messages.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nearcall::inline v0::detail::grpc {
namespace {

std::string written(const OutgoingMessage& message) {
  std::vector<std::byte> bytes(message.size());
  message.write(bytes.data());
  return std::string(as_text(bytes));
}

TEST(OutgoingMessage, IsItsPrefixAndWhatItIsSerialisedAs) {
  for (const std::size_t size : {0U, 1U, 300U, 100'000U}) {
    const test::Text text = test::text_of(std::string(size, 'x'));

    EXPECT_EQ(written(OutgoingMessage(text)) == test::framed(text), true) << size;
  }
}

/// Says that it is as large as the test wants.
class HugeMessage final : public google::protobuf::MessageLite {
 public:
  explicit HugeMessage(std::size_t size) noexcept : size_(size) {}

  std::size_t ByteSizeLong() const override { return size_; }
  int GetCachedSize() const override { return static_cast<int>(size_); }
  std::string GetTypeName() const override { return "Huge"; }
  MessageLite* New(google::protobuf::Arena* /*arena*/) const override { return nullptr; }
  void Clear() override {}
  bool IsInitialized() const override { return true; }
  void CheckTypeAndMergeFrom(const MessageLite& /*from*/) override {}
  std::uint8_t* _InternalSerialize(std::uint8_t* to,
                                   google::protobuf::io::EpsCopyOutputStream*) const override {
    return to;
  }

 private:
  std::size_t size_;
};

TEST(OutgoingMessage, OverTwoGibibytesIsRefused) {
  constexpr std::size_t most = 0x7fff'ffff;

  EXPECT_TRUE(OutgoingMessage(HugeMessage(most)).check().ok());
  const Status refused = OutgoingMessage(HugeMessage(most + 1)).check();
  EXPECT_EQ(refused.code(), StatusCode::resource_exhausted);
  EXPECT_NE(refused.message().find("2147483648 bytes"), std::string::npos) << refused.message();
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
