// SPDX-License-Identifier: Apache-2.0
// CallObserver: what happens to the calls of a channel, for whoever counts or times them.
#pragma once

#include <nearcall/method.hpp>
#include <nearcall/status.hpp>

namespace nearcall::inline v0::detail {

/// Is told what happens to the calls of a channel, right when it does: must not wait, or ask for
/// anything. Each call that has begun ends, once.
///
/// Thread safety: any thread, several at once; what concerns one call comes in order.
class CallObserver {
 public:
  virtual void on_call_begun(const Method& method) noexcept = 0;
  /// The server did not process it, and it is opened once more.
  virtual void on_call_repeated(const Method& method) noexcept = 0;
  virtual void on_call_ended(const Method& method, const Status& how) noexcept = 0;

 protected:
  ~CallObserver() = default;
};

}  // namespace nearcall::inline v0::detail
