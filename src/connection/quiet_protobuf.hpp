// SPDX-License-Identifier: Apache-2.0
// QuietProtobuf: no line in the log for each wrong message of a peer.
#pragma once

#if __has_include(<google/protobuf/stubs/logging.h>)
#include <google/protobuf/stubs/logging.h>
#endif

namespace nearcall::inline v0::detail {

/// While one exists libprotobuf logs nothing but what is fatal, in the whole process. It would
/// write a line for each text that is no UTF-8, as often as a peer likes; the call's status tells
/// of it. Of protobuf 22 and later the program decides, by Abseil's log.
///
/// Thread safety: any thread.
#if __has_include(<google/protobuf/stubs/logging.h>)
using QuietProtobuf = google::protobuf::LogSilencer;
#else
struct QuietProtobuf {};
#endif

}  // namespace nearcall::inline v0::detail
