// SPDX-License-Identifier: Apache-2.0
// CallForm: for tests of what clients can do in two forms.
#pragma once

#include <ostream>

namespace nearcall::test {

enum class CallForm { blocking, awaited };

inline void PrintTo(CallForm form, std::ostream* out) {
  *out << (form == CallForm::awaited ? "Awaited" : "Blocking");
}

}  // namespace nearcall::test
