// SPDX-License-Identifier: Apache-2.0
// SettingsExchange: ACKs, and entries.
#include "http2/settings_exchange.hpp"

namespace nearcall::inline v0::detail::http2 {

SettingsExchange::Verdict SettingsExchange::acknowledge() noexcept {
  switch (ours_) {
    case Ours::awaiting:
      ours_ = Ours::settled;
      return {};
    case Ours::unsent:
    case Ours::settled:
      break;
  }
  return connection_error(ErrorCode::protocol_error, "an ACK of no SETTINGS");
}

Result<SettingsExchange::Entry, Violation> SettingsExchange::next() noexcept {
  const Setting setting = load_setting(left_.data());
  left_ = left_.subspan(payload_size::setting);
  const Result<bool, Violation> known = theirs_.apply(setting, role_ == Role::client);
  if (!known) return Failure{known.error()};
  return Entry{setting, *known};
}

}  // namespace nearcall::inline v0::detail::http2
