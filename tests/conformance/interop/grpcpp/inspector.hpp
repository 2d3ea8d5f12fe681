// SPDX-License-Identifier: Apache-2.0
// What grpc++ tells its own interop programs: whether the last message that came was compressed.
#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>

/// Of libgrpc, which has no header for it.
std::uint32_t grpc_call_test_only_get_message_flags(grpc_call* call);

namespace grpc::testing {

inline bool was_compressed(grpc_call* call) {
  constexpr std::uint32_t was_compressed_flag = 0x40000000U;  // GRPC_WRITE_INTERNAL_TEST_ONLY_…
  return (grpc_call_test_only_get_message_flags(call) & was_compressed_flag) != 0;
}

// The names that the contexts have as friends.

class InteropClientContextInspector {
 public:
  static bool was_compressed(const ClientContext& context) {
    return testing::was_compressed(context.call_);
  }
};

class InteropServerContextInspector {
 public:
  static bool was_compressed(const ServerContext& context) {
    return testing::was_compressed(context.call_.call);
  }
};

}  // namespace grpc::testing
