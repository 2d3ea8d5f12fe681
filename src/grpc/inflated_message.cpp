// SPDX-License-Identifier: Apache-2.0
// Inflating into pieces, none of which is moved, and parsing from them.
#include "grpc/inflated_message.hpp"

#include "base/check.hpp"

#include <google/protobuf/io/zero_copy_stream.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <limits>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail::grpc {
namespace {

/// A codec may be the program's own: what it throws would leave through a connection's driver.
Result<void> try_inflate(const Codec& codec, ByteSpan compressed, CodecOutput& to) noexcept {
  try {
    return codec.inflate(compressed, to);
  } catch (const std::exception& error) {
    return Status::internal(std::string("the codec threw: ") + error.what());
  } catch (...) {
    return Status::internal("the codec threw");
  }
}

/// Pieces of bytes, one after the other.
template <class Piece>
class PiecesInput final : public google::protobuf::io::ZeroCopyInputStream {
 public:
  explicit PiecesInput(const std::vector<Piece>& pieces) noexcept : pieces_(&pieces) {}

  bool Next(const void** data, int* size) override {
    while (index_ < pieces_->size() && begin_ == (*pieces_)[index_].size) {
      ++index_;
      begin_ = 0;
    }
    if (index_ == pieces_->size()) return false;
    const Piece& piece = (*pieces_)[index_];
    *data = piece.block.data() + begin_;
    *size = static_cast<int>(piece.size - begin_);
    count_ += *size;
    begin_ = piece.size;
    return true;
  }
  void BackUp(int count) override {
    begin_ -= static_cast<std::size_t>(count);
    count_ -= count;
  }
  bool Skip(int count) override {
    const void* data = nullptr;
    int size = 0;
    while (count > 0) {
      if (!Next(&data, &size)) return false;
      if (size > count) BackUp(size - count);
      count -= std::min(size, count);
    }
    return true;
  }
  std::int64_t ByteCount() const override { return count_; }

 private:
  const std::vector<Piece>* pieces_;
  std::size_t index_ = 0;
  std::size_t begin_ = 0;
  std::int64_t count_ = 0;
};

}  // namespace

Status InflatedMessage::inflate(const Codec& codec, ByteSpan compressed) {
  expected_ = 4 * compressed.size();
  const Result<void> inflated = try_inflate(codec, compressed, *this);
  if (size_ > max_) {
    return Status::resource_exhausted("message of " + std::to_string(compressed.size()) +
                                      " bytes of " + std::string(codec.name()) +
                                      " inflates to more than the receive limit of " +
                                      std::to_string(max_) + " bytes");
  }
  if (inflated) return Status();
  return Status::internal("message of " + std::to_string(compressed.size()) + " bytes is no " +
                          std::string(codec.name()) + ": " +
                          std::string(inflated.error().message()));
}

/// One byte more than the limit shows that a message is over it.
MutableByteSpan InflatedMessage::space() {
  const std::size_t most = max_ == std::numeric_limits<std::size_t>::max() ? max_ : max_ + 1;
  if (size_ == capacity_ && size_ < most) {
    std::size_t room = size_ == 0 ? std::max(first_block, expected_) : size_;
    room = std::min({room, most - size_, max_parsed});
    pieces_.push_back({HeapBlock(room), 0});
    capacity_ += room;
  }
  offered_ = capacity_ - size_;
  if (offered_ == 0) return {};
  Piece& last = pieces_.back();
  return {last.block.data() + last.size, offered_};
}

void InflatedMessage::advance(std::size_t count) {
  CHECK(count <= offered_, count, offered_);
  offered_ = 0;
  if (count == 0) return;
  pieces_.back().size += count;
  size_ += count;
}

bool InflatedMessage::parse(google::protobuf::MessageLite& into) const {
  if (size_ > max_parsed) return false;
  if (pieces_.size() <= 1) {
    const std::byte* const data = pieces_.empty() ? nullptr : pieces_.front().block.data();
    return into.ParseFromArray(data, static_cast<int>(size_));
  }
  PiecesInput<Piece> input(pieces_);
  return into.ParseFromBoundedZeroCopyStream(&input, static_cast<int>(size_));
}

}  // namespace nearcall::inline v0::detail::grpc
