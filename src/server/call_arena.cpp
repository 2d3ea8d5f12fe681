// SPDX-License-Identifier: Apache-2.0
// A call's arena, in one piece of memory with its first block.
#include "server/call_arena.hpp"

#include <nearcall/task.hpp>

#include <new>

namespace nearcall::inline v0::detail {

CallArena::Ptr CallArena::make() {
  constexpr std::size_t unit = alignof(std::max_align_t);
  constexpr std::size_t begin = (sizeof(CallArena) + unit - 1) / unit * unit;
  void* const memory = allocate_frame(size);
  google::protobuf::ArenaOptions options;
  options.initial_block = static_cast<char*>(memory) + begin;
  options.initial_block_size = size - begin;
  options.start_block_size = 4 * size;  // the first one was too small
  options.max_block_size = 32 * size;
  return Ptr(::new (memory) CallArena(options));
}

void CallArena::on_unreferenced() noexcept {
  this->~CallArena();
  free_frame(this, size);
}

}  // namespace nearcall::inline v0::detail
