// SPDX-License-Identifier: Apache-2.0
// ServiceRegistry: which handler a path names.
#pragma once

#include <nearcall/service.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

/// A method that a server serves.
struct ServedMethod {
  Service* service = nullptr;
  const MethodHandler* handler = nullptr;
};

/// Which handler a path names. Filled before the server starts, then only read, by all its loops.
class ServiceRegistry {
 public:
  /// REQUIRES: no service of that name is there.
  void add(Service& service);
  /// Null handler: no such method.
  ServedMethod find(std::string_view path) const;
  /// `service` lives as long as this.
  void keep(std::shared_ptr<Service> service) { kept_.push_back(std::move(service)); }
  /// In the order of the alphabet.
  std::vector<std::string> service_names() const;
  bool has_service(std::string_view name) const { return services_.contains(name); }

 private:
  std::unordered_map<std::string_view, ServedMethod> methods_;
  std::unordered_set<std::string_view> services_;
  std::vector<std::shared_ptr<Service>> kept_;
};

}  // namespace nearcall::inline v0::detail
