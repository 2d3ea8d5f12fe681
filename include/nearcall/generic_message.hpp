// SPDX-License-Identifier: Apache-2.0
// GenericMessage: the bytes of a message, whatever its type.
#pragma once

#include <nearcall/version.hpp>

#include <google/protobuf/message_lite.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// A message of a generic call (GenericStub, GenericService): its bytes as they are sent, which
/// nobody parses.
///
///     GenericMessage request(hello.SerializeAsString());
///     reply.ParseFromString(answer.bytes());
///
/// Where the library asks for a protobuf message it is one, of no type: what goes in and out are
/// bytes(). One that comes is copied once, from the buffer that it came into; a large one that is
/// sent leaves from where it lies, once its writer need not keep it.
///
/// A value. Thread safety: as a std::string.
class GenericMessage final : public google::protobuf::MessageLite {
 public:
  GenericMessage() = default;
  explicit GenericMessage(std::string bytes) noexcept : bytes_(std::move(bytes)) {}
  GenericMessage(const GenericMessage& other) : MessageLite(), bytes_(other.bytes_) {}
  GenericMessage(GenericMessage&& other) noexcept
      : MessageLite(), bytes_(std::move(other.bytes_)) {}
  GenericMessage& operator=(const GenericMessage& other) {
    bytes_ = other.bytes_;
    return *this;
  }
  GenericMessage& operator=(GenericMessage&& other) noexcept {
    bytes_ = std::move(other.bytes_);
    return *this;
  }
  ~GenericMessage() override;

  const std::string& bytes() const noexcept { return bytes_; }
  /// To be changed, or moved from.
  std::string& bytes() noexcept { return bytes_; }

  friend bool operator==(const GenericMessage& a, const GenericMessage& b) noexcept {
    return a.bytes_ == b.bytes_;
  }

  // google::protobuf::MessageLite

  std::string GetTypeName() const override;
  using MessageLite::New;
  GenericMessage* New(google::protobuf::Arena* arena) const override;
  void Clear() override { bytes_.clear(); }
  bool IsInitialized() const override { return true; }
  /// Appends, as protobuf merges what is serialised. REQUIRES: `other` is a GenericMessage.
  void CheckTypeAndMergeFrom(const google::protobuf::MessageLite& other) override;
  std::size_t ByteSizeLong() const override { return bytes_.size(); }
  int GetCachedSize() const override { return static_cast<int>(bytes_.size()); }
  const char* _InternalParse(const char* begin,
                             google::protobuf::internal::ParseContext* context) override;
  std::uint8_t* _InternalSerialize(
      std::uint8_t* to, google::protobuf::io::EpsCopyOutputStream* stream) const override;

 private:
  std::string bytes_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
