// SPDX-License-Identifier: Apache-2.0
// What a connection tells the server of its calls.
#include "server/call_host.hpp"

#include <string>

namespace nearcall::inline v0::detail {

void CallHost::report_load() noexcept {
  // What handlers have stays until they return.
  const std::size_t input = pump_->has_ended() ? held_messages_ : input_size();
  const std::size_t output = pump_->has_ended() ? 0 : session().buffered_output();
  noted_input_ = in_units(input);
  noted_output_ = in_units(output);
  place().report(input, output);
}

void CallHost::note_reset(const http2::ResetEvent& event) {
  if (event.cause == http2::ResetEvent::Cause::violation) log_fault(event.what);
}

void CallHost::log_left_out(std::string_view method, const char* what) {
  log_fault(std::string(method) + ": " + what + " left out of an answer of more than " +
            std::to_string(session().max_sent_header_list_size()) +
            " bytes (max_sent_header_list_size, or the client's)");
}

}  // namespace nearcall::inline v0::detail
