// SPDX-License-Identifier: Apache-2.0
// Protocol: the names of codes and frame types, and the shape of a violation.
#include "http2/protocol.hpp"

#include "http2/violation.hpp"

#include <gtest/gtest.h>

namespace nearcall::inline v0::detail::http2 {
namespace {

TEST(Protocol, NamesErrorCodesAsTheRfcDoes) {
  EXPECT_EQ(to_string(ErrorCode::no_error), "NO_ERROR");
  EXPECT_EQ(to_string(ErrorCode::compression_error), "COMPRESSION_ERROR");
  EXPECT_EQ(to_string(ErrorCode::http_1_1_required), "HTTP_1_1_REQUIRED");
}

TEST(Protocol, NamesFrameTypesAsTheRfcDoes) {
  EXPECT_EQ(to_string(FrameType::data), "DATA");
  EXPECT_EQ(to_string(FrameType::rst_stream), "RST_STREAM");
  EXPECT_EQ(to_string(FrameType::continuation), "CONTINUATION");
}

TEST(Protocol, CallsValuesWithoutANameUnknown) {
  EXPECT_EQ(to_string(static_cast<ErrorCode>(0xe)), "UNKNOWN");
  EXPECT_EQ(to_string(static_cast<FrameType>(0xa)), "UNKNOWN");
}

TEST(Protocol, DescribesAnErrorCodeByItsNameOrElseItsNumber) {
  EXPECT_EQ(describe(ErrorCode::no_error), "NO_ERROR");
  EXPECT_EQ(describe(ErrorCode::http_1_1_required), "HTTP_1_1_REQUIRED");
  EXPECT_EQ(describe(static_cast<ErrorCode>(0xe)), "error code 14");
  EXPECT_EQ(describe(static_cast<ErrorCode>(0xffff'ffff)), "error code 4294967295");
}

TEST(Violation, IsOfAConnectionOrOfAStream) {
  const Result<void, Violation> connection =
      connection_error(ErrorCode::frame_size_error, "too long");
  const Result<int, Violation> stream = stream_error(ErrorCode::stream_closed, "DATA after end");

  ASSERT_FALSE(connection);
  EXPECT_TRUE(connection.error().is_connection_error());
  EXPECT_EQ(connection.error().code, ErrorCode::frame_size_error);
  ASSERT_FALSE(stream);
  EXPECT_FALSE(stream.error().is_connection_error());
  EXPECT_EQ(stream.error().what, "DATA after end");
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
