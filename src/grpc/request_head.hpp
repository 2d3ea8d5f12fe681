// SPDX-License-Identifier: Apache-2.0
// The headers that begin a call: written by the client, checked and read by the server.
#pragma once

#include "base/clock.hpp"
#include "base/header_view.hpp"
#include "grpc/content_type.hpp"
#include "grpc/header_block.hpp"

#include <nearcall/metadata.hpp>
#include <nearcall/result.hpp>
#include <nearcall/status.hpp>

#include <optional>
#include <span>
#include <string_view>

namespace nearcall::inline v0::detail::grpc {

/// What a request's headers say, apart from its metadata (see parse_metadata()). Views of the
/// header list that it was read from; empty where the client said nothing.
struct RequestHead {
  std::string_view path;     ///< "/package.Service/Method", exactly as it came
  std::string_view service;  ///< "package.Service", a part of path
  std::string_view method;   ///< "Method", a part of path
  /// `:authority`, else `host`, exactly as it came: any client may put anything here.
  std::string_view authority;
  std::string_view scheme;
  std::string_view content_subtype;  ///< "proto" in "application/grpc+proto"
  std::string_view encoding;  ///< of its compressed messages, known or not; often there are none
  std::string_view accept_encoding;
  std::string_view user_agent;
  std::optional<Duration> timeout;
};

/// Why a request is refused before any handler sees it, and how it is answered: with one block of
/// headers that also ends the stream (append_rejection()).
struct Rejection {
  /// 200, or what tells a client that does not speak gRPC: 405, 415.
  int http_status = 200;
  Status status;
  /// One more header of the answer, of constants; no name, no header.
  HeaderView extra;
};

/// Whether `path` is what a client may send as the name of a method: "/package.Service/Method", of
/// visible ASCII characters.
bool is_method_path(std::string_view path) noexcept;

/// Reads a request's headers one at a time. A cheap value: a copy made after the headers that all
/// calls of a method share can be finished with those of each call. Where a header stands twice,
/// the last one counts; that pseudo-headers do not is HTTP/2's business.
class RequestHeadParser {
 public:
  void add(const HeaderView& field) noexcept;

  /// The head, or why the request is refused: not POST (405), not gRPC (415), a path that is not
  /// exactly /service/method (UNIMPLEMENTED), a timeout that is none (INTERNAL) or zero
  /// (DEADLINE_EXCEEDED). A missing `te` is tolerated.
  Result<RequestHead, Rejection> finish() const;
  std::string_view accept_encoding() const noexcept { return head_.accept_encoding; }

 private:
  RequestHead head_;
  std::string_view method_;
  std::string_view content_type_;
  std::string_view host_;
  std::optional<std::string_view> authority_;
  std::optional<std::string_view> timeout_;
};

/// Reads all of a request's headers.
Result<RequestHead, Rejection> parse_request_head(std::span<const HeaderView> fields);

/// Appends the whole answer to a refused request, which must live until `to` is encoded. The block
/// ends the stream.
void append_rejection(HeaderBlock& to, const Rejection& rejection);

/// How many attempts of the call came before this one (gRFC A6).
void append_previous_attempts(HeaderBlock& to, int count);

/// What the requests for one method have in common.
struct RequestTarget {
  std::string_view path;  ///< "/package.Service/Method"
  std::string_view authority = "localhost";
  std::string_view scheme = "http";
  std::string_view user_agent = {};
  std::string_view accept_encoding = "identity";
};

/// Appends the headers that all requests for `target` share, always in the same order: the part of
/// the block that compresses to the same few bytes. Views of `target`'s strings.
void append_request_head(HeaderBlock& to, const RequestTarget& target);

/// Appends what differs from call to call, after append_request_head(): `grpc-timeout`, if there is
/// a timeout, and the metadata.
void append_request_call(HeaderBlock& to,
                         std::optional<Duration> timeout,
                         const Metadata& metadata);

}  // namespace nearcall::inline v0::detail::grpc
