// SPDX-License-Identifier: Apache-2.0
// BoundMethod: one method on one channel, with the headers that its calls share.
#pragma once

#include "connection/observer.hpp"
#include "http2/header_template.hpp"

#include <nearcall/method.hpp>

#include <list>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

/// One method on one channel.
struct BoundMethod {
  Method method;
  http2::HeaderTemplate head;
  /// Of its calls; null: nobody.
  Observer* observer = nullptr;
};

/// `authority`: what is sent as that.
BoundMethod bind_method(const Method& method,
                        std::string_view authority,
                        Observer* observer = nullptr);

/// The methods that the clients of one channel call. What it gives stays as long as it lives.
///
/// Thread safety: any thread.
class MethodTable {
 public:
  /// `authority`: as for bind_method().
  explicit MethodTable(std::string authority) : authority_(std::move(authority)) {}

  /// Whom calls tell what happens to them. REQUIRES: nothing is bound yet.
  void set_observer(Observer* observer) noexcept { observer_ = observer; }
  /// Clients of one service share its methods, however many there are. REQUIRES: constants that
  /// live for ever.
  std::span<const BoundMethod> bind(std::span<const Method> methods);

 private:
  struct Bound {
    std::span<const Method> methods;
    std::vector<BoundMethod> here;
  };

  const std::string authority_;
  Observer* observer_ = nullptr;
  std::mutex mutex_;
  std::list<Bound> bound_;
};

}  // namespace nearcall::inline v0::detail
