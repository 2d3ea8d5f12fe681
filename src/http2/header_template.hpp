// SPDX-License-Identifier: Apache-2.0
// HeaderTemplate: the header fields that are the same for each call of a kind.
#pragma once

#include "http2/hpack/encoder.hpp"
#include "http2/hpack/header_field.hpp"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

namespace nearcall::inline v0::detail::http2 {

/// A list of header fields that comes again and again: of one method's requests, of all good
/// responses. Each session remembers how it encoded the template, so that from the third time on
/// its fields cost a copy of a few bytes.
///
/// Thread safety: immutable; may be used by any number of sessions in any threads.
class HeaderTemplate {
 public:
  /// Copies the fields. Their `indexing` says whether the peer is to remember them: `incremental`
  /// for most, `never` for secrets.
  explicit HeaderTemplate(std::span<const HeaderField> fields);
  HeaderTemplate(std::initializer_list<HeaderField> fields)
      : HeaderTemplate(std::span(fields.begin(), fields.size())) {}
  HeaderTemplate(HeaderTemplate&&) noexcept = default;
  HeaderTemplate& operator=(HeaderTemplate&&) noexcept = default;
  ~HeaderTemplate() = default;

  /// The one without fields: for lists that are all of their own.
  static const HeaderTemplate& none();

  std::span<const HeaderField> fields() const noexcept { return fields_; }
  /// What they count against a peer's limit (RFC 9113 6.5.2).
  std::size_t list_size() const noexcept { return list_size_; }
  /// A number that no other template of this process has; never 0.
  std::uint64_t id() const noexcept { return id_; }

 private:
  std::uint64_t id_;
  std::size_t list_size_;
  std::unique_ptr<char[]> text_;
  std::vector<HeaderField> fields_;
};

/// How one session's encoder wrote its recent templates. Direct-mapped by id, in as many slots as
/// its templates need to stay out of each other's way; owns no memory before its first use.
class TemplateCache {
 public:
  static constexpr std::size_t most_slots = 16;

  /// Good until the next use.
  EncodedBlock& operator[](const HeaderTemplate& stable) {
    if (slots_.empty() || slot_of(stable.id()).id != stable.id()) [[unlikely]]
      take_in(stable.id());
    return slot_of(stable.id()).block;
  }
  /// Null: it is not there. Good until the next use of the other one.
  const EncodedBlock* find(const HeaderTemplate& stable) const noexcept {
    if (slots_.empty()) return nullptr;
    const Slot& slot = slots_[stable.id() & (slots_.size() - 1)];
    return slot.id == stable.id() ? &slot.block : nullptr;
  }
  void trim() noexcept { slots_ = std::vector<Slot>(); }

 private:
  struct Slot {
    std::uint64_t id = 0;
    EncodedBlock block;
  };

  Slot& slot_of(std::uint64_t id) noexcept { return slots_[id & (slots_.size() - 1)]; }
  void take_in(std::uint64_t id);

  std::vector<Slot> slots_;  // none, or a power of two
};

}  // namespace nearcall::inline v0::detail::http2
