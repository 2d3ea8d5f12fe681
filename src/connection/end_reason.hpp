// SPDX-License-Identifier: Apache-2.0
// EndReason, where connections are: every way in which one can end.
#pragma once

#include <nearcall/observer.hpp>

namespace nearcall::inline v0::detail {

using nearcall::EndReason;

}  // namespace nearcall::inline v0::detail
