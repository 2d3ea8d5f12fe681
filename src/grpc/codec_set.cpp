// SPDX-License-Identifier: Apache-2.0
// The names of codecs, in both directions.
#include "grpc/codec_set.hpp"

#include <algorithm>
#include <iterator>

namespace nearcall::inline v0::detail::grpc {
namespace {

std::string_view bare_name(std::string_view text) noexcept {
  const auto is_space = [](char letter) { return letter == ' ' || letter == '\t'; };
  while (!text.empty() && is_space(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_space(text.back()))
    text.remove_suffix(1);
  return text;
}

/// What may stand in a list of a header field.
bool is_name(std::string_view name) noexcept {
  const auto is_allowed = [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-' ||
           letter == '_' || letter == '.';
  };
  return !name.empty() && std::ranges::all_of(name, is_allowed);
}

}  // namespace

/// In the order of grpc-core's list: a header that others remember already. A user's codec of a
/// name that is known takes its place.
CodecSet::CodecSet(std::span<const Codec* const> added)
    : codecs_{&Codec::deflate(), &Codec::gzip()} {
  for (const Codec* const codec : added) {
    if (codec->name() == Codec::identity().name() || !is_name(codec->name())) continue;
    const auto same = std::ranges::find_if(
        codecs_, [codec](const Codec* known) { return known->name() == codec->name(); });
    if (same != codecs_.end()) {
      *same = codec;
    } else if (codecs_.size() < max_codecs) {
      codecs_.push_back(codec);
    }
  }
  for (const Codec* const codec : codecs_)
    accepted_.append(",").append(codec->name());
}

const CodecSet& CodecSet::usual() {
  static const CodecSet only;
  return only;
}

const Codec* CodecSet::find(std::string_view name) const noexcept {
  const auto found =
      std::ranges::find_if(codecs_, [name](const Codec* codec) { return codec->name() == name; });
  return found != codecs_.end() ? *found : nullptr;
}

CodecSet::Mask CodecSet::read_accepted(std::string_view value) const noexcept {
  Mask mask = 0;
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    const std::string_view name = bare_name(value.substr(0, comma));
    for (std::size_t i = 0; i < codecs_.size(); ++i) {
      if (codecs_[i]->name() == name) mask |= Mask{1} << i;
    }
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
  return mask;
}

bool CodecSet::is_in(Mask mask, const Codec& codec) const noexcept {
  for (std::size_t i = 0; i < codecs_.size(); ++i) {
    if (codecs_[i] == &codec) return (mask >> i & 1) != 0;
  }
  return false;
}

}  // namespace nearcall::inline v0::detail::grpc
