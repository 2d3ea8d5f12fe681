// SPDX-License-Identifier: Apache-2.0
// GenericService: what serves methods by their names, with messages that are bytes.
#pragma once

#include <nearcall/generic_message.hpp>
#include <nearcall/server_context.hpp>
#include <nearcall/service.hpp>

#include <string>
#include <vector>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// Serves the methods of a server that none of its other services has, whatever their names: what
/// proxies and bridges are made of. ServerContext::method() says which one was called.
///
///     class Echo final : public GenericService {
///       Task<Status> serve(ServerContext&, Reader& requests, Writer& replies) override {
///         while (std::optional<GenericMessage> request = co_await requests.read())
///           if (!co_await replies.write(*request)) break;
///         co_return Status();
///       }
///     };
///
/// It is handed to Server::add_service() as any other; Server::services() and reflection do not
/// list it. Thread safety: with more than one server thread handlers run on several at once.
class GenericService : public Service {
 public:
  using GenericMessage = nearcall::GenericMessage;
  using Reader = ServerReader<GenericMessage>;
  using Writer = ServerWriter<GenericMessage>;

  /// What the methods begin with that it serves: "/greet.Greeter/" is one service, "/greet." a
  /// package, "/" are all. Where several services of a server have one that fits, the longest
  /// counts. REQUIRES: each begins with "/", and no other service of the server has it.
  explicit GenericService(std::vector<std::string> prefixes = {"/"});

  /// One call, of any kind: a handler as of a bidirectional method. To who called a unary method it
  /// writes one reply, before it returns OK.
  virtual Task<Status> serve(ServerContext& call, Reader& requests, Writer& replies) = 0;

  const std::vector<std::string>& prefixes() const noexcept { return prefixes_; }

 private:
  std::vector<std::string> prefixes_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
