// SPDX-License-Identifier: Apache-2.0
// CompressedMessage: smaller, or as it was.
#include "grpc/compressed_message.hpp"

#include "support/compressed_bytes.hpp"
#include "support/messages.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace nearcall::inline v0::detail::grpc {
namespace {

std::string noise(std::size_t size) {
  std::mt19937 random(7);
  std::string text(size, '\0');
  for (char& letter : text)
    letter = static_cast<char>('a' + random() % 64);
  return text;
}

TEST(CompressedMessage, IsItsPrefixAndWhatTheCodecMadeOfIt) {
  const test::Text text = test::text_of(test::words(5000));

  const CompressedMessage message{OutgoingMessage(text), Codec::gzip()};

  const ByteSpan bytes = message.bytes();
  EXPECT_EQ(bytes[0], compressed_flag);
  EXPECT_EQ(load_be32(bytes.data() + 1), bytes.size() - message_prefix_size);
  EXPECT_LT(bytes.size(), 2500U);
  test::StringOutput output(10'000);
  EXPECT_TRUE(Codec::gzip().inflate(bytes.subspan(message_prefix_size), output));
  EXPECT_EQ(output.text, text.SerializeAsString());
}

TEST(CompressedMessage, IsNeverLargerThanTheMessage) {
  for (const std::size_t size : {0U, 1U, 2U, 10U, 20U, 30U, 100U, 1000U}) {
    const test::Text text = test::text_of(noise(size));

    const CompressedMessage message{OutgoingMessage(text), Codec::gzip()};

    EXPECT_LE(message.bytes().size(), message_prefix_size + text.ByteSizeLong()) << size;
    if (message.bytes()[0] == uncompressed_flag) {
      EXPECT_EQ(as_text(message.bytes()), test::framed(text)) << size;
    }
  }
}

/// Takes `size` bytes, whatever there is to compress.
class FixedCodec final : public Codec {
 public:
  explicit FixedCodec(std::size_t size) : size_(size) {}
  std::string_view name() const noexcept override { return "fixed"; }
  std::size_t compress(ByteSpan /*message*/, MutableByteSpan to) const override {
    return size_ <= to.size() ? size_ : 0;
  }
  Result<void> inflate(ByteSpan /*compressed*/, CodecOutput& /*to*/) const override { return {}; }

 private:
  std::size_t size_;
};

TEST(CompressedMessage, IsCompressedFromOneByteLessOn) {
  const test::Text text = test::text_of("0123456789");
  const std::size_t size = text.ByteSizeLong();

  const CompressedMessage less{OutgoingMessage(text), FixedCodec(size - 1)};
  const CompressedMessage same{OutgoingMessage(text), FixedCodec(size)};

  EXPECT_EQ(less.bytes()[0], compressed_flag);
  EXPECT_EQ(less.bytes().size(), message_prefix_size + size - 1);
  EXPECT_EQ(as_text(same.bytes()), test::framed(text));
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
