// SPDX-License-Identifier: Apache-2.0
// QuietProtobuf: a peer's wrong messages write no lines of libprotobuf's.
#include "connection/quiet_protobuf.hpp"

#include "support/messages.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#if __has_include(<google/protobuf/stubs/logging.h>)

namespace nearcall::test {
namespace {

class QuietProtobufTest : public testing::Test {
 protected:
  QuietProtobufTest() : before_(google::protobuf::SetLogHandler(&count)) { lines_ = 0; }
  ~QuietProtobufTest() override { google::protobuf::SetLogHandler(before_); }

  static void parse_what_is_no_utf8() {
    Text text;
    EXPECT_FALSE(text.ParseFromString("\x0a\x01\xff"));
  }
  static int lines() { return lines_; }

 private:
  static void count(google::protobuf::LogLevel /*level*/,
                    const char* /*file*/,
                    int /*line*/,
                    const std::string& /*message*/) {
    ++lines_;
  }

  static inline int lines_ = 0;
  google::protobuf::LogHandler* before_;
};

TEST_F(QuietProtobufTest, WritesNoLineOfWhatCannotBeParsed) {
  const detail::QuietProtobuf quiet;

  parse_what_is_no_utf8();

  EXPECT_EQ(lines(), 0);
}

TEST_F(QuietProtobufTest, IsQuietNoLongerThanItIsWanted) {
  std::optional<detail::QuietProtobuf> quiet(std::in_place);
  quiet.reset();

  parse_what_is_no_utf8();

  EXPECT_EQ(lines(), 1);
}

}  // namespace
}  // namespace nearcall::test

#endif
