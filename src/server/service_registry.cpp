// SPDX-License-Identifier: Apache-2.0
// Paths to handlers.
#include "server/service_registry.hpp"

#include "base/check.hpp"
#include "grpc/request_head.hpp"

#include <algorithm>
#include <functional>
#include <string>

namespace nearcall::inline v0::detail {

void ServiceRegistry::add(Service& service) {
  if (service.service_name().empty()) return add_generic(static_cast<GenericService&>(service));
  if (!services_.insert(service.service_name()).second) {
    const std::string misuse = "Server::add_service(): the server has a service named " +
                               std::string(service.service_name()) +
                               " already; each name is served once";
    fail_precondition(misuse.c_str());
  }
  for (const MethodHandler& handler : service.method_handlers()) {
    methods_.emplace(handler.method.path, ServedMethod{&service, &handler});
  }
}

void ServiceRegistry::add_generic(GenericService& service) {
  for (const std::string& prefix : service.prefixes()) {
    const auto is_same = [&prefix](const Prefix& other) { return other.text == prefix; };
    if (!prefix.starts_with('/') || std::ranges::any_of(generic_, is_same)) {
      const std::string misuse = "Server::add_service(): a GenericService serves \"" + prefix +
                                 "\"; a prefix begins with /, and is served once";
      fail_precondition(misuse.c_str());
    }
    generic_.push_back({prefix, {&service, service.method_handlers().data()}});
  }
  std::ranges::stable_sort(generic_, std::greater(),
                           [](const Prefix& prefix) { return prefix.text.size(); });
}

std::vector<std::string> ServiceRegistry::service_names() const {
  std::vector<std::string> names(services_.begin(), services_.end());
  std::sort(names.begin(), names.end());
  return names;
}

ServedMethod ServiceRegistry::find(std::string_view path) const {
  const auto found = methods_.find(path);
  if (found != methods_.end()) return found->second;
  if (generic_.empty() || !grpc::is_method_path(path)) return {};
  const auto begins = [path](const Prefix& prefix) { return path.starts_with(prefix.text); };
  const auto prefix = std::ranges::find_if(generic_, begins);
  return prefix == generic_.end() ? ServedMethod{} : prefix->method;
}

}  // namespace nearcall::inline v0::detail
