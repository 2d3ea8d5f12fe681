// SPDX-License-Identifier: Apache-2.0
// HpackEncoder: representations, size updates, and the cache of encoded blocks.
#include "http2/hpack/encoder.hpp"

#include "hex.hpp"
#include "http2/hpack/decoder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace nearcall::inline v0::detail::http2 {
namespace {

using Fields = std::vector<HeaderField>;

std::string encoded(HpackEncoder& encoder, const Fields& fields) {
  Bytes block;
  encoder.encode(fields, block);
  return to_hex(block);
}
std::string encoded(HpackEncoder& encoder, const Fields& fields, EncodedBlock& cache) {
  Bytes block;
  encoder.encode(fields, cache, block);
  return to_hex(block);
}

const Fields request = {{":method", "POST"},
                        {":scheme", "http"},
                        {":path", "/greet.Greeter/SayHello"},
                        {":authority", "localhost"},
                        {"te", "trailers"},
                        {"content-type", "application/grpc"},
                        {"user-agent", "nearcall/0.1.0"}};

TEST(HpackEncoder, WritesWhatIsInATableAsAnIndex) {
  HpackEncoder encoder;
  encoded(encoder, request);

  EXPECT_EQ(encoded(encoder, request), "8386c2c1c0bfbe");
}

TEST(HpackEncoder, KeepsFieldsWithoutIndexingOutOfTheTable) {
  HpackEncoder encoder;

  EXPECT_EQ(encoded(encoder, {{"ab", "c", Indexing::without}}),
            "0002616201"
            "63");
  EXPECT_EQ(encoded(encoder, {{":path", "c", Indexing::without}}),
            "0401"
            "63");
  EXPECT_EQ(encoded(encoder, {{":method", "GET", Indexing::without}}), "82");
  EXPECT_EQ(encoder.table().entry_count(), 0U);
}

TEST(HpackEncoder, MarksFieldsThatMustNeverBeIndexed) {
  HpackEncoder encoder;
  encoded(encoder, {{"authorization", "secret"}});

  EXPECT_EQ(encoded(encoder, {{"authorization", "x", Indexing::never}}),
            "1f0801"
            "78");
  EXPECT_EQ(encoded(encoder, {{"authorization", "secret", Indexing::never}}),
            "1f0806"
            "736563726574")
      << "not even as an index";
  EXPECT_EQ(encoded(encoder, {{":method", "GET", Indexing::never}}), "1203474554");
  EXPECT_EQ(encoded(encoder, {{"n", "", Indexing::never}}), "10016e00");
}

TEST(HpackEncoder, TakesOneChoiceForAWholeList) {
  HpackEncoder encoder;
  Bytes block;

  encoder.encode(std::vector<HeaderView>{{"a", "b"}, {"c", "d"}}, Indexing::without, block);

  EXPECT_EQ(to_hex(block),
            "000161016200016301"
            "64");
}

TEST(HpackEncoder, WritesAFieldThatCannotFitTheTableWithoutEmptyingIt) {
  HpackEncoder encoder;
  encoded(encoder, {{"a", "b"}});
  const auto generation = encoder.table().generation();

  const std::string block = encoded(encoder, {{"n", std::string(4096 - 32, 'x')}});

  EXPECT_EQ(block.substr(0, 6), "00016e");
  EXPECT_EQ(encoder.table().generation(), generation);
  encoded(encoder, {{"n", std::string(4096 - 33, 'x')}});
  EXPECT_EQ(encoder.table().size(), 4096U);
}

TEST(HpackEncoder, AppendsToWhatIsThere) {
  HpackEncoder encoder;
  Bytes block = from_hex("0102");
  EncodedBlock cache;

  encoder.encode(Fields{{":method", "GET"}}, block);
  for (int i = 0; i < 2; ++i) {
    encoder.encode(Fields{{":method", "POST"}}, cache, block);
  }

  EXPECT_EQ(to_hex(block), "0102828383");
}

TEST(HpackEncoder, StartsTheNextBlockWithTheNewTableSize) {
  HpackEncoder encoder;
  encoded(encoder, {{"a", "b"}});

  encoder.set_peer_max_table_size(100);

  EXPECT_EQ(encoded(encoder, {{":method", "GET"}}), "3f4582");
  EXPECT_EQ(encoded(encoder, {{":method", "GET"}}), "82") << "once";
  EXPECT_EQ(encoder.table().max_size(), 100U);
}

TEST(HpackEncoder, AnnouncesTheLeastAndTheLastOfSeveralSizes) {
  HpackEncoder encoder;
  encoder.set_peer_max_table_size(1000);
  encoder.set_peer_max_table_size(0);
  encoder.set_peer_max_table_size(500);
  encoder.set_peer_max_table_size(100);
  EXPECT_EQ(encoded(encoder, {}), "203f45");

  encoder.set_peer_max_table_size(50);
  encoder.set_peer_max_table_size(100);
  EXPECT_EQ(encoded(encoder, {}), "3f133f45") << "it went down and came back";

  encoder.set_peer_max_table_size(200);
  encoder.set_peer_max_table_size(150);
  EXPECT_EQ(encoded(encoder, {}), "3f77") << "it only rose";
}

TEST(HpackEncoder, DropsItsEntriesWhenTheTableWasShortlyZero) {
  HpackEncoder encoder;
  encoded(encoder, {{"a", "b"}});

  encoder.set_peer_max_table_size(0);
  encoder.set_peer_max_table_size(4096);

  EXPECT_EQ(encoded(encoder, {}), "203fe11f");
  EXPECT_EQ(encoder.table().entry_count(), 0U);
}

TEST(HpackEncoder, UsesNoMoreThanItsOwnBound) {
  HpackEncoder encoder;

  encoder.set_peer_max_table_size(1'000'000);
  EXPECT_EQ(encoded(encoder, {}), "") << "nothing changes for the decoder";
  encoder.set_peer_max_table_size(10);
  encoder.set_peer_max_table_size(0xffff'ffff);

  EXPECT_EQ(encoded(encoder, {}), "2a3fe11f");
  EXPECT_EQ(encoder.table().max_size(), 4096U);
}

TEST(HpackEncoder, WritesFromItsCacheWhatItWouldWriteAnew) {
  HpackEncoder encoder;
  EncodedBlock cache;
  encoded(encoder, request, cache);  // fills the table
  const std::string indexed = encoded(encoder, request, cache);

  EXPECT_EQ(indexed, "8386c2c1c0bfbe");
  EXPECT_EQ(encoded(encoder, request, cache), indexed);
  EXPECT_EQ(encoded(encoder, {}, cache), indexed) << "the fields are not looked at";
}

TEST(HpackEncoder, EncodesAnewOnceTheTableHasChanged) {
  HpackEncoder encoder;
  EncodedBlock cache;
  for (int i = 0; i < 3; ++i) {
    encoded(encoder, request, cache);
  }

  encoded(encoder, {{"another", "field"}});

  EXPECT_EQ(encoded(encoder, request, cache), "8386c3c2c1c0bf");
  EXPECT_EQ(encoded(encoder, {}, cache), "8386c3c2c1c0bf");
}

TEST(HpackEncoder, AnnouncesTableSizesBeforeACachedBlock) {
  HpackEncoder encoder;
  EncodedBlock cache;
  for (int i = 0; i < 3; ++i) {
    encoded(encoder, request, cache);
  }
  encoder.set_peer_max_table_size(2000);

  EXPECT_EQ(encoded(encoder, request, cache), "3fb10f8386c2c1c0bfbe") << "nothing was evicted";

  encoder.set_peer_max_table_size(0);
  EXPECT_EQ(encoded(encoder, request, cache).substr(0, 6), "208386");
}

TEST(HpackEncoder, DoesNotTakeTheCacheOfAnotherEncoder) {
  HpackEncoder one;
  HpackEncoder two;
  EncodedBlock cache;
  for (int i = 0; i < 3; ++i) {
    encoded(one, request, cache);
  }

  Fields reversed(request.rbegin(), request.rend());
  encoded(two, reversed);

  EXPECT_EQ(encoded(two, request, cache), encoded(two, request));
}

TEST(HpackEncoder, RemembersNoBlockLongerThanTheCache) {
  HpackEncoder encoder;
  EncodedBlock cache;
  const Fields long_list(41, HeaderField{":method", "GET"});
  encoded(encoder, long_list, cache);

  EXPECT_EQ(encoded(encoder, {}, cache), "");

  EncodedBlock other;
  const Fields just_fits(40, HeaderField{":method", "GET"});
  encoded(encoder, just_fits, other);
  EXPECT_EQ(encoded(encoder, {}, other).size(), 80U);
}

TEST(HpackEncoder, ComposesBlocksThatTheDecoderReads) {
  HpackEncoder encoder;
  HpackDecoder decoder;
  EncodedBlock cache;
  HeaderList list;
  for (int i = 0; i < 5; ++i) {
    const std::string timeout = std::to_string(i) + "m";
    Bytes block;
    encoder.encode(request, cache, block);
    encoder.encode(std::vector<HeaderView>{{"grpc-timeout", timeout}}, Indexing::without, block);

    ASSERT_TRUE(decoder.decode(block, list));

    ASSERT_EQ(list.size(), request.size() + 1);
    for (std::size_t f = 0; f < request.size(); ++f) {
      EXPECT_EQ(list[f], (HeaderView{request[f].name, request[f].value}));
    }
    EXPECT_EQ(list[request.size()], (HeaderView{"grpc-timeout", timeout}));
    EXPECT_EQ(list.head_token() != 0, i >= 3);
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
