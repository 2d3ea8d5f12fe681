// SPDX-License-Identifier: Apache-2.0
// The templates of the generated code: a model in, the text of a file out.
#pragma once

#include "codegen/model.hpp"
#include "codegen/options.hpp"

#include <string>

namespace nearcall::codegen {

/// foo.nearcall.hpp
std::string header_text(const FileModel& file, const Options& options);
/// foo.nearcall.cpp
std::string source_text(const FileModel& file, const Options& options);

/// The classes `Service` and `BlockingService` of a service, in the class of the service, and their
/// members' definitions.
std::string server_declaration(const ServiceModel& service);
std::string server_definition(const ServiceModel& service);

/// The classes `ClientInterface` and `Client` of a service, in the class of the service, and the
/// latter's members' definitions.
std::string client_declaration(const ServiceModel& service);
std::string client_definition(const ServiceModel& service);

/// The comment before a member for `method`: what the .proto says, and its name there if the
/// member's is another one.
std::string member_comment(const MethodModel& method);

}  // namespace nearcall::codegen
