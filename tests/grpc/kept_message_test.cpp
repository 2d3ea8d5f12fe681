// SPDX-License-Identifier: Apache-2.0
// KeptMessage: the same bytes each time, whatever became of the message.
#include "grpc/kept_message.hpp"

#include "support/messages.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nearcall::inline v0::detail::grpc {
namespace {

TEST(KeptMessage, OutlivesTheMessage) {
  for (const std::size_t size : {0U, 10U, 184U, 185U, 100'000U}) {
    KeptMessage kept;
    {
      const test::Text text = test::text_of(std::string(size, 'x'));
      kept.keep(OutgoingMessage(text));
    }

    EXPECT_TRUE(kept.is_kept());
    EXPECT_EQ(as_text(kept.bytes()) == test::framed(test::text_of(std::string(size, 'x'))), true)
        << size;
  }
}

TEST(KeptMessage, IsSharedWithoutACopyIfItIsLarge) {
  const test::Text large = test::text_of(std::string(1000, 'x'));
  KeptMessage kept;
  kept.keep(OutgoingMessage(large));

  const OwnedBytes shared = kept.shared().share();
  EXPECT_EQ(shared.data(), kept.bytes().data());
  kept.drop();

  EXPECT_FALSE(kept.is_kept());
  EXPECT_EQ(as_text(shared.span()) == test::framed(large), true) << "whoever shares it keeps it";
}

TEST(KeptMessage, IsNotSharedIfItIsSmall) {
  const test::Text small = test::text_of("small");
  KeptMessage kept;
  kept.keep(OutgoingMessage(small));

  EXPECT_TRUE(kept.shared().empty());
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
