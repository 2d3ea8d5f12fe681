// SPDX-License-Identifier: Apache-2.0
// Reflection: tells clients which services a server has, and their schema. Link
// nearcall::reflection.
#pragma once

#include <nearcall/call_options.hpp>
#include <nearcall/channel.hpp>
#include <nearcall/result.hpp>
#include <nearcall/server.hpp>
#include <nearcall/task.hpp>

#include <string>
#include <vector>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// Has `server` serve grpc.reflection.v1.ServerReflection and v1alpha, so that grpcurl, `buf curl`
/// and the like can call its services without their .proto files:
///
///     Server server;
///     add_reflection(server);
///
/// Its services are listed, those that are added later too. What is told of types and files is
/// whatever the program has linked of protobuf's generated code. Code for the lite runtime has no
/// descriptors: such services are listed, and their files are not found.
///
/// REQUIRES: the server was not started; once a server.
void add_reflection(Server& server);

/// The full names of a server's services, as its reflection tells them, v1 or v1alpha.
/// UNIMPLEMENTED if it has neither.
Result<std::vector<std::string>> list_services(const Channel& channel,
                                               const CallOptions& options = {});
/// The same, awaited.
Task<Result<std::vector<std::string>>> list_services_async(Channel channel,
                                                           CallOptions options = {});

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
