// SPDX-License-Identifier: Apache-2.0
// Metadata: the headers or trailers of a call, in order, with repeated keys.
#pragma once

#include <nearcall/result.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// The headers or trailers of a call that the application sees: an ordered list of key and value,
/// where a key may stand more than once (gRPC: PROTOCOL-HTTP2.md, "Custom-Metadata").
///
/// Keys are lower case: `0-9 a-z _ - .`. A key that ends in `-bin` holds arbitrary bytes (base64 on
/// the wire, never seen here); any other value is printable ASCII, 0x20 to 0x7e. Keys that start
/// with `grpc-` or `:`, and the HTTP/2 and gRPC headers `te`, `content-type`, `user-agent`, `host`,
/// `connection` and the like, belong to the protocol and cannot be added, but for what gRPC has of
/// retries: `grpc-retry-pushback-ms` and `grpc-previous-rpc-attempts`. What a peer sends keeps
/// to the same rules: the protocol's keys are left out, and any other offence ends the one call
/// (INTERNAL).
///
/// A value. Thread safety: as a std::vector.
class Metadata {
 public:
  /// One key and one of its values.
  class Entry {
   public:
    Entry(std::string key, std::string value) : key_(std::move(key)), value_(std::move(value)) {}
    const std::string& key() const noexcept { return key_; }
    const std::string& value() const noexcept { return value_; }
    friend bool operator==(const Entry&, const Entry&) = default;

   private:
    std::string key_;
    std::string value_;
  };

  Metadata() = default;

  /// Appends an entry; the key is lowered first. A key or value outside the rules above, or longer
  /// than 64 MiB, fails with INVALID_ARGUMENT and names what is wrong with it; nothing is added
  /// then. (A peer takes far less: ConnectionLimits::max_header_list_size.)
  Result<void> add(std::string_view key, std::string_view value);

  /// The first value of `key`, which is lowered first, or nothing. Valid until the metadata
  /// changes.
  std::optional<std::string_view> get(std::string_view key) const noexcept;
  /// All values of `key`, which is lowered first, in order. Valid until the metadata changes.
  std::vector<std::string_view> get_all(std::string_view key) const;

  // As of a container of entries, in order.

  bool empty() const noexcept { return entries_.empty(); }
  std::size_t size() const noexcept { return entries_.size(); }
  auto begin() const noexcept { return entries_.begin(); }
  auto end() const noexcept { return entries_.end(); }
  void clear() noexcept { entries_.clear(); }

  friend bool operator==(const Metadata&, const Metadata&) = default;

 private:
  friend detail::Access;

  std::vector<Entry> entries_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
