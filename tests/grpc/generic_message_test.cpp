// SPDX-License-Identifier: Apache-2.0
// A message of no type: what goes in comes out, wherever protobuf's streams take it from.
#include "base/owned_bytes.hpp"
#include "grpc/message_pieces.hpp"
#include "grpc/outgoing_message.hpp"

#include <nearcall/generic_message.hpp>

#include <google/protobuf/arena.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wrappers.pb.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace nearcall::inline v0::detail::grpc {
namespace {

std::string many_bytes(std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i)
    bytes.push_back(static_cast<char>(i * 7 + i / 251));
  return bytes;
}

TEST(GenericMessage, ParsesAnythingAndSerializesItAsItCame) {
  for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 33U, 70'000U}) {
    const std::string bytes = many_bytes(size);
    GenericMessage message(std::string("what was there before"));

    ASSERT_TRUE(message.ParseFromString(bytes)) << size;

    EXPECT_EQ(message.bytes(), bytes);
    EXPECT_EQ(message.SerializeAsString(), bytes);
  }
}

TEST(GenericMessage, IsWhatAMessageOfAnyTypeIsSerializedAs) {
  google::protobuf::StringValue text;
  text.set_value("hello");

  const GenericMessage message(text.SerializeAsString());
  google::protobuf::StringValue parsed;

  EXPECT_TRUE(parsed.ParseFromString(message.bytes()));
  EXPECT_EQ(parsed.value(), "hello");
}

TEST(GenericMessage, IsParsedFromPiecesOfAnySizeWithOrWithoutAKnownEnd) {
  const std::string bytes = many_bytes(5000);
  for (const int piece : {1, 3, 16, 17, 1000}) {
    google::protobuf::io::ArrayInputStream bounded(bytes.data(), 5000, piece);
    google::protobuf::io::ArrayInputStream open(bytes.data(), 5000, piece);
    GenericMessage message;

    EXPECT_TRUE(message.ParseFromBoundedZeroCopyStream(&bounded, 5000)) << piece;
    EXPECT_EQ(message.bytes(), bytes);
    EXPECT_TRUE(message.ParseFromZeroCopyStream(&open)) << piece;
    EXPECT_EQ(message.bytes(), bytes);
  }
}

TEST(GenericMessage, TakesNoMoreMemoryThanItsBytes) {
  const std::string bytes = many_bytes(1'000'000);
  GenericMessage message;

  ASSERT_TRUE(message.ParseFromString(bytes));

  EXPECT_LE(message.bytes().capacity(), 1'000'100U);
}

class NothingKept final : public BytesOwner {
  void on_unreferenced() noexcept override {}
};

TEST(GenericMessage, IsSentFromWhereItLiesIfItIsLarge) {
  NothingKept keeper;
  const GenericMessage message(many_bytes(100'000));
  MessagePieces pieces(OutgoingMessage(message), keeper);

  std::string sent;
  bool lies_there = false;
  for (const OwnedBytes& piece : pieces.all()) {
    const auto* const text = reinterpret_cast<const char*>(piece.span().data());
    lies_there = lies_there || text == message.bytes().data();
    sent.append(text, piece.span().size());
  }

  EXPECT_TRUE(lies_there);
  EXPECT_EQ(sent.substr(5), message.bytes());
}

TEST(GenericMessage, IsCopiedAndMovedAsItsBytesAre) {
  GenericMessage message(std::string("a message that is longer than a word"));
  const GenericMessage copy = message;
  GenericMessage moved = std::move(message);

  EXPECT_EQ(copy, moved);
  moved.bytes() += "!";
  EXPECT_NE(copy, moved);
  moved = copy;
  EXPECT_EQ(copy, moved);
  moved.MergeFromString("x");
  EXPECT_EQ(moved.bytes(), copy.bytes() + "x");
}

TEST(GenericMessage, IsMadeAnewAsAnyMessageIs) {
  google::protobuf::Arena arena;
  const GenericMessage message(std::string("bytes"));
  const std::unique_ptr<google::protobuf::MessageLite> on_heap(message.New());

  EXPECT_EQ(on_heap->ByteSizeLong(), 0U);
  EXPECT_EQ(message.New(&arena)->ByteSizeLong(), 0U);  // its arena deletes it
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
