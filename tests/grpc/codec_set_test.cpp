// SPDX-License-Identifier: Apache-2.0
// CodecSet: what a side says that it takes, and what it makes of what the other says.
#include "grpc/codec_set.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <string>

namespace nearcall::inline v0::detail::grpc {
namespace {

class NamedCodec final : public Codec {
 public:
  explicit NamedCodec(std::string name) : name_(std::move(name)) {}
  std::string_view name() const noexcept override { return name_; }
  std::size_t compress(std::span<const std::byte> /*message*/,
                       std::span<std::byte> /*to*/) const override {
    return 0;
  }
  Result<void> inflate(std::span<const std::byte> /*compressed*/,
                       CodecOutput& /*to*/) const override {
    return {};
  }

 private:
  std::string name_;
};

const NamedCodec zstd("zstd");

TEST(CodecSet, KnowsGzipAndDeflateAndWhatWasAdded) {
  const Codec* const added[] = {&zstd};
  const CodecSet codecs(added);

  EXPECT_EQ(CodecSet::usual().accepted(), "identity,deflate,gzip");
  EXPECT_EQ(codecs.accepted(), "identity,deflate,gzip,zstd");
  EXPECT_EQ(codecs.find("gzip"), &Codec::gzip());
  EXPECT_EQ(codecs.find("deflate"), &Codec::deflate());
  EXPECT_EQ(codecs.find("zstd"), &zstd);
  EXPECT_EQ(CodecSet::usual().find("zstd"), nullptr);
  EXPECT_EQ(codecs.find("identity"), nullptr);
  EXPECT_EQ(codecs.find(""), nullptr);
  EXPECT_EQ(codecs.find("GZIP"), nullptr);
}

TEST(CodecSet, OneOfAKnownNameTakesItsPlaceAndIdentityIsLeftOut) {
  const NamedCodec gzip("gzip");
  const Codec* const added[] = {&gzip, &Codec::identity(), &zstd, &zstd};
  const CodecSet codecs(added);

  EXPECT_EQ(codecs.accepted(), "identity,deflate,gzip,zstd");
  EXPECT_EQ(codecs.find("gzip"), &gzip);
}

TEST(CodecSet, ReadsWhatThePeerAcceptsHoweverItIsWritten) {
  const Codec* const added[] = {&zstd};
  const CodecSet codecs(added);
  const auto says = [&codecs](std::string_view value, const Codec& codec) {
    return codecs.is_in(codecs.read_accepted(value), codec);
  };

  for (const std::string_view value :
       {"gzip", "identity,gzip", "identity, deflate, gzip", " gzip ,", ",,gzip", "br,\tgzip"}) {
    EXPECT_TRUE(says(value, Codec::gzip())) << value;
    EXPECT_FALSE(says(value, zstd)) << value;
  }
  for (const std::string_view value : {"", "identity", "gzipx", "gz ip", "GZIP", ",", "x,y"})
    EXPECT_FALSE(says(value, Codec::gzip())) << value;
  EXPECT_TRUE(says("gzip,zstd", zstd));
  EXPECT_FALSE(CodecSet::usual().is_in(~CodecSet::Mask{0}, zstd)) << "it is not of this set";
}

TEST(CodecSet, OneWhoseNameIsNoneIsNotKnown) {
  for (const char* const name : {"", "Zstd", "a,b", "a b", "a\n", "a\xff"}) {
    const NamedCodec bad(name);
    const Codec* const added[] = {&bad, &zstd};
    const CodecSet codecs(added);

    EXPECT_EQ(codecs.accepted(), "identity,deflate,gzip,zstd") << name;
    EXPECT_FALSE(codecs.has(bad)) << name;
    EXPECT_TRUE(codecs.has(zstd)) << name;
  }
}

TEST(CodecSet, KnowsNoMoreThanItHasBitsFor) {
  std::deque<NamedCodec> many;
  std::vector<const Codec*> added;
  for (int i = 0; i < 40; ++i)
    added.push_back(&many.emplace_back("codec" + std::to_string(i)));
  const CodecSet codecs(added);

  EXPECT_TRUE(codecs.is_in(codecs.read_accepted("codec29"), many[29]));
  EXPECT_EQ(codecs.find("codec30"), nullptr);
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
