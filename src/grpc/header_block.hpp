// SPDX-License-Identifier: Apache-2.0
// HeaderBlock: the header list that goes out next, and the memory of what was encoded for it.
#pragma once

#include "base/header_view.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail::grpc {

/// An ordered header list under construction. Most fields are views of constants or of the caller's
/// strings, which must live until the list has been encoded; values that are made here (base64,
/// escapes, a timeout) lie in scratch memory of the block.
///
/// Made to be used again: clear() keeps a little memory, so that the usual call allocates nothing.
/// Encoding is synchronous, so one block for each loop or thread is enough. Neither copied nor
/// moved: fields point into it. Thread safety: none.
class HeaderBlock {
 public:
  HeaderBlock() = default;
  HeaderBlock(const HeaderBlock&) = delete;
  HeaderBlock& operator=(const HeaderBlock&) = delete;
  ~HeaderBlock() = default;

  /// Appends a field; copies neither name nor value.
  void add(std::string_view name, std::string_view value) { fields_.push_back({name, value}); }

  /// `size` characters that live until clear(), for a value that is made here.
  char* scratch(std::size_t size);
  /// A copy of `text` that lives until clear().
  std::string_view keep(std::string_view text);

  std::span<const HeaderView> fields() const noexcept { return fields_; }
  /// What the list counts against a limit of HTTP/2 (RFC 9113 section 6.5.2).
  std::size_t list_size() const noexcept;
  /// Replaces the value of the field `name`, or appends it. `value` must live as the others.
  void set(std::string_view name, std::string_view value);
  template <class Matches>
  void remove_if(Matches matches) {
    std::erase_if(fields_, matches);
  }

  /// Empties the list; views of it end here.
  void clear() noexcept;

 private:
  static constexpr std::size_t inline_size = 512;
  static constexpr std::size_t kept_fields = 64;

  std::vector<HeaderView> fields_;
  // Where scratch memory is taken from: inline_ first, then the last of chunks_.
  std::array<char, inline_size> inline_;
  char* free_ = inline_.data();
  std::size_t free_size_ = inline_size;
  std::vector<std::unique_ptr<char[]>> chunks_;
};

}  // namespace nearcall::inline v0::detail::grpc
