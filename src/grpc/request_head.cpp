// SPDX-License-Identifier: Apache-2.0
// The headers that begin a call.
#include "grpc/request_head.hpp"

#include "base/quote.hpp"
#include "grpc/header_name.hpp"
#include "grpc/metadata_codec.hpp"
#include "grpc/status_codec.hpp"
#include "grpc/timeout.hpp"

#include <cstddef>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail::grpc {
namespace {

Failure<Rejection> refuse_http(int http_status, std::string why, HeaderView extra = {}) {
  return Failure(Rejection{http_status, Status(StatusCode::internal, std::move(why)), extra});
}

Failure<Rejection> refuse_call(StatusCode code, std::string why, HeaderView extra = {}) {
  return Failure(Rejection{200, Status(code, std::move(why)), extra});
}

/// Splits the path of `head`; whether it is exactly /service/method.
bool split_path(RequestHead& head) {
  const std::string_view path = head.path;
  if (!path.starts_with('/')) return false;
  const std::size_t slash = path.find('/', 1);
  if (slash == std::string_view::npos) return false;
  head.service = path.substr(1, slash - 1);
  head.method = path.substr(slash + 1);
  return !head.service.empty() && !head.method.empty() &&
         head.method.find('/') == std::string_view::npos;
}

}  // namespace

bool is_method_path(std::string_view path) noexcept {
  RequestHead head;
  head.path = path;
  const auto is_visible = [](char c) { return c > 0x20 && c < 0x7f; };
  return split_path(head) && std::ranges::all_of(path, is_visible);
}

void RequestHeadParser::add(const HeaderView& field) noexcept {
  switch (header_name(field.name)) {
    case HeaderName::method:
      method_ = field.value;
      break;
    case HeaderName::path:
      head_.path = field.value;
      break;
    case HeaderName::scheme:
      head_.scheme = field.value;
      break;
    case HeaderName::authority:
      authority_ = field.value;
      break;
    case HeaderName::host:
      host_ = field.value;
      break;
    case HeaderName::content_type:
      content_type_ = field.value;
      break;
    case HeaderName::grpc_timeout:
      timeout_ = field.value;
      break;
    case HeaderName::grpc_encoding:
      head_.encoding = field.value;
      break;
    case HeaderName::grpc_accept_encoding:
      head_.accept_encoding = field.value;
      break;
    case HeaderName::user_agent:
      head_.user_agent = field.value;
      break;
    default:
      break;
  }
}

Result<RequestHead, Rejection> RequestHeadParser::finish() const {
  if (method_ != "POST") {
    return refuse_http(405, quote("a gRPC request is a POST, not a", method_), {"allow", "POST"});
  }
  const auto subtype = grpc::content_subtype(content_type_);
  if (!subtype) return refuse_http(415, quote("not a gRPC content-type:", content_type_));
  RequestHead head = head_;
  if (!split_path(head)) {
    return refuse_call(StatusCode::unimplemented, quote("path is not /service/method:", head.path));
  }
  if (timeout_) {
    head.timeout = parse_timeout(*timeout_);
    if (!head.timeout) {
      return refuse_call(StatusCode::internal, quote("malformed grpc-timeout", *timeout_));
    }
    if (*head.timeout == Duration::zero()) {
      return refuse_call(StatusCode::deadline_exceeded, "the deadline passed before the call");
    }
  }
  head.content_subtype = *subtype;
  head.authority = authority_.value_or(host_);
  return head;
}

Result<RequestHead, Rejection> parse_request_head(std::span<const HeaderView> fields) {
  RequestHeadParser parser;
  for (const HeaderView& field : fields) {
    parser.add(field);
  }
  return parser.finish();
}

void append_rejection(HeaderBlock& to, const Rejection& rejection) {
  to.add(":status", to.keep(std::to_string(rejection.http_status)));
  to.add("content-type", grpc_content_type);
  if (!rejection.extra.name.empty()) to.add(rejection.extra.name, rejection.extra.value);
  append_trailers(to, rejection.status, Metadata());
}

void append_request_head(HeaderBlock& to, const RequestTarget& target) {
  to.add(":method", "POST");
  to.add(":scheme", target.scheme);
  to.add(":path", target.path);
  to.add(":authority", target.authority);
  to.add("te", "trailers");
  to.add("content-type", grpc_content_type);
  if (!target.user_agent.empty()) to.add("user-agent", target.user_agent);
  if (!target.accept_encoding.empty()) to.add("grpc-accept-encoding", target.accept_encoding);
}

void append_request_call(HeaderBlock& to,
                         std::optional<Duration> timeout,
                         const Metadata& metadata) {
  if (timeout) to.add("grpc-timeout", to.keep(format_timeout(*timeout).view()));
  append_metadata(to, metadata);
}

void append_previous_attempts(HeaderBlock& to, int count) {
  to.add("grpc-previous-rpc-attempts", to.keep(std::to_string(count)));
}

}  // namespace nearcall::inline v0::detail::grpc
