// SPDX-License-Identifier: Apache-2.0
// ZstdCodec: zstd for nearcall, to copy.
#pragma once

#include <nearcall/codec.hpp>

#include <zstd.h>

#include <memory>

class ZstdCodec final : public nearcall::Codec {
 public:
  std::string_view name() const noexcept override { return "zstd"; }

  std::size_t compress(std::span<const std::byte> message, std::span<std::byte> to) const override {
    const std::size_t size =
        ZSTD_compressCCtx(compressing(), to.data(), to.size(), message.data(), message.size(), 3);
    return ZSTD_isError(size) != 0 ? 0 : size;
  }

  nearcall::Result<void> inflate(std::span<const std::byte> compressed,
                                 nearcall::CodecOutput& to) const override {
    ZSTD_DCtx_reset(inflating(), ZSTD_reset_session_only);
    ZSTD_inBuffer in{compressed.data(), compressed.size(), 0};
    for (std::size_t left = 1; left != 0;) {
      const std::span<std::byte> space = to.space();
      if (space.empty()) return {};  // the message is larger than its reader takes
      ZSTD_outBuffer out{space.data(), space.size(), 0};
      const std::size_t before = in.pos;
      left = ZSTD_decompressStream(inflating(), &out, &in);
      if (ZSTD_isError(left) != 0) return nearcall::Status::internal(ZSTD_getErrorName(left));
      to.advance(out.pos);
      if (left != 0 && in.pos == before && out.pos == 0)
        return nearcall::Status::internal("it is cut off");
    }
    if (in.pos == in.size) return {};
    return nearcall::Status::internal("something stands behind its end");
  }

 private:
  // Contexts are worth keeping: one for each thread.
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  static ZSTD_CCtx* compressing() {
    thread_local const std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
    return context.get();
  }
  static ZSTD_DCtx* inflating() {
    thread_local const std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
    return context.get();
  }
};
