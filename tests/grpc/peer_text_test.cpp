// SPDX-License-Identifier: Apache-2.0
// Each Status that quotes what a peer sent: escaped, and of a bounded length.
#include "grpc/message_encoding.hpp"
#include "grpc/metadata_codec.hpp"
#include "grpc/request_head.hpp"
#include "grpc/response_head.hpp"
#include "grpc/status_codec.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail::grpc {
namespace {

using Fields = std::vector<HeaderView>;

Fields with(Fields fields, std::string_view name, std::string_view value) {
  for (HeaderView& field : fields) {
    if (field.name == name) field.value = value;
  }
  return fields;
}

Status of_request(std::string_view name, std::string_view value) {
  const auto head = parse_request_head(with({{":method", "POST"},
                                             {":path", "/pkg.Service/Method"},
                                             {"content-type", "application/grpc"},
                                             {"grpc-timeout", "1S"}},
                                            name, value));
  return head ? Status() : head.error().status;
}

Status of_response(std::string_view name, std::string_view value) {
  return parse_response_head(
             with({{":status", "200"}, {"content-type", "application/grpc"}}, name, value),
             /*end_stream=*/false, MetadataLimits())
      .status;
}

Status of_trailers(std::string_view name, std::string_view value) {
  return parse_trailers(with({{"grpc-status", "0"}}, name, value), MetadataLimits());
}

Status of_metadata_key(std::string_view /*name*/, std::string_view key) {
  const auto metadata = parse_metadata(Fields{{key, "value"}}, MetadataLimits());
  return metadata ? Status() : metadata.error();
}

Status of_encoding_of_request(std::string_view /*name*/, std::string_view encoding) {
  return unknown_request_encoding(encoding, "identity");
}
Status of_encoding_of_reply(std::string_view /*name*/, std::string_view encoding) {
  return unknown_reply_encoding(encoding, "identity");
}

struct Quoted {
  Status (*status)(std::string_view name, std::string_view value);
  std::string_view field;
};
const Quoted quoted[] = {
    {of_request, ":method"},
    {of_request, ":path"},
    {of_request, "content-type"},
    {of_request, "grpc-timeout"},
    {of_response, ":status"},
    {of_response, "content-type"},
    {of_trailers, "grpc-status"},
    {of_metadata_key, "key"},
    {of_encoding_of_request, "grpc-encoding"},
    {of_encoding_of_reply, "grpc-encoding"},
};

TEST(PeerText, IsEscapedWhereAStatusQuotesIt) {
  for (const Quoted& row : quoted) {
    const std::string message = row.status(row.field, "\x1b[31m\xff\xc2\x9b").message();

    EXPECT_NE(message.find(R"("\x1b[31m\xff\xc2\x9b")"), std::string::npos)
        << row.field << ": " << message;
  }
}

TEST(PeerText, IsCutWhereAStatusQuotesIt) {
  const std::string text(100'000, '\x1b');
  for (const Quoted& row : quoted) {
    const std::string message = row.status(row.field, text).message();

    EXPECT_NE(message.find("\\x1b...\""), std::string::npos) << row.field << ": " << message;
    EXPECT_LT(message.size(), 250U) << row.field;
  }
}

TEST(PeerText, AGrpcMessageIsTheUsersDataAndOnlyEscapedWhenItIsPrinted) {
  const Status status = parse_trailers(
      Fields{{"grpc-status", "5"}, {"grpc-message", "cut%00here%1b[31m%C3%BC"}}, MetadataLimits());

  EXPECT_EQ(status.message(), std::string("cut\0here\x1b[31m\xc3\xbc", 15));
  EXPECT_EQ(status.to_string(), "NOT_FOUND: cut\\x00here\\x1b[31m\xc3\xbc");
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
