// SPDX-License-Identifier: Apache-2.0
// RequestReader: which call a request's headers ask for, or why it is refused.
#pragma once

#include "connection/head_memory.hpp"
#include "grpc/codec_set.hpp"
#include "grpc/metadata_codec.hpp"
#include "grpc/request_head.hpp"
#include "server/service_registry.hpp"

#include <nearcall/metadata.hpp>
#include <nearcall/result.hpp>

#include <cstddef>
#include <string_view>

namespace nearcall::inline v0::detail {

/// A call that a request asks for. Views of the header list that it was read from.
struct ServedRequest {
  grpc::RequestHead head;
  ServedMethod method;
  Metadata metadata;
  /// What replies may be compressed with.
  grpc::CodecSet::Mask accepted = 0;
};

/// Reads the requests of one connection. Requests for one method begin with the same fields, so
/// what these say is remembered, and a request with nothing else is not looked at again.
///
/// Thread safety: none; its connection's driver's.
class RequestReader {
 public:
  RequestReader(const ServiceRegistry& registry,
                const grpc::MetadataLimits& limits,
                const grpc::CodecSet& codecs = grpc::CodecSet::usual()) noexcept
      : registry_(&registry), codecs_(&codecs), limits_(limits) {}

  /// Good until the next read(); the metadata may be moved out of it.
  Result<ServedRequest*, grpc::Rejection> read(const http2::HeaderList& list);
  /// Gives back what is remembered.
  void trim() noexcept {
    known_.clear();
    current_ = ServedRequest();
  }

 private:
  struct Known {
    grpc::RequestHeadParser parser;
    /// What the fields say of grpc-accept-encoding, and what that comes to.
    std::string_view accept_encoding;
    grpc::CodecSet::Mask accepted = 0;
    bool has_metadata = false;
    /// Whether a list of these fields alone was read: it comes to `whole`.
    bool is_whole = false;
    ServedRequest whole;
  };

  Known* remember(const http2::HeaderList& list);
  Result<ServedMethod, grpc::Rejection> find_method(const grpc::RequestHead& head) const;

  const ServiceRegistry* registry_;
  const grpc::CodecSet* codecs_;
  const grpc::MetadataLimits limits_;
  HeadMemory<Known> known_;
  ServedRequest current_;
};

}  // namespace nearcall::inline v0::detail
