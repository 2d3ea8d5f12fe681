// SPDX-License-Identifier: Apache-2.0
// What a thread keeps of zlib between messages.
#pragma once

namespace nearcall::inline v0::detail::grpc {

/// Frees the streams of zlib that this thread keeps, if none was used since the last call, for
/// whoever calls it now and then.
void trim_unused_zlib() noexcept;
/// How many it keeps. For tests.
int kept_zlib_streams() noexcept;

}  // namespace nearcall::inline v0::detail::grpc
