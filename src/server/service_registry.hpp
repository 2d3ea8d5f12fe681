// SPDX-License-Identifier: Apache-2.0
// ServiceRegistry: which handler a path names.
#pragma once

#include <nearcall/generic_service.hpp>
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

  /// Whether `handler` is that of a GenericService: its method's path is no path.
  bool is_generic() const noexcept { return *handler->method.path != '/'; }
};

/// Which handler a path names. Filled before the server starts, then only read, by all its loops.
class ServiceRegistry {
 public:
  /// REQUIRES: no service of that name is there, or with the same prefix of a GenericService.
  void add(Service& service);
  /// Null handler: no such method. What no service has may be a GenericService's, if it is a name
  /// that clients may send on.
  ServedMethod find(std::string_view path) const;
  /// `service` lives as long as this.
  void keep(std::shared_ptr<Service> service) { kept_.push_back(std::move(service)); }
  /// In the order of the alphabet.
  std::vector<std::string> service_names() const;
  bool has_service(std::string_view name) const { return services_.contains(name); }
  /// Whether methods may be a GenericService's.
  bool is_open() const noexcept { return !generic_.empty(); }

 private:
  struct Prefix {
    std::string_view text;
    ServedMethod method;
  };

  void add_generic(GenericService& service);

  std::unordered_map<std::string_view, ServedMethod> methods_;
  std::unordered_set<std::string_view> services_;
  /// The longest first.
  std::vector<Prefix> generic_;
  std::vector<std::shared_ptr<Service>> kept_;
};

}  // namespace nearcall::inline v0::detail
