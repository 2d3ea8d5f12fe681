// SPDX-License-Identifier: Apache-2.0
// MessagePieces: whatever the message, its pieces are what it is serialised as.
#include "grpc/message_pieces.hpp"

#include "support/messages.hpp"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/wrappers.pb.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail::grpc {
namespace {

using google::protobuf::MessageLite;

/// Keeps the test's message, and knows who refers to it.
class Keeper final : public BytesOwner {
 public:
  std::size_t pieces() const noexcept { return references() - 1; }

 private:
  void on_unreferenced() noexcept override { ADD_FAILURE() << "more was let go of than was held"; }
};

std::string joined(std::span<OwnedBytes> pieces) {
  std::string whole;
  for (const OwnedBytes& piece : pieces) {
    EXPECT_FALSE(piece.empty());
    whole += as_text(piece.span());
  }
  return whole;
}

/// How many pieces lie in the message. It is compared whole, and let go of.
std::size_t check(const MessageLite& message) {
  Keeper keeper;
  std::size_t kept = 0;
  {
    MessagePieces pieces(OutgoingMessage(message), keeper);
    kept = keeper.pieces();
    EXPECT_EQ(joined(pieces.all()) == test::framed(message), true)
        << message.GetTypeName() << " of " << message.ByteSizeLong();
  }
  EXPECT_EQ(keeper.pieces(), 0U);
  return kept;
}

/// Sizes around every size at which something changes.
std::vector<std::size_t> sizes() {
  std::vector<std::size_t> all;
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{16}, std::size_t{128}, std::size_t{512}, std::size_t{1024},
        MessagePieces::min_field, 2 * MessagePieces::min_field, MessagePieces::min_message,
        std::size_t{128} * 1024, std::size_t{1} << 20U}) {
    for (const std::size_t more : {0U, 1U, 5U, 12U, 16U, 17U, 40U}) {
      all.push_back(at + more);
      if (at >= more) all.push_back(at - more);
    }
  }
  return all;
}

TEST(MessagePieces, OfOneFieldAreWhatItIsSerialisedAs) {
  for (const std::size_t size : sizes()) {
    google::protobuf::BytesValue bytes;
    bytes.set_value(std::string(size, 'b'));
    const bool is_large = size >= MessagePieces::min_field;
    EXPECT_EQ(check(bytes), is_large ? 1U : 0U) << size;
    EXPECT_EQ(check(test::text_of(std::string(size, 't'))), is_large ? 1U : 0U) << size;
  }
}

TEST(MessagePieces, OfTwoFieldsAreWhatTheyAreSerialisedAs) {
  for (const std::size_t first : sizes()) {
    for (const std::size_t second : {0U, 1U, 20U, 127U, 8191U, 8192U, 100000U}) {
      google::protobuf::Any both;
      both.set_type_url(std::string(first, 'u'));
      both.set_value(std::string(second, 'v'));
      check(both);
    }
  }
}

TEST(MessagePieces, OfALargeFieldLieInTheMessage) {
  google::protobuf::Any message;
  message.set_type_url("type");
  message.set_value(std::string(1 << 20U, 'v'));
  Keeper keeper;
  {
    MessagePieces pieces(OutgoingMessage(message), keeper);

    ASSERT_EQ(pieces.all().size(), 2U);
    EXPECT_LT(pieces.all()[0].size(), 20U);
    EXPECT_EQ(as_text(pieces.all()[1].span()).data(), message.value().data());
    const OwnedBytes on_its_way = std::move(pieces.all()[1]);
    EXPECT_EQ(keeper.pieces(), 1U);
  }
  EXPECT_EQ(keeper.pieces(), 0U);
}

TEST(MessagePieces, DoNotKeepAMessageForLessThanHalfOfIt) {
  google::protobuf::SourceCodeInfo::Location message;
  message.set_leading_comments(std::string(50'000, 'c'));
  const std::size_t whole = check(message);
  for (int i = 0; i < 60'000; ++i) {
    message.add_path(i % 100);
  }

  EXPECT_EQ(whole, 1U);
  EXPECT_EQ(check(message), 0U);
}

TEST(MessagePieces, AreNeverMuchMoreMemoryThanTheMessage) {
  google::protobuf::SourceCodeInfo message;
  for (int i = 0; i < 100'000; ++i) {
    message.add_location()->add_path(i);
  }
  Keeper keeper;
  MessagePieces pieces(OutgoingMessage(message), keeper);

  EXPECT_EQ(joined(pieces.all()) == test::framed(message), true);
  EXPECT_LT(pieces.all().size(), 5 + message.ByteSizeLong() / (64 * 1024)) << "blocks get larger";
}

// ---- messages of every shape --------------------------------------------------------------------

class Shapes {
 public:
  explicit Shapes(unsigned seed) : random_(seed) {}

  std::string text() {
    static const std::vector<std::size_t> all = sizes();
    const std::size_t size = one_in(4) ? all[number(all.size())] : number(200);
    return std::string(size, static_cast<char>('a' + number(26)));
  }
  /// Maps, lists, oneofs, nested in each other.
  void fill(google::protobuf::Value& value, int depth) {
    switch (number(depth > 3 ? 4 : 6)) {
      case 0:
        return value.set_null_value({});
      case 1:
        return value.set_number_value(static_cast<double>(number(1000)));
      case 2:
        return value.set_bool_value(one_in(2));
      case 3:
        return value.set_string_value(text());
      case 4:
        for (std::size_t i = number(5); i > 0; --i)
          fill(*value.mutable_list_value()->add_values(), depth + 1);
        return;
      default:
        return fill(*value.mutable_struct_value(), depth + 1);
    }
  }
  void fill(google::protobuf::Struct& into, int depth = 0) {
    for (std::size_t i = number(5); i > 0; --i)
      fill((*into.mutable_fields())[text()], depth + 1);
  }
  /// Repeated strings, packed numbers, nested messages.
  void fill(google::protobuf::SourceCodeInfo& into) {
    for (std::size_t i = number(10); i > 0; --i) {
      auto& location = *into.add_location();
      for (std::size_t n = number(2000); n > 0; --n)
        location.add_path(static_cast<int>(number(100'000)));
      if (one_in(2)) location.set_leading_comments(text());
      if (one_in(2)) location.set_trailing_comments(text());
      for (std::size_t n = number(6); n > 0; --n)
        location.add_leading_detached_comments(text());
    }
  }
  bool one_in(std::size_t count) { return number(count) == 0; }
  std::size_t number(std::size_t below) { return random_() % below; }

 private:
  std::mt19937 random_;
};

TEST(MessagePieces, OfAnyMessageAreWhatItIsSerialisedAs) {
  std::size_t kept = 0;
  for (unsigned seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    Shapes shapes(seed);
    google::protobuf::Struct nested;
    shapes.fill(nested);
    kept += check(nested);
    google::protobuf::SourceCodeInfo repeated;
    shapes.fill(repeated);
    kept += check(repeated);
    google::protobuf::BytesValue bytes;
    bytes.set_value(nested.SerializeAsString());
    kept += check(bytes);
    google::protobuf::Empty unknown;  // whose fields it does not know
    if (unknown.ParseFromString(repeated.SerializeAsString())) check(unknown);
  }
  EXPECT_GT(kept, 30U) << "large fields were among them";
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
