// SPDX-License-Identifier: Apache-2.0
// EchoService: what nearcall's server of the comparison answers.
#pragma once

#include "echo.nearcall.hpp"

#include <cstdint>
#include <string>
#include <utility>

namespace bench {

/// Answers with what it is asked, in all four kinds of methods.
class EchoService final : public Echo::Service {
  Task<Result<Message>> Unary(ServerContext&, Message request) override {
    Message reply;
    reply.set_payload(std::move(*request.mutable_payload()));
    co_return reply;
  }

  Task<Status> Expand(ServerContext&,
                      ExpandRequest request,
                      ServerWriter<Message>& replies) override {
    Message reply;
    reply.set_payload(std::string(request.size(), 'x'));
    for (std::uint64_t i = 0; i < request.messages(); ++i) {
      if (!co_await replies.write(reply)) break;
    }
    co_return Status();
  }

  Task<Result<Message>> Collect(ServerContext&, ServerReader<Message>& requests) override {
    Message request;
    while (co_await requests.read(request)) {
    }
    co_return Message();
  }

  Task<Status> Chat(ServerContext&,
                    ServerReader<Message>& requests,
                    ServerWriter<Message>& replies) override {
    Message message;
    while (co_await requests.read(message)) {
      if (!co_await replies.write(message)) break;
    }
    co_return Status();
  }
};

}  // namespace bench
