// SPDX-License-Identifier: Apache-2.0
// Paths to handlers.
#include "server/service_registry.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <string>

namespace nearcall::inline v0::detail {

void ServiceRegistry::add(Service& service) {
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

std::vector<std::string> ServiceRegistry::service_names() const {
  std::vector<std::string> names(services_.begin(), services_.end());
  std::sort(names.begin(), names.end());
  return names;
}

ServedMethod ServiceRegistry::find(std::string_view path) const {
  const auto found = methods_.find(path);
  return found == methods_.end() ? ServedMethod{} : found->second;
}

}  // namespace nearcall::inline v0::detail
