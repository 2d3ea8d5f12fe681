// SPDX-License-Identifier: Apache-2.0
// OutgoingFields: a HeaderBlock of gRPC's as the fields that HTTP/2 sends.
#pragma once

#include "grpc/header_block.hpp"
#include "http2/hpack/header_field.hpp"

#include <span>
#include <vector>

namespace nearcall::inline v0::detail {

/// Header fields that differ from call to call: written by `grpc`, sent by `http2` as literals that
/// nobody remembers. Used again and again; sending is synchronous, so one for each thread will do.
class OutgoingFields {
 public:
  /// The thread's, empty.
  static OutgoingFields& fresh() {
    thread_local OutgoingFields instance;
    instance.block_.clear();
    return instance;
  }

  grpc::HeaderBlock& block() noexcept { return block_; }
  std::span<const http2::HeaderField> fields() {
    fields_.clear();
    for (const HeaderView& field : block_.fields()) {
      fields_.push_back({field.name, field.value, http2::Indexing::without});
    }
    return fields_;
  }
  /// What they count against a peer's limit (RFC 9113 6.5.2).
  std::size_t list_size() const noexcept { return block_.list_size(); }

 private:
  grpc::HeaderBlock block_;
  std::vector<http2::HeaderField> fields_;
};

}  // namespace nearcall::inline v0::detail
