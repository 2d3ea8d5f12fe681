// SPDX-License-Identifier: Apache-2.0
// The headers that begin a response.
#include "grpc/response_head.hpp"

#include "base/quote.hpp"
#include "grpc/content_type.hpp"
#include "grpc/header_name.hpp"
#include "grpc/metadata_codec.hpp"
#include "grpc/status_codec.hpp"

#include <string>
#include <utility>

namespace nearcall::inline v0::detail::grpc {
namespace {

/// The fields that decide what a response is, as they came.
struct ResponseFields {
  std::string_view http_status;
  std::string_view content_type;
  std::string_view encoding;
  bool has_grpc_status = false;
};

ResponseFields find_response_fields(std::span<const HeaderView> fields) {
  ResponseFields found;
  for (const HeaderView& field : fields) {
    switch (header_name(field.name)) {
      case HeaderName::status:
        found.http_status = field.value;
        break;
      case HeaderName::content_type:
        found.content_type = field.value;
        break;
      case HeaderName::grpc_encoding:
        found.encoding = field.value;
        break;
      case HeaderName::grpc_status:
        found.has_grpc_status = true;
        break;
      default:
        break;
    }
  }
  return found;
}

/// 100 to 999, or 0 when `text` is no HTTP status.
int parse_http_status(std::string_view text) {
  if (text.size() != 3 || text[0] == '0') return 0;
  int number = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return 0;
    number = number * 10 + (digit - '0');
  }
  return number;
}

ResponseHead refused(int http_status, Status status) {
  return {ResponseHead::Kind::refused, http_status, {}, std::move(status), {}};
}

ResponseHead refused(int http_status, StatusCode code, std::string why) {
  return refused(http_status, Status(code, std::move(why)));
}

}  // namespace

ResponseHead parse_response_head(std::span<const HeaderView> fields,
                                 bool end_stream,
                                 const MetadataLimits& limits) {
  const ResponseFields found = find_response_fields(fields);
  const int http_status = parse_http_status(found.http_status);
  if (http_status == 0) {
    return refused(0, StatusCode::internal, quote("malformed :status", found.http_status));
  }
  if (http_status < 200 && !end_stream)
    return {ResponseHead::Kind::interim, http_status, {}, {}, {}};
  if (end_stream && found.has_grpc_status) {
    return {ResponseHead::Kind::ended, http_status, {}, parse_trailers(fields, limits), {}};
  }
  if (end_stream || http_status != 200) return refused(http_status, status_from_http(http_status));
  const auto subtype = content_subtype(found.content_type);
  if (!subtype) {
    return refused(http_status, StatusCode::unknown,
                   quote("not a gRPC content-type:", found.content_type));
  }
  return {ResponseHead::Kind::begun, http_status, *subtype, {}, found.encoding};
}

void append_trailers_only(HeaderBlock& to, const Status& status, const Metadata& metadata) {
  to.add(":status", "200");
  to.add("content-type", grpc_content_type);
  append_trailers(to, status, metadata);
}

}  // namespace nearcall::inline v0::detail::grpc
