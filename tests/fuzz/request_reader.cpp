// SPDX-License-Identifier: Apache-2.0
// Fuzzes RequestReader behind an HpackDecoder: a request that it remembers means what it means to
// one that remembers nothing.
#include "server/request_reader.hpp"

#include "fuzz/fields.hpp"
#include "http2/hpack/decoder.hpp"

#include <google/protobuf/empty.pb.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

using namespace nearcall;
using namespace nearcall::detail;

namespace {

/// A decoder with its table and heads, a list, and what the reader keeps of 16 heads.
constexpr std::size_t most_memory = std::size_t{256} * 1024;

/// What the seeds ask for.
class SomeService final : public Service {
 public:
  SomeService() : Service("a", {handler({"/a/B", MethodKind::unary})}) {}

 private:
  using Empty = google::protobuf::Empty;
  Task<Result<Empty>> Nothing(ServerContext& /*call*/, Empty request) { co_return request; }
  static MethodHandler handler(const Method& method) {
    return unary_handler<SomeService, Empty, Empty, &SomeService::Nothing>(method);
  }
};

void check_same(const Result<ServedRequest*, grpc::Rejection>& known,
                const Result<ServedRequest*, grpc::Rejection>& fresh) {
  CHECK(known.ok() == fresh.ok());
  if (!known.ok()) {
    CHECK(known.error().http_status == fresh.error().http_status);
    CHECK(known.error().status == fresh.error().status);
    return;
  }
  CHECK((*known)->head.path == (*fresh)->head.path);
  CHECK((*known)->head.timeout == (*fresh)->head.timeout);
  CHECK((*known)->metadata == (*fresh)->metadata);
  test::check_metadata((*known)->metadata);
}

}  // namespace

/// The input: header blocks, each a length octet and that many bytes; each is said three times, so
/// that it is remembered.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteSpan input(reinterpret_cast<const std::byte*>(data), size);
  static SomeService service;
  static const ServiceRegistry registry = [] {
    ServiceRegistry made;
    made.add(service);
    return made;
  }();
  const test::MemoryMeter memory;
  http2::HpackDecoder decoder({/*max_list_size=*/2000, /*max_fields=*/20});
  http2::HeaderList list;
  RequestReader reader(registry, test::fuzzed_limits);
  while (!input.empty()) {
    const std::size_t length = std::min(std::to_integer<std::size_t>(input[0]), input.size() - 1);
    const ByteSpan block = input.subspan(1, length);
    input = input.subspan(1 + length);
    for (int times = 0; times < 3; ++times) {
      if (!decoder.decode(block, list)) return 0;
      RequestReader fresh(registry, test::fuzzed_limits);
      check_same(reader.read(list), fresh.read(list));
      CHECK(memory.grown() <= most_memory, memory.grown());
    }
  }
  return 0;
}
