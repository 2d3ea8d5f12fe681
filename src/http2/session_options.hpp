// SPDX-License-Identifier: Apache-2.0
// SessionOptions: what a session announces, and what it puts up with.
#pragma once

#include "http2/settings.hpp"

#include <nearcall/connection_limits.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace nearcall::inline v0::detail::http2 {

enum class Role : std::uint8_t { client, server };

/// Sized for the memory of one machine: a message of 1 MiB, with what protobuf and gRPC put around
/// it, is one frame and waits for no window.
struct SessionOptions {
  std::uint32_t initial_window_size = (1024 + 64) * 1024;
  std::uint32_t max_frame_size = (1024 + 64) * 1024;
  /// Settings of extensions, announced behind the others. REQUIRES: no id of SettingId.
  std::vector<Setting> extra_settings = {};
  /// Never null. Sessions share them; they are not changed once a session has them.
  std::shared_ptr<ConnectionLimits> limits = std::make_shared<ConnectionLimits>();
};

}  // namespace nearcall::inline v0::detail::http2
