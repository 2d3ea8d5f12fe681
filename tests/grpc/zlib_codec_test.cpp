// SPDX-License-Identifier: Apache-2.0
// gzip and deflate: what goes in comes out, and what is no such data is refused by name.
#include "grpc/zlib_codec.hpp"

#include "support/compressed_bytes.hpp"

#include <gmock/gmock.h>

#include <ostream>
#include <string>
#include <thread>

namespace nearcall {

inline void PrintTo(const Codec* codec, std::ostream* to) {
  *to << codec->name();
}

namespace {

using test::compressed;
using test::StringOutput;
using test::words;
using testing::HasSubstr;

class ZlibCodec : public testing::TestWithParam<const Codec*> {
 protected:
  const Codec& codec_ = *GetParam();

  std::string refusal_of(std::string_view data) const {
    StringOutput output(1000);
    const Result<void> inflated = codec_.inflate(detail::as_bytes(data), output);
    return inflated ? "it was taken" : std::string(inflated.error().message());
  }
};

INSTANTIATE_TEST_SUITE_P(Each,
                         ZlibCodec,
                         testing::Values(&Codec::gzip(), &Codec::deflate()),
                         [](const auto& info) { return std::string(info.param->name()); });

TEST_P(ZlibCodec, WhatIsInflatedIsWhatWasCompressedWhateverTheRoom) {
  for (const std::size_t size : {0U, 1U, 100U, 1000U, 100'000U}) {
    const std::string text = words(size);
    const std::string small = compressed(codec_, text);

    for (const std::size_t piece : {1U, 2U, 7U, 4096U, 200'000U}) {
      StringOutput output(piece);
      EXPECT_TRUE(codec_.inflate(detail::as_bytes(small), output)) << size << ' ' << piece;
      EXPECT_EQ(output.text == text, true) << size << ' ' << piece;
    }
  }
}

TEST_P(ZlibCodec, WhatDoesNotFitIsNotCompressed) {
  const std::string text = words(1000);
  const std::size_t size = compressed(codec_, text).size();
  std::vector<std::byte> room(size);

  EXPECT_EQ(codec_.compress(detail::as_bytes(text), room), size);
  EXPECT_EQ(codec_.compress(detail::as_bytes(text), std::span(room).first(size - 1)), 0U);
  EXPECT_EQ(codec_.compress(detail::as_bytes(text), {}), 0U);
  EXPECT_EQ(codec_.compress(detail::as_bytes(text), room), size) << "a failure leaves nothing";
}

TEST_P(ZlibCodec, WhatIsCutOffAnywhereIsRefusedAndSaysSo) {
  const std::string whole = compressed(codec_, words(2000));

  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_THAT(refusal_of(whole.substr(0, size)), HasSubstr("cut off")) << size;
}

TEST_P(ZlibCodec, WhatStandsBehindTheEndIsRefusedAndSaysHowMuch) {
  const std::string whole = compressed(codec_, words(2000));

  EXPECT_EQ(refusal_of(whole + "x"), "1 bytes stand behind its end");
  EXPECT_THAT(refusal_of(whole + whole), HasSubstr(std::to_string(whole.size()) + " bytes stand"));
}

TEST_P(ZlibCodec, EachByteThatIsChangedIsFoundOrChangesNothing) {
  const std::string text = words(500);
  const std::string whole = compressed(codec_, text);

  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x5a);
    StringOutput output(1000, 1'000'000);
    const Result<void> inflated = codec_.inflate(detail::as_bytes(changed), output);
    EXPECT_TRUE(!inflated || output.text == text) << at;
  }
  StringOutput output(1000);
  EXPECT_TRUE(codec_.inflate(detail::as_bytes(whole), output)) << "a failure leaves nothing";
}

TEST_P(ZlibCodec, TheOtherFormatIsRefused) {
  const Codec& other = &codec_ == &Codec::gzip() ? Codec::deflate() : Codec::gzip();

  EXPECT_THAT(refusal_of(compressed(other, words(100))), HasSubstr("header"));
}

TEST_P(ZlibCodec, StopsWhereItsReaderTakesNoMore) {
  StringOutput output(100, 300);

  EXPECT_TRUE(codec_.inflate(detail::as_bytes(compressed(codec_, words(2000))), output));

  EXPECT_EQ(output.text, words(2000).substr(0, 300));
}

TEST_P(ZlibCodec, SeveralThreadsUseItAtATime) {
  const std::string text = words(20'000);
  std::vector<std::string> seen(4);
  {
    std::vector<std::jthread> threads;
    for (std::string& mine : seen) {
      threads.emplace_back([&] {
        for (int round = 0; round < 20; ++round) {
          StringOutput output(5000);
          const Result<void> inflated =
              codec_.inflate(detail::as_bytes(compressed(codec_, text)), output);
          mine = inflated ? output.text : std::string(inflated.error().message());
        }
      });
    }
  }
  for (const std::string& text_of_thread : seen)
    EXPECT_EQ(text_of_thread == text, true);
}

TEST(ZlibStreams, AreKeptWhileTheyAreUsedAndThenFreed) {
  detail::grpc::trim_unused_zlib();
  detail::grpc::trim_unused_zlib();
  EXPECT_EQ(detail::grpc::kept_zlib_streams(), 0);

  const std::string small = compressed(Codec::gzip(), "text");
  StringOutput output(100);
  EXPECT_TRUE(Codec::gzip().inflate(detail::as_bytes(small), output));

  EXPECT_EQ(detail::grpc::kept_zlib_streams(), 2);
  detail::grpc::trim_unused_zlib();
  EXPECT_EQ(detail::grpc::kept_zlib_streams(), 2) << "used since the last time";
  detail::grpc::trim_unused_zlib();
  EXPECT_EQ(detail::grpc::kept_zlib_streams(), 0);
}

TEST(IdentityCodec, NeverCompresses) {
  EXPECT_EQ(compressed(Codec::identity(), words(1000)), "");
  StringOutput output(100);
  EXPECT_FALSE(Codec::identity().inflate(detail::as_bytes("text"), output));
}

}  // namespace
}  // namespace nearcall
