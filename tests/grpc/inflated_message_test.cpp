// SPDX-License-Identifier: Apache-2.0
// InflatedMessage: what was compressed, or why not, and never more memory than the limit.
#include "grpc/inflated_message.hpp"

#include "support/compressed_bytes.hpp"
#include "support/messages.hpp"

#include <gmock/gmock.h>

#include <string>

namespace nearcall::inline v0::detail::grpc {
namespace {

using test::compressed;
using test::words;
using testing::HasSubstr;

constexpr std::size_t most = 100'000;

std::string gzipped(const std::string& text) {
  return compressed(Codec::gzip(), text);
}

TEST(InflatedMessage, IsParsedFromOnePieceAndFromMany) {
  for (const std::size_t size : {0U, 100U, 4000U, 50'000U, 99'000U}) {
    const test::Text sent = test::text_of(size == 4000 ? words(size) : std::string(size, 'x'));
    InflatedMessage inflated(most);
    test::Text seen;

    EXPECT_TRUE(inflated.inflate(Codec::gzip(), as_bytes(gzipped(sent.SerializeAsString()))).ok());

    EXPECT_TRUE(inflated.parse(seen)) << size;
    EXPECT_EQ(seen.value() == sent.value(), true) << size;
    EXPECT_EQ(inflated.size(), sent.ByteSizeLong());
    EXPECT_LE(inflated.capacity(), std::max<std::size_t>(4096, 2 * size)) << size;
  }
}

TEST(InflatedMessage, WhatIsNoMessageIsNotParsed) {
  InflatedMessage inflated(most);
  ASSERT_TRUE(inflated.inflate(Codec::gzip(), as_bytes(gzipped(std::string(50'000, '\xff')))).ok());
  test::Text seen;

  EXPECT_FALSE(inflated.parse(seen));
}

TEST(InflatedMessage, TheLimitIsOfWhatComesOut) {
  for (const std::size_t size : {most - 1, most, most + 1}) {
    InflatedMessage inflated(most);

    const Status status = inflated.inflate(Codec::gzip(), as_bytes(gzipped(words(size))));

    EXPECT_EQ(status.code(), size > most ? StatusCode::resource_exhausted : StatusCode::ok) << size;
    if (size > most) {
      EXPECT_THAT(status.message(), HasSubstr("more than the receive limit of 100000 bytes"));
    }
  }
}

TEST(InflatedMessage, OfAnEmptyLimitIsTheEmptyOne) {
  InflatedMessage empty(0);
  EXPECT_TRUE(empty.inflate(Codec::gzip(), as_bytes(gzipped(""))).ok());
  InflatedMessage one(0);
  EXPECT_EQ(one.inflate(Codec::gzip(), as_bytes(gzipped("x"))).code(),
            StatusCode::resource_exhausted);
}

TEST(InflatedMessage, ABombCostsNoMoreThanTheLimit) {
  const std::string bomb = gzipped(std::string(50'000'000, '\0'));
  ASSERT_LT(bomb.size(), 50'000U);
  InflatedMessage inflated(most);

  const Status status = inflated.inflate(Codec::gzip(), as_bytes(bomb));

  EXPECT_EQ(status.code(), StatusCode::resource_exhausted);
  EXPECT_LE(inflated.capacity(), most + 1);
}

TEST(InflatedMessage, WhatTheCodecRefusesIsInternalAndNamesTheCodec) {
  const std::string whole = gzipped(words(1000));
  const auto status_of = [](std::string_view data) {
    return InflatedMessage(most).inflate(Codec::gzip(), as_bytes(data));
  };

  EXPECT_EQ(status_of("no gzip").code(), StatusCode::internal);
  EXPECT_THAT(status_of("no gzip").message(), HasSubstr("7 bytes is no gzip: incorrect header"));
  EXPECT_THAT(status_of("").message(), HasSubstr("cut off"));
  EXPECT_THAT(status_of(whole.substr(0, 50)).message(), HasSubstr("cut off"));
  EXPECT_THAT(status_of(whole + "xyz").message(), HasSubstr("3 bytes stand behind its end"));
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
