// SPDX-License-Identifier: Apache-2.0
// FillerService: methods that nobody calls, so that a server can have a thousand of them.
#pragma once

#include "echo.pb.h"

#include <nearcall/service.hpp>

#include <memory>
#include <string>
#include <vector>

namespace bench {

/// A service of one method, as generated code would make it: a thousand of those as generated code
/// would take a compiler a minute.
class FillerService final : public nearcall::Service {
 public:
  explicit FillerService(std::size_t number)
      : FillerService(std::make_unique<Names>("bench.Filler" + std::to_string(number))) {}

 private:
  struct Names {
    explicit Names(const std::string& name) : service(name), path("/" + name + "/Method") {}
    std::string service;
    std::string path;
  };

  explicit FillerService(std::unique_ptr<Names> names)
      : Service(names->service,
                {nearcall::detail::
                     unary_handler<FillerService, Message, Message, &FillerService::answer>(
                         {names->path.c_str(), nearcall::MethodKind::unary})}),
        names_(std::move(names)) {}

  Task<Result<Message>> answer(ServerContext&, Message request) { co_return request; }

  std::unique_ptr<Names> names_;
};

}  // namespace bench
