// SPDX-License-Identifier: Apache-2.0
// BoundMethod: one method on one channel, with the headers that its calls share.
#pragma once

#include "client/call_observer.hpp"
#include "http2/header_template.hpp"

#include <nearcall/method.hpp>

#include <string_view>

namespace nearcall::inline v0::detail {

/// One method on one channel.
struct BoundMethod {
  Method method;
  http2::HeaderTemplate head;
  /// Of its calls; null: nobody.
  CallObserver* observer = nullptr;
};

/// `authority`: what is sent as that.
BoundMethod bind_method(const Method& method,
                        std::string_view authority,
                        CallObserver* observer = nullptr);

}  // namespace nearcall::inline v0::detail
