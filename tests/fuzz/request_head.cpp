// SPDX-License-Identifier: Apache-2.0
// Fuzzes parse_request_head(): a head is made of its fields, a refusal is small and can be sent.
#include "grpc/request_head.hpp"

#include "fuzz/fields.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

using namespace nearcall;
using namespace nearcall::detail;
using namespace nearcall::detail::grpc;

namespace {

constexpr std::size_t most_memory = 8192;

bool is_of(const std::vector<HeaderView>& fields, std::string_view value) {
  return value.empty() || std::ranges::any_of(fields, [value](const HeaderView& field) {
           return field.value.data() <= value.data() &&
                  value.data() + value.size() <= field.value.data() + field.value.size();
         });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const test::FuzzedFields input(data, size);
  const test::MemoryMeter memory;

  const Result<RequestHead, Rejection> head = parse_request_head(input.fields());

  if (head.ok()) {
    CHECK(memory.grown() == 0, memory.grown());
    for (const std::string_view value : {head->path, head->service, head->method, head->authority,
                                         head->encoding, head->user_agent}) {
      CHECK(is_of(input.fields(), value));
    }
    CHECK(head->path.size() == head->service.size() + head->method.size() + 2);
    CHECK(!head->timeout || head->timeout->count() > 0);
    return 0;
  }
  const Rejection& rejection = head.error();
  CHECK(!rejection.status.ok());
  HeaderBlock block;
  append_rejection(block, rejection);
  CHECK(block.list_size() <= 2048, block.list_size());
  CHECK(memory.grown() <= most_memory, memory.grown());
  return 0;
}
