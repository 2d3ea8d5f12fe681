// SPDX-License-Identifier: Apache-2.0
// Generator: writes foo.nearcall.hpp and foo.nearcall.cpp for foo.proto.
#include "codegen/generator.hpp"

#include "codegen/model.hpp"
#include "codegen/options.hpp"
#include "codegen/templates.hpp"

#include <google/protobuf/io/zero_copy_stream.h>

#include <cstddef>
#include <memory>
#include <string_view>
#include <variant>

namespace nearcall::codegen {
namespace {

namespace pb = google::protobuf;

bool write_file(pb::compiler::GeneratorContext& context,
                const std::string& name,
                std::string_view text) {
  const std::unique_ptr<pb::io::ZeroCopyOutputStream> file(context.Open(name));
  void* chunk = nullptr;
  int size = 0;
  while (!text.empty()) {
    if (!file->Next(&chunk, &size)) return false;
    const std::size_t used = text.copy(static_cast<char*>(chunk), static_cast<std::size_t>(size));
    text.remove_prefix(used);
    file->BackUp(size - static_cast<int>(used));
  }
  return true;
}

}  // namespace

bool Generator::Generate(const pb::FileDescriptor* file,
                         const std::string& parameter,
                         pb::compiler::GeneratorContext* context,
                         std::string* error) const {
  const auto options = parse_options(parameter);
  if (const auto* refused = std::get_if<OptionError>(&options)) {
    *error = refused->text;
    return false;
  }
  FileModel model = model_of(*file);
  const auto& sides = std::get<Options>(options);
  for (ServiceModel& service : model.services)
    service.has_arenas = sides.has_arenas;
  if (!write_file(*context, model.stem + ".nearcall.hpp", header_text(model, sides)) ||
      !write_file(*context, model.stem + ".nearcall.cpp", source_text(model, sides))) {
    *error = "cannot write the files of " + model.stem;
    return false;
  }
  return true;
}

}  // namespace nearcall::codegen
