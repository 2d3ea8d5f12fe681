// SPDX-License-Identifier: Apache-2.0
// A service without a name, whose one handler has no method.
#include <nearcall/generic_service.hpp>

#include <utility>

namespace nearcall::inline v0 {
namespace {

/// Whoever counts calls by method is told "other", as gRFC A66 has it: of names that peers choose
/// there is no end.
constexpr detail::MethodHandler any_method = detail::
    bidi_streaming_handler<GenericService, GenericMessage, GenericMessage, &GenericService::serve>(
        {"other", MethodKind::bidi_streaming});

}  // namespace

GenericService::GenericService(std::vector<std::string> prefixes)
    : Service("", {any_method}), prefixes_(std::move(prefixes)) {
}

}  // namespace nearcall::inline v0
