// SPDX-License-Identifier: Apache-2.0
// A failure that says more than a message: which field was wrong, and why.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/rich_status.hpp>
#include <nearcall/server.hpp>

#include <google/rpc/error_details.pb.h>

#include <cstdio>

using google::rpc::BadRequest;
using nearcall::Result;
using nearcall::RichStatus;
using nearcall::Status;
using nearcall::StatusCode;

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext&, greet::HelloRequest request) override {
    if (request.name().empty()) {
      BadRequest bad;
      BadRequest::FieldViolation& field = *bad.add_field_violations();
      field.set_field("name");
      field.set_description("whom to greet has to be said");
      co_return RichStatus(StatusCode::invalid_argument, "bad request").add(bad).to_status();
    }
    co_return greet::HelloReply();
  }
};

void show(const Status& status) {
  std::printf("%s\n", status.to_string().c_str());
  const Result<RichStatus> rich = RichStatus::from(status);
  if (!rich) return;  // what the server has sent is no google.rpc.Status
  if (const std::optional<BadRequest> bad = rich->find<BadRequest>()) {
    for (const BadRequest::FieldViolation& field : bad->field_violations())
      std::printf("%s: %s\n", field.field().c_str(), field.description().c_str());
  }
}

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  GreeterService service;
  nearcall::Server server;
  server.add_service(service).listen(argv[1]);
  if (const auto started = server.start(); !started) return report(started.error());

  const nearcall::Channel channel(argv[1]);
  const greet::Greeter::Client greeter(channel);
  const Status status =
      greeter
          .SayHello(greet::HelloRequest(), nearcall::CallOptions().timeout(std::chrono::seconds(5)))
          .status();
  if (status.code() != StatusCode::invalid_argument) return report(status);
  show(status);
  return 0;
}
