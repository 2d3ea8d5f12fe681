// SPDX-License-Identifier: Apache-2.0
// How a call ended, on the wire.
#include "grpc/status_codec.hpp"

#include "base/percent_encoding.hpp"
#include "base/quote.hpp"
#include "grpc/base64.hpp"
#include "grpc/header_name.hpp"
#include "grpc/metadata_codec.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace nearcall::inline v0::detail::grpc {
namespace {

constexpr std::array<std::string_view, 17> code_texts = {
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"};

/// The fields of a trailer block that make up a Status, as they came.
struct StatusFields {
  std::optional<std::string_view> code;
  std::string_view message;
  std::string_view details;
};

StatusFields find_status_fields(std::span<const HeaderView> trailers) {
  StatusFields found;
  for (const HeaderView& field : trailers) {
    switch (header_name(field.name)) {
      case HeaderName::grpc_status:
        found.code = field.value;
        break;
      case HeaderName::grpc_message:
        found.message = field.value;
        break;
      case HeaderName::grpc_status_details:
        found.details = field.value;
        break;
      default:
        break;
    }
  }
  return found;
}

/// The number that a `grpc-status` is, or nothing when it is none.
std::optional<std::uint32_t> parse_code(std::string_view text) {
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

/// UNKNOWN with what is wrong first, and then what the peer said.
Status unknown(std::string what, const std::string& message) {
  if (!message.empty()) what.append(": ").append(message);
  return {StatusCode::unknown, std::move(what)};
}

Status status_of(const StatusFields& fields) {
  const auto number = parse_code(fields.code.value_or(""));
  if (number == 0U) return {};
  std::string message = percent_decode(fields.message);
  if (!fields.code) return unknown("the trailers have no grpc-status", message);
  if (!number) {
    return unknown(quote("malformed grpc-status", *fields.code), message);
  }
  if (*number >= code_texts.size()) {
    return unknown("unknown grpc-status " + std::to_string(*number), message);
  }
  return {static_cast<StatusCode>(*number), std::move(message)};
}

StatusCode code_of_reset(std::uint32_t error_code) {
  switch (error_code) {
    case 0x7:  // REFUSED_STREAM: nothing ran, so it may be tried again
      return StatusCode::unavailable;
    case 0x8:  // CANCEL
      return StatusCode::cancelled;
    case 0xb:  // ENHANCE_YOUR_CALM
      return StatusCode::resource_exhausted;
    case 0xc:  // INADEQUATE_SECURITY
      return StatusCode::permission_denied;
    default:
      return StatusCode::internal;
  }
}

StatusCode code_of_http(int http_status) {
  switch (http_status) {
    case 400:
    case 431:
      return StatusCode::internal;
    case 401:
      return StatusCode::unauthenticated;
    case 403:
      return StatusCode::permission_denied;
    case 404:
      return StatusCode::unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return StatusCode::unavailable;
    default:
      return StatusCode::unknown;
  }
}

void append_message(HeaderBlock& to, std::string_view message) {
  const std::size_t size = percent_encoded_size(message);
  if (size == message.size()) {
    to.add("grpc-message", message);
    return;
  }
  char* const escaped = to.scratch(size);
  percent_encode(message, escaped);
  to.add("grpc-message", {escaped, size});
}

}  // namespace

Status parse_trailers(std::span<const HeaderView> trailers, const MetadataLimits& limits) {
  const StatusFields fields = find_status_fields(trailers);
  Status status = status_of(fields);
  if (status.ok()) return status;
  if (!fields.details.empty()) {
    if (auto details = base64_decode(fields.details)) status.with_details(*std::move(details));
  }
  if (auto metadata = parse_metadata(trailers, limits); metadata && !metadata->empty()) {
    status.with_trailers(*std::move(metadata));
  }
  return status;
}

Status status_from_http(int http_status) {
  return {code_of_http(http_status),
          "HTTP status " + std::to_string(http_status) + " without a grpc-status"};
}

Status status_from_reset(std::uint32_t error_code, std::string_view name) {
  return {code_of_reset(error_code), "the peer reset the stream with " + std::string(name)};
}

void append_trailers(HeaderBlock& to, const Status& status, const Metadata& metadata) {
  const auto number = static_cast<std::size_t>(status.code());
  const auto unknown_number = static_cast<std::size_t>(StatusCode::unknown);
  to.add("grpc-status", code_texts[number < code_texts.size() ? number : unknown_number]);
  if (!status.ok()) {
    if (!status.message().empty()) append_message(to, status.message());
    if (!status.details().empty()) {
      const std::size_t size = base64_encoded_size(status.details().size());
      char* const text = to.scratch(size);
      base64_encode(as_bytes(status.details()), text);
      to.add("grpc-status-details-bin", {text, size});
    }
    append_metadata(to, status.trailers());
  }
  append_metadata(to, metadata);
}

}  // namespace nearcall::inline v0::detail::grpc
