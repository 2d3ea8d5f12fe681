// SPDX-License-Identifier: Apache-2.0
// Bytes, to protobuf's streams and from them.
#include <nearcall/generic_message.hpp>

#include <google/protobuf/arena.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/parse_context.h>

#include <limits>

namespace nearcall::inline v0 {

GenericMessage::~GenericMessage() = default;

std::string GenericMessage::GetTypeName() const {
  return "bytes";
}

GenericMessage* GenericMessage::New(google::protobuf::Arena* arena) const {
  return google::protobuf::Arena::Create<GenericMessage>(arena);
}

void GenericMessage::CheckTypeAndMergeFrom(const google::protobuf::MessageLite& other) {
  bytes_ += static_cast<const GenericMessage&>(other).bytes_;
}

/// In one copy where the size is known, as it is of all that comes in a call.
const char* GenericMessage::_InternalParse(const char* begin,
                                           google::protobuf::internal::ParseContext* context) {
  const int size = context->BytesUntilLimit(begin);
  constexpr int most = std::numeric_limits<int>::max() / 2;  // more is said of an open end
  if (size < most) return context->AppendString(begin, size, &bytes_);
  while (!context->Done(&begin))
    bytes_ += *begin++;
  return begin;
}

std::uint8_t* GenericMessage::_InternalSerialize(
    std::uint8_t* to, google::protobuf::io::EpsCopyOutputStream* stream) const {
  return stream->WriteRawMaybeAliased(bytes_.data(), static_cast<int>(bytes_.size()), to);
}

}  // namespace nearcall::inline v0
