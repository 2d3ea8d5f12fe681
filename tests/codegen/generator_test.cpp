// SPDX-License-Identifier: Apache-2.0
// Tests of the generator as protoc drives it, with files in memory.
#include "codegen/generator.hpp"

#include "codegen/proto_text.hpp"

#include <gmock/gmock.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <map>

namespace nearcall::codegen {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::StartsWith;
using testing::UnorderedElementsAre;

/// Keeps what is written; each piece has at most `piece_size` bytes.
class FilesInMemory final : public google::protobuf::compiler::GeneratorContext {
 public:
  explicit FilesInMemory(int piece_size) : piece_size_(piece_size) {}

  google::protobuf::io::ZeroCopyOutputStream* Open(const std::string& name) override {
    auto& text = files_[name];
    text.assign(room, '\0');
    return new google::protobuf::io::ArrayOutputStream(text.data(), room, piece_size_);
  }
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> result;
    for (const auto& [name, text] : files_)
      result[name] = text.c_str();
    return result;
  }

 private:
  static constexpr int room = 1 << 16;
  int piece_size_;
  std::map<std::string, std::string> files_;
};

const char* const text = R"(
    syntax = "proto3"; package a; message M {} service S { rpc F(M) returns (M); })";

TEST(Generator, WritesAHeaderAndASource) {
  ProtoText protos;
  FilesInMemory context(1 << 16);
  std::string error;

  const bool is_done = Generator().Generate(&protos.add("dir/a.proto", text), "", &context, &error);

  EXPECT_TRUE(is_done) << error;
  const auto files = context.files();
  ASSERT_THAT(files, UnorderedElementsAre(Key("dir/a.nearcall.hpp"), Key("dir/a.nearcall.cpp")));
  EXPECT_THAT(files.at("dir/a.nearcall.hpp"), HasSubstr("class S final {"));
  EXPECT_THAT(files.at("dir/a.nearcall.cpp"), HasSubstr("#include \"dir/a.nearcall.hpp\""));
}

TEST(Generator, WritesBothFilesEvenWithoutServices) {
  ProtoText protos;
  FilesInMemory context(1 << 16);
  std::string error;

  const auto& file = protos.add("a.proto", "syntax = 'proto3';");
  ASSERT_TRUE(Generator().Generate(&file, "", &context, &error)) << error;

  EXPECT_THAT(context.files(), UnorderedElementsAre(Key("a.nearcall.hpp"), Key("a.nearcall.cpp")));
}

TEST(Generator, WritesTheSameInPiecesOfAnySize) {
  ProtoText protos;
  const auto& file = protos.add("a.proto", text);
  FilesInMemory whole(1 << 16);
  FilesInMemory pieces(7);
  std::string error;

  ASSERT_TRUE(Generator().Generate(&file, "", &whole, &error));
  ASSERT_TRUE(Generator().Generate(&file, "", &pieces, &error));

  EXPECT_EQ(whole.files(), pieces.files());
}

TEST(Generator, BadOptionIsAnErrorAndWritesNothing) {
  ProtoText protos;
  FilesInMemory context(1 << 16);
  std::string error;

  const auto& file = protos.add("a.proto", text);
  const bool is_done = Generator().Generate(&file, "services=all", &context, &error);

  EXPECT_FALSE(is_done);
  EXPECT_THAT(error, StartsWith("services=all is none of"));
  EXPECT_THAT(context.files(), IsEmpty());
}

TEST(Generator, SaysThatItKnowsOptionalFieldsOfProto3) {
  EXPECT_EQ(Generator().GetSupportedFeatures(),
            google::protobuf::compiler::CodeGenerator::FEATURE_PROTO3_OPTIONAL);
}

}  // namespace
}  // namespace nearcall::codegen
