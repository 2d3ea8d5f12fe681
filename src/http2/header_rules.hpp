// SPDX-License-Identifier: Apache-2.0
// Header rules: which header lists are well-formed messages (RFC 9113 sections 8.2 and 8.3).
#pragma once

#include "base/header_view.hpp"
#include "http2/hpack/header_list.hpp"
#include "http2/violation.hpp"

#include <nearcall/result.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace nearcall::inline v0::detail::http2 {

/// What kind of list a header block is.
enum class HeaderKind : std::uint8_t { request, response, trailers };

/// What the session has to know of a list that is well-formed.
struct HeaderFacts {
  static constexpr std::uint64_t no_length = ~std::uint64_t{0};

  std::uint64_t content_length = no_length;
  std::uint16_t status = 0;  // of a response
  bool is_informational() const noexcept { return status >= 100 && status < 200; }
};

/// Checks header lists, field by field. A list that breaks a rule is malformed: a stream error
/// PROTOCOL_ERROR (8.1.1).
///
/// Two rules are not enforced, because honest gRPC peers break them: `:authority` may be missing,
/// empty or a path, since Unix sockets have no better one; and values may begin or end with a space
/// (8.2.1), since a grpc-message often does.
///
/// The leading fields of most lists were seen before (HeaderList::head_token()), so what they come
/// to is remembered. Thread safety: none.
class HeaderRules {
 public:
  Result<HeaderFacts, Violation> check(const HeaderList& list, HeaderKind kind) {
    const Remembered* const known = find(list, kind);
    if (known != nullptr && known->is_message && list.size() == list.head_count()) [[likely]]
      return known->progress.facts;
    return check_rest(list, kind, known);
  }
  void trim() noexcept { memory_.reset(); }

 private:
  /// What the fields up to some place come to.
  struct Progress {
    std::uint8_t pseudo = 0;  // a bit for each pseudo-header field that came
    bool seen_regular = false;
    bool is_connect = false;
    HeaderFacts facts;
  };
  using Step = Result<void, Violation>;

  static Step add(Progress& progress, const HeaderView& field, HeaderKind kind);
  static Step add_pseudo(Progress& progress, const HeaderView& field, HeaderKind kind);
  static Step add_regular(Progress& progress, const HeaderView& field);
  static Step finish(const Progress& progress, HeaderKind kind);

  struct Remembered {
    std::uint32_t token = 0;  // 0: nothing
    HeaderKind kind{};
    bool is_message = false;  // also with nothing behind
    Progress progress;
  };
  /// What is remembered of the fields that the list begins with; null: nothing.
  const Remembered* find(const HeaderList& list, HeaderKind kind) const noexcept {
    const std::uint32_t token = list.head_token();
    if (token == 0 || memory_ == nullptr) return nullptr;
    const Remembered& slot = (*memory_)[token % slot_count];
    return slot.token == token && slot.kind == kind ? &slot : nullptr;
  }
  Result<HeaderFacts, Violation> check_rest(const HeaderList& list,
                                            HeaderKind kind,
                                            const Remembered* known);
  void remember(const HeaderList& list, HeaderKind kind, const Progress& progress);
  static constexpr std::size_t slot_count = 16;
  std::unique_ptr<std::array<Remembered, slot_count>> memory_;
};

}  // namespace nearcall::inline v0::detail::http2
