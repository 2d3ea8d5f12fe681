// SPDX-License-Identifier: Apache-2.0
// Settings: checking the peer's values (RFC 9113 section 6.5.2).
#include "http2/settings.hpp"

namespace nearcall::inline v0::detail::http2 {

Result<bool, Violation> PeerSettings::apply(Setting setting, bool we_are_client) noexcept {
  switch (setting.id) {
    case SettingId::header_table_size:
      header_table_size = setting.value;
      return true;
    case SettingId::enable_push:
      if (setting.value > 1) {
        return connection_error(ErrorCode::protocol_error, "SETTINGS_ENABLE_PUSH above 1");
      }
      if (we_are_client && setting.value == 1) {
        return connection_error(ErrorCode::protocol_error, "SETTINGS_ENABLE_PUSH 1 from a server");
      }
      return true;
    case SettingId::max_concurrent_streams:
      max_concurrent_streams = setting.value;
      return true;
    case SettingId::initial_window_size:
      if (setting.value > max_window_size) {
        return connection_error(ErrorCode::flow_control_error,
                                "SETTINGS_INITIAL_WINDOW_SIZE above 2^31-1");
      }
      initial_window_size = setting.value;
      return true;
    case SettingId::max_frame_size:
      if (setting.value < min_max_frame_size || setting.value > max_max_frame_size) {
        return connection_error(ErrorCode::protocol_error,
                                "SETTINGS_MAX_FRAME_SIZE outside 2^14 to 2^24-1");
      }
      max_frame_size = setting.value;
      return true;
    case SettingId::max_header_list_size:
      max_header_list_size = setting.value;
      return true;
    case SettingId::enable_connect_protocol:
    case SettingId::no_rfc7540_priorities:
      // Nothing that we use: extended CONNECT and priorities.
      return setting.value <= 1
                 ? Result<bool, Violation>(true)
                 : connection_error(ErrorCode::protocol_error, "a SETTINGS flag above 1");
  }
  return false;
}

}  // namespace nearcall::inline v0::detail::http2
