// SPDX-License-Identifier: Apache-2.0
// Bytes with one owner, and with more.
#include "base/owned_bytes.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

TEST(OwnedBytes, MovesWithoutACopy) {
  OwnedBytes first = OwnedBytes::copy_of(as_bytes("hello"));
  const std::byte* const where = first.data();

  OwnedBytes second = std::move(first);

  EXPECT_EQ(second.data(), where);
  EXPECT_EQ(as_text(second.span()), "hello");
}

TEST(OwnedBytes, SharedBytesAreTheSameAndStayUntilTheLastOwnerGoes) {
  OwnedBytes first = OwnedBytes::copy_of(as_bytes("hello"));
  OwnedBytes second = first.share();
  EXPECT_EQ(first.data(), second.data());

  first = OwnedBytes();
  OwnedBytes third = second.share();
  second = OwnedBytes::copy_of(as_bytes("other"));

  EXPECT_EQ(as_text(third.span()), "hello");
}

TEST(OwnedBytes, NothingCanBeSharedToo) {
  const OwnedBytes nothing;

  EXPECT_TRUE(nothing.share().empty());
}

TEST(OwnedBytes, APartKeepsTheWhole) {
  OwnedBytes whole = OwnedBytes::copy_of(as_bytes("hello world"));
  const OwnedBytes part = whole.share(6, 5);
  whole = OwnedBytes();

  EXPECT_EQ(as_text(part.span()), "world");
}

class Text final : public BytesOwner {
 public:
  Text(std::string text, bool& is_gone) : text_(std::move(text)), is_gone_(is_gone) {}
  ByteSpan bytes() const noexcept { return as_bytes(text_); }

 private:
  void on_unreferenced() noexcept override {
    is_gone_ = true;
    delete this;
  }
  const std::string text_;
  bool& is_gone_;
};

TEST(OwnedBytes, LieInSomethingElseUntilTheLastOwnerGoes) {
  bool is_gone = false;
  auto* const text = new Text("hello world", is_gone);
  OwnedBytes hello(*text, text->bytes().first(5));
  OwnedBytes world(*text, text->bytes().last(5));
  EXPECT_EQ(hello.data(), text->bytes().data());
  EXPECT_TRUE(hello.is_kept_by(*text));
  text->release_reference();

  {
    const OwnedBytes moved = std::move(hello);
    const OwnedBytes shared = world.share();
    EXPECT_EQ(as_text(moved.span()), "hello");
    EXPECT_EQ(text->references(), 3U);
  }

  EXPECT_FALSE(is_gone);
  EXPECT_EQ(as_text(world.span()), "world");
  hello = world.share();
  world = OwnedBytes();
  EXPECT_FALSE(is_gone);
  hello = OwnedBytes();
  EXPECT_TRUE(is_gone);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
