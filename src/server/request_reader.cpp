// SPDX-License-Identifier: Apache-2.0
// From a request's headers to the method that serves it.
#include "server/request_reader.hpp"

#include "base/quote.hpp"

#include <utility>

namespace nearcall::inline v0::detail {

Result<ServedRequest*, grpc::Rejection> RequestReader::read(const http2::HeaderList& list) {
  Known* const known = remember(list);
  const bool is_head_alone = known != nullptr && list.size() == list.head_count();
  if (is_head_alone && known->is_whole) return &known->whole;

  const std::size_t seen = known != nullptr ? list.head_count() : 0;
  grpc::RequestHeadParser parser = known != nullptr ? known->parser : grpc::RequestHeadParser();
  for (const HeaderView& field : list.fields().subspan(seen)) {
    parser.add(field);
  }
  Result<grpc::RequestHead, grpc::Rejection> head = parser.finish();
  if (!head) return Failure{std::move(head).error()};
  const Result<ServedMethod, grpc::Rejection> method = find_method(*head);
  if (!method) return Failure{method.error()};
  const bool is_metadata_behind = known != nullptr && !known->has_metadata;
  Result<Metadata> metadata =
      grpc::parse_metadata(list.fields().subspan(is_metadata_behind ? seen : 0), limits_);
  if (!metadata) {
    grpc::Rejection rejection;
    rejection.status = std::move(metadata).error();
    return Failure{std::move(rejection)};
  }
  // The same view: what is behind the known fields says nothing else.
  const std::string_view accept = head->accept_encoding;
  const bool is_known = known != nullptr && accept.data() == known->accept_encoding.data();
  const grpc::CodecSet::Mask accepted = is_known ? known->accepted : codecs_->read_accepted(accept);
  current_ = {*head, *method, *std::move(metadata), accepted};
  if (is_head_alone && !known->has_metadata) {
    known->whole = current_;
    known->is_whole = true;
  }
  return &current_;
}

/// What is known of the fields that the list begins with; null where they are not repeated.
RequestReader::Known* RequestReader::remember(const http2::HeaderList& list) {
  if (list.head_token() == 0) return nullptr;
  if (Known* const known = known_.find(list)) return known;
  Known known;
  const std::span<const HeaderView> head = list.fields().first(list.head_count());
  for (const HeaderView& field : head) {
    known.parser.add(field);
  }
  known.accept_encoding = known.parser.accept_encoding();
  known.accepted = codecs_->read_accepted(known.accept_encoding);
  known.has_metadata = grpc::has_metadata(head);
  return &known_.keep(list, std::move(known));
}

Result<ServedMethod, grpc::Rejection> RequestReader::find_method(
    const grpc::RequestHead& head) const {
  const ServedMethod method = registry_->find(head.path);
  if (method.handler != nullptr) return method;
  const bool has_service = registry_->has_service(head.service);
  grpc::Rejection rejection;
  rejection.status = Status::unimplemented(has_service ? quote("unknown method", head.path)
                                                       : quote("unknown service", head.service));
  return Failure{std::move(rejection)};
}

}  // namespace nearcall::inline v0::detail
