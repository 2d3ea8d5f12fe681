// SPDX-License-Identifier: Apache-2.0
// Codec::gzip(), deflate() and identity().
#include "grpc/zlib_codec.hpp"

#include "base/bytes.hpp"
#include "base/check.hpp"

#include <nearcall/codec.hpp>

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail::grpc {
namespace {

/// How zlib is told what stands around the data.
constexpr int zlib_format = 15;
constexpr int gzip_format = 15 + 16;

uInt clamped(std::size_t size) noexcept {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

Bytef* zlib_bytes(const std::byte* bytes) noexcept {
  return reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes));  // which zlib only reads
}

/// A stream of zlib's, to be used again: making one takes more time than a small message does, 260
/// KiB of memory to compress and 40 KiB to inflate.
class Deflater {
 public:
  explicit Deflater(int format) {
    // The level, the memory and the strategy of other gRPCs.
    const int made =
        deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, format, 8, Z_DEFAULT_STRATEGY);
    CHECK(made == Z_OK, made);
  }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater() { deflateEnd(&stream_); }

  std::size_t compress(ByteSpan message, MutableByteSpan to) noexcept {
    deflateReset(&stream_);
    stream_.next_in = zlib_bytes(message.data());
    stream_.avail_in = clamped(message.size());
    stream_.next_out = zlib_bytes(to.data());
    stream_.avail_out = clamped(to.size());
    if (deflate(&stream_, Z_FINISH) != Z_STREAM_END) return 0;
    return to.size() - stream_.avail_out;
  }

 private:
  z_stream stream_{};
};

class Inflater {
 public:
  Inflater() {
    const int made = inflateInit2(&stream_, zlib_format);
    CHECK(made == Z_OK, made);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }

  Result<void> inflate(ByteSpan compressed, int format, CodecOutput& to) {
    inflateReset2(&stream_, format);
    stream_.next_in = zlib_bytes(compressed.data());
    stream_.avail_in = clamped(compressed.size());
    for (;;) {
      const MutableByteSpan space = to.space();
      if (space.empty()) return {};
      stream_.next_out = zlib_bytes(space.data());
      stream_.avail_out = clamped(space.size());
      const int result = ::inflate(&stream_, Z_NO_FLUSH);
      const bool has_room = stream_.avail_out != 0;
      to.advance(clamped(space.size()) - stream_.avail_out);
      if (result == Z_STREAM_END) return check_end();
      const bool goes_on = result == Z_OK || result == Z_BUF_ERROR;
      if (!goes_on) return broken(result);
      if (has_room && stream_.avail_in == 0) {
        return Status::internal("it is cut off: the end of the data is missing");
      }
    }
  }

 private:
  Result<void> check_end() const {
    if (stream_.avail_in == 0) return {};
    return Status::internal(std::to_string(stream_.avail_in) + " bytes stand behind its end");
  }
  Result<void> broken(int result) const {
    if (stream_.msg != nullptr) return Status::internal(stream_.msg);
    return Status::internal(result == Z_NEED_DICT ? "it needs a dictionary" : "zlib refused it");
  }

  z_stream stream_{};
};

/// What one thread keeps.
struct Streams {
  std::unique_ptr<Deflater> gzip;
  std::unique_ptr<Deflater> zlib;
  std::unique_ptr<Inflater> inflater;
  bool was_used = false;  // since the last trim_unused_zlib()
};

Streams& streams() noexcept {
  thread_local Streams kept;
  return kept;
}

class ZlibCodec final : public Codec {
 public:
  ZlibCodec(std::string_view name, int format) noexcept : name_(name), format_(format) {}

  std::string_view name() const noexcept override { return name_; }
  std::size_t compress(ByteSpan message, MutableByteSpan to) const override {
    Streams& kept = streams();
    kept.was_used = true;
    std::unique_ptr<Deflater>& deflater = format_ == gzip_format ? kept.gzip : kept.zlib;
    if (deflater == nullptr) deflater = std::make_unique<Deflater>(format_);
    return deflater->compress(message, to);
  }
  Result<void> inflate(ByteSpan compressed, CodecOutput& to) const override {
    Streams& kept = streams();
    kept.was_used = true;
    if (kept.inflater == nullptr) kept.inflater = std::make_unique<Inflater>();
    return kept.inflater->inflate(compressed, format_, to);
  }

 private:
  const std::string_view name_;
  const int format_;
};

class IdentityCodec final : public Codec {
 public:
  IdentityCodec() noexcept = default;
  std::string_view name() const noexcept override { return "identity"; }
  std::size_t compress(ByteSpan /*message*/, MutableByteSpan /*to*/) const override { return 0; }
  Result<void> inflate(ByteSpan /*compressed*/, CodecOutput& /*to*/) const override {
    return Status::internal("identity has no compressed form");
  }
};

}  // namespace

void trim_unused_zlib() noexcept {
  Streams& kept = streams();
  if (!std::exchange(kept.was_used, false)) kept = Streams();
}

int kept_zlib_streams() noexcept {
  const Streams& kept = streams();
  return (kept.gzip != nullptr ? 1 : 0) + (kept.zlib != nullptr ? 1 : 0) +
         (kept.inflater != nullptr ? 1 : 0);
}

}  // namespace nearcall::inline v0::detail::grpc

namespace nearcall::inline v0 {

const Codec& Codec::identity() noexcept {
  static const detail::grpc::IdentityCodec only;
  return only;
}

const Codec& Codec::gzip() noexcept {
  static const detail::grpc::ZlibCodec only("gzip", detail::grpc::gzip_format);
  return only;
}

const Codec& Codec::deflate() noexcept {
  static const detail::grpc::ZlibCodec only("deflate", detail::grpc::zlib_format);
  return only;
}

}  // namespace nearcall::inline v0
