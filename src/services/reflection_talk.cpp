// SPDX-License-Identifier: Apache-2.0
// Answers of the reflection service, as server-reflection.md and its .proto have them.
#include "services/reflection_talk.hpp"

#include <utility>

namespace nearcall::inline v0::detail {
namespace {

using google::protobuf::FileDescriptor;

void refuse(StatusCode code, std::string message, ReflectionTalk::Response& response) {
  response.mutable_error_response()->set_error_code(static_cast<int>(code));
  response.mutable_error_response()->set_error_message(std::move(message));
}

}  // namespace

Status ReflectionTalk::check(const Request& request) {
  const std::size_t size = request.ByteSizeLong();
  if (size <= max_request) return Status();
  return Status::resource_exhausted("reflection: a request of " + std::to_string(size) +
                                    " bytes, more than " + std::to_string(max_request));
}

auto ReflectionTalk::answer(Request&& request, const std::vector<std::string>& services)
    -> Response {
  Response response;
  response.set_valid_host(request.host());
  switch (request.message_request_case()) {
    case Request::kFileByFilename:
      send(files_->by_name(request.file_by_filename()), "file", response);
      break;
    case Request::kFileContainingSymbol:
      send(files_->containing_symbol(request.file_containing_symbol()), "symbol", response);
      break;
    case Request::kFileContainingExtension: {
      const auto& extension = request.file_containing_extension();
      send(files_->containing_extension(extension.containing_type(), extension.extension_number()),
           "extension", response);
      break;
    }
    case Request::kAllExtensionNumbersOfType:
      send_extensions(request.all_extension_numbers_of_type(), response);
      break;
    case Request::kListServices:
      for (const std::string& service : services)
        response.mutable_list_services_response()->add_service()->set_name(service);
      break;
    case Request::MESSAGE_REQUEST_NOT_SET:
      refuse(StatusCode::unimplemented, "no such kind of request is known here", response);
      break;
  }
  *response.mutable_original_request() = std::move(request);
  return response;
}

void ReflectionTalk::send(const std::optional<LinkedFile>& file,
                          std::string_view what,
                          Response& response) {
  if (!file) {
    return refuse(StatusCode::not_found, "no such " + std::string(what) + " is linked", response);
  }
  auto& files = *response.mutable_file_descriptor_response();
  *files.add_file_descriptor_proto() = file->serialize();
  std::size_t size = files.file_descriptor_proto(0).size();
  sent_.insert(file->descriptor);
  std::vector<const FileDescriptor*> looked_at{file->descriptor};
  for (std::size_t i = 0; i < looked_at.size(); ++i) {  // grows meanwhile
    for (int d = 0; d < looked_at[i]->dependency_count(); ++d) {
      const FileDescriptor* needed = looked_at[i]->dependency(d);
      if (sent_.contains(needed)) continue;
      std::string bytes = LinkedFile{needed, nullptr}.serialize();
      if (size + bytes.size() > max_files) return;  // and the rest is not even made
      size += bytes.size();
      *files.add_file_descriptor_proto() = std::move(bytes);
      sent_.insert(needed);
      looked_at.push_back(needed);
    }
  }
}

void ReflectionTalk::send_extensions(const std::string& type, Response& response) {
  const auto extensions = files_->extensions_of(type);
  if (!extensions) return refuse(StatusCode::not_found, "no such type is linked", response);
  auto& sent = *response.mutable_all_extension_numbers_response();
  sent.set_base_type_name(extensions->type);
  for (const int number : extensions->numbers)
    sent.add_extension_number(number);
}

}  // namespace nearcall::inline v0::detail
