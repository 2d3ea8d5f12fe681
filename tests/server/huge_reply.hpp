// SPDX-License-Identifier: Apache-2.0
// HugeReply: a message that is too large to be sent.
#pragma once

#include <google/protobuf/message_lite.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

namespace nearcall::test {

/// A reply that says that it is larger than any message can be.
class HugeReply final : public google::protobuf::MessageLite {
 public:
  HugeReply() = default;
  HugeReply(const HugeReply& /*other*/) : MessageLite() {}
  HugeReply& operator=(const HugeReply& /*other*/) { return *this; }
  std::string GetTypeName() const override { return "test.HugeReply"; }
  MessageLite* New(google::protobuf::Arena* /*arena*/) const override { return new HugeReply; }
  void Clear() override {}
  bool IsInitialized() const override { return true; }
  void CheckTypeAndMergeFrom(const MessageLite& /*other*/) override {}
  std::size_t ByteSizeLong() const override { return std::size_t{3} << 30U; }
  int GetCachedSize() const override { return std::numeric_limits<int>::max(); }
  std::uint8_t* _InternalSerialize(std::uint8_t* to,
                                   google::protobuf::io::EpsCopyOutputStream*) const override {
    ADD_FAILURE() << "was serialised";
    return to;
  }
};

}  // namespace nearcall::test
