// SPDX-License-Identifier: Apache-2.0
// MessageAssembler: the same messages however the bytes are cut, and what is refused.
#include "grpc/message_assembler.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail::grpc {
namespace {

using Kind = MessageAssembler::Kind;
using Bytes = std::vector<std::byte>;

constexpr std::size_t limit = 4'194'304;

Bytes prefix(std::uint8_t flag, std::uint32_t length) {
  Bytes bytes(message_prefix_size);
  write_prefix(bytes.data(), std::byte{flag}, length);
  return bytes;
}

void append_framed(Bytes& to, std::string_view message) {
  const Bytes head = prefix(0, static_cast<std::uint32_t>(message.size()));
  to.insert(to.end(), head.begin(), head.end());
  const ByteSpan body = as_bytes(message);
  to.insert(to.end(), body.begin(), body.end());
}

Bytes framed(const std::vector<std::string>& messages) {
  Bytes bytes;
  for (const std::string& message : messages) {
    append_framed(bytes, message);
  }
  return bytes;
}

/// What came out of an assembler: the messages, and how it ended.
struct Outcome {
  std::vector<std::string> messages;
  bool failed = false;
};

/// Feeds one fragment and takes everything that it completes. The fragment is copied into memory of
/// its own, so that ASan sees a view that outlives it.
void feed(MessageAssembler& assembler, ByteSpan fragment, Outcome& outcome) {
  const Bytes own(fragment.begin(), fragment.end());
  ByteSpan input = own;
  while (true) {
    const auto step = assembler.next(input);
    if (step.kind == Kind::need_more) {
      EXPECT_TRUE(input.empty());
      return;
    }
    if (step.kind == Kind::failed) {
      outcome.failed = true;
      return;
    }
    outcome.messages.emplace_back(as_text(step.message));
  }
}

const std::vector<std::string> samples = {"hello", "", "", std::string(300, 'x'), "a", "last"};

TEST(MessageAssembler, TakesAllMessagesOfOneFragment) {
  MessageAssembler assembler(limit);
  Outcome outcome;

  feed(assembler, framed(samples), outcome);

  EXPECT_EQ(outcome.messages, samples);
  EXPECT_TRUE(assembler.end_of_stream().ok());
}

TEST(MessageAssembler, TakesTheSameByteByByte) {
  const Bytes bytes = framed(samples);
  MessageAssembler assembler(limit);
  Outcome outcome;

  for (std::size_t i = 0; i < bytes.size(); ++i) {
    feed(assembler, ByteSpan(bytes).subspan(i, 1), outcome);
  }

  EXPECT_EQ(outcome.messages, samples);
  EXPECT_TRUE(assembler.end_of_stream().ok());
}

TEST(MessageAssembler, TakesTheSameSplitAtEachPairOfOffsets) {
  const Bytes bytes = framed({"hello", "", "abcdefg", "z"});
  const ByteSpan all = bytes;
  for (std::size_t first = 0; first <= bytes.size(); ++first) {
    for (std::size_t second = first; second <= bytes.size(); ++second) {
      MessageAssembler assembler(limit);
      Outcome outcome;

      feed(assembler, all.first(first), outcome);
      feed(assembler, all.subspan(first, second - first), outcome);
      feed(assembler, all.subspan(second), outcome);

      ASSERT_EQ(outcome.messages, (std::vector<std::string>{"hello", "", "abcdefg", "z"}))
          << first << ", " << second;
    }
  }
}

TEST(MessageAssembler, TellsWhereTheLastWholeMessageEndsAtEachOffset) {
  const Bytes bytes = framed({"hello", "", "abc"});
  const std::size_t ends[] = {0, 10, 15, 23};

  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    std::size_t expected = 0;
    for (const std::size_t end : ends) {
      if (end <= size) expected = end;
    }
    EXPECT_EQ(MessageAssembler::whole_messages(ByteSpan(bytes).first(size)), expected) << size;
  }
}

TEST(MessageAssembler, AWholeMessageIsAViewOfItsFragment) {
  const Bytes bytes = framed({"hello"});
  MessageAssembler assembler(limit);
  ByteSpan input = bytes;

  const auto step = assembler.next(input);

  ASSERT_EQ(step.kind, Kind::message);
  EXPECT_EQ(step.message.data(), bytes.data() + message_prefix_size);
  EXPECT_EQ(assembler.capacity(), 0U);
}

TEST(MessageAssembler, ABodyThatLiesWholeBehindASplitPrefixIsNotCopiedEither) {
  const Bytes bytes = framed({"hello"});
  for (std::size_t split = 1; split <= message_prefix_size; ++split) {
    MessageAssembler assembler(limit);
    ByteSpan head = ByteSpan(bytes).first(split);
    ASSERT_EQ(assembler.next(head).kind, Kind::need_more);
    ByteSpan rest = ByteSpan(bytes).subspan(split);

    const auto step = assembler.next(rest);

    ASSERT_EQ(step.kind, Kind::message);
    EXPECT_EQ(step.message.data(), bytes.data() + message_prefix_size);
    EXPECT_EQ(assembler.capacity(), 0U);
  }
}

TEST(MessageAssembler, ALargeMessageIsReadStraightIntoItsBuffer) {
  HeapBlock::trim();
  const std::string message(1'000'000, 'm');
  const Bytes bytes = framed({message});
  MessageAssembler assembler(limit);
  ByteSpan head = ByteSpan(bytes).first(1000);
  ASSERT_EQ(assembler.next(head).kind, Kind::need_more);

  std::size_t at = 1000;
  while (assembler.missing() != 0) {
    const MutableByteSpan tail = assembler.free_tail();
    ASSERT_FALSE(tail.empty());
    ASSERT_LE(assembler.capacity(),
              std::max(ArrivalBuffer::first_capacity, 2 * assembler.buffered()));
    std::ranges::copy(ByteSpan(bytes).subspan(at, tail.size()), tail.begin());
    assembler.advance(tail.size());
    at += tail.size();
  }
  ByteSpan none;
  const auto step = assembler.next(none);

  EXPECT_EQ(at, bytes.size());
  ASSERT_EQ(step.kind, Kind::message);
  EXPECT_EQ(as_text(step.message), message);
  EXPECT_EQ(assembler.next(none).kind, Kind::need_more);
  EXPECT_EQ(assembler.capacity(), 0U);
}

TEST(MessageAssembler, FragmentsAndDirectReadsMixInOneMessage) {
  const std::string message(200'000, 'm');
  const Bytes bytes = framed({message, "next"});
  MessageAssembler assembler(limit);
  Outcome outcome;
  feed(assembler, ByteSpan(bytes).first(50'000), outcome);
  const MutableByteSpan tail = assembler.free_tail();
  ASSERT_FALSE(tail.empty());
  std::ranges::copy(ByteSpan(bytes).subspan(50'000, tail.size()), tail.begin());
  assembler.advance(tail.size());

  feed(assembler, ByteSpan(bytes).subspan(50'000 + tail.size()), outcome);

  EXPECT_EQ(outcome.messages, (std::vector<std::string>{message, "next"}));
}

TEST(MessageAssembler, ThereIsNoTailOutsideABody) {
  MessageAssembler assembler(limit);
  Outcome outcome;
  EXPECT_TRUE(assembler.free_tail().empty());

  feed(assembler, ByteSpan(prefix(0, 10)).first(3), outcome);
  EXPECT_TRUE(assembler.free_tail().empty());

  feed(assembler, ByteSpan(prefix(0, 10)).subspan(3), outcome);
  EXPECT_EQ(assembler.free_tail().size(), 10U);
}

TEST(MessageAssembler, AnAnnouncedLengthReservesNothing) {
  MessageAssembler assembler(std::numeric_limits<std::size_t>::max());
  Outcome outcome;

  feed(assembler, prefix(0, 0xffff'ffff), outcome);

  EXPECT_EQ(assembler.capacity(), 0U);
  EXPECT_EQ(assembler.missing(), 0xffff'ffffU);
}

TEST(MessageAssembler, CountsWhatIsUnderWay) {
  const Bytes bytes = framed({"0123456789"});
  MessageAssembler assembler(limit);
  Outcome outcome;
  EXPECT_FALSE(assembler.is_mid_message());

  feed(assembler, ByteSpan(bytes).first(4), outcome);
  EXPECT_TRUE(assembler.is_mid_message());
  EXPECT_EQ(assembler.missing(), 0U);

  feed(assembler, ByteSpan(bytes).subspan(4, 4), outcome);
  EXPECT_TRUE(assembler.is_mid_message());
  EXPECT_EQ(assembler.buffered(), 3U);
  EXPECT_EQ(assembler.missing(), 7U);

  feed(assembler, ByteSpan(bytes).subspan(8), outcome);
  EXPECT_FALSE(assembler.is_mid_message());
  EXPECT_EQ(assembler.buffered(), 0U);
  EXPECT_EQ(outcome.messages, std::vector<std::string>{"0123456789"});
}

TEST(MessageAssembler, TheLimitIsJudgedOnThePrefixAndItsLastByteFits) {
  for (const std::size_t size : {99U, 100U, 101U}) {
    for (const bool with_body : {false, true}) {
      Bytes bytes = prefix(0, static_cast<std::uint32_t>(size));
      if (with_body) bytes.resize(bytes.size() + size);
      MessageAssembler assembler(100);
      Outcome outcome;

      feed(assembler, bytes, outcome);

      EXPECT_EQ(outcome.failed, size > 100) << size;
      EXPECT_EQ(outcome.messages.size(), with_body && size <= 100 ? 1U : 0U) << size;
    }
  }
}

TEST(MessageAssembler, AMessageOverTheLimitNamesItsSizeAndTheLimit) {
  MessageAssembler assembler(limit);
  Outcome outcome;

  feed(assembler, prefix(0, 5'000'000), outcome);

  EXPECT_TRUE(outcome.failed);
  EXPECT_EQ(assembler.error(),
            Status(StatusCode::resource_exhausted,
                   "message of 5000000 bytes is over the receive limit of 4194304 bytes"));
  EXPECT_EQ(assembler.capacity(), 0U);
}

TEST(MessageAssembler, ALimitOfZeroTakesEmptyMessagesOnly) {
  MessageAssembler assembler(0);
  Outcome outcome;

  feed(assembler, framed({"", "", "x"}), outcome);

  EXPECT_EQ(outcome.messages, (std::vector<std::string>{"", ""}));
  EXPECT_TRUE(outcome.failed);
}

TEST(MessageAssembler, TheCompressedFlagWithoutAnEncodingIsInternal) {
  MessageAssembler assembler(limit);
  Outcome outcome;

  feed(assembler, prefix(1, 0), outcome);

  EXPECT_TRUE(outcome.failed);
  EXPECT_EQ(assembler.error().code(), StatusCode::internal);
  EXPECT_NE(assembler.error().message().find("compressed"), std::string::npos);
}

TEST(MessageAssembler, ACompressedMessageFailsWithWhatWasSaidOfItsEncoding) {
  MessageAssembler assembler(limit);
  assembler.refuse_compressed(Status::unimplemented("gzip"));
  Outcome outcome;

  feed(assembler, framed({"plain", "", "plain"}), outcome);
  EXPECT_EQ(outcome.messages.size(), 3U);
  EXPECT_TRUE(assembler.end_of_stream().ok());
  feed(assembler, prefix(1, 3), outcome);

  EXPECT_TRUE(outcome.failed);
  EXPECT_EQ(assembler.error(), Status::unimplemented("gzip"));
}

/// Marks the second of three messages, of 40 bytes, as compressed.
Bytes mixed() {
  Bytes bytes = framed({"plain", std::string(40, 'z'), "plain"});
  bytes[message_prefix_size + 5] = compressed_flag;
  return bytes;
}

TEST(MessageAssembler, CompressedMessagesAreToldFromOthersWhereverTheBytesAreCut) {
  const Bytes bytes = mixed();
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    MessageAssembler assembler(limit);
    assembler.accept_compressed();
    std::vector<Kind> kinds;
    for (ByteSpan input : {ByteSpan(bytes).first(cut), ByteSpan(bytes).subspan(cut)}) {
      for (auto step = assembler.next(input); step.kind != Kind::need_more;
           step = assembler.next(input)) {
        ASSERT_NE(step.kind, Kind::failed);
        EXPECT_EQ(step.message.size(), step.kind == Kind::compressed ? 40U : 5U);
        kinds.push_back(step.kind);
      }
    }
    EXPECT_EQ(kinds, (std::vector{Kind::message, Kind::compressed, Kind::message})) << cut;
  }
}

TEST(MessageAssembler, ACompressedMessageOverTheLimitIsRefusedOnItsPrefix) {
  MessageAssembler assembler(39);
  assembler.accept_compressed();
  Outcome outcome;

  feed(assembler, mixed(), outcome);

  EXPECT_TRUE(outcome.failed);
  EXPECT_EQ(assembler.error().code(), StatusCode::resource_exhausted);
}

TEST(MessageAssembler, AFlagThatNobodyDefinedFailsWhateverTheEncoding) {
  MessageAssembler assembler(limit);
  assembler.refuse_compressed(Status::unimplemented("gzip"));
  Outcome outcome;

  feed(assembler, prefix(2, 3), outcome);

  EXPECT_EQ(assembler.error().code(), StatusCode::internal);
}

TEST(MessageAssembler, EveryFlagByteButZeroFailsWholeAndByteByByte) {
  for (unsigned flag = 1; flag < 256; ++flag) {
    const Bytes bytes = prefix(static_cast<std::uint8_t>(flag), 3);
    MessageAssembler whole(limit);
    MessageAssembler bytewise(limit);
    Outcome outcome_whole;
    Outcome outcome_bytewise;

    feed(whole, bytes, outcome_whole);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      feed(bytewise, ByteSpan(bytes).subspan(i, 1), outcome_bytewise);
    }

    EXPECT_TRUE(outcome_whole.failed && outcome_bytewise.failed) << flag;
    EXPECT_EQ(whole.error().code(), StatusCode::internal) << flag;
    EXPECT_EQ(whole.error(), bytewise.error()) << flag;
  }
}

TEST(MessageAssembler, AFailureIsFinalAndKeepsMessagesBeforeIt) {
  Bytes bytes = framed({"good"});
  const Bytes bad = prefix(2, 0);
  bytes.insert(bytes.end(), bad.begin(), bad.end());
  append_framed(bytes, "after");
  MessageAssembler assembler(limit);
  Outcome outcome;

  feed(assembler, bytes, outcome);
  feed(assembler, framed({"more"}), outcome);

  EXPECT_EQ(outcome.messages, std::vector<std::string>{"good"});
  EXPECT_TRUE(outcome.failed);
  EXPECT_EQ(assembler.end_of_stream(), assembler.error());
  EXPECT_FALSE(assembler.is_mid_message());
  EXPECT_TRUE(assembler.free_tail().empty());
}

TEST(MessageAssembler, TheStreamMayEndOnlyBetweenMessages) {
  const Bytes bytes = framed({"hello"});
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    MessageAssembler assembler(limit);
    Outcome outcome;

    feed(assembler, ByteSpan(bytes).first(size), outcome);

    const Status end = assembler.end_of_stream();
    EXPECT_EQ(end.ok(), size == 0 || size == bytes.size()) << size;
    if (!end.ok()) {
      EXPECT_EQ(end.code(), StatusCode::internal) << size;
    }
  }
}

TEST(MessageAssembler, ATruncatedMessageSaysHowMuchOfItCame) {
  MessageAssembler assembler(limit);
  Outcome outcome;

  feed(assembler, ByteSpan(framed({"hello"})).first(8), outcome);

  EXPECT_EQ(assembler.end_of_stream().message(),
            "the stream ended inside a message: 3 of 5 bytes had arrived");
}

TEST(MessageAssembler, MovesInTheMiddleOfAMessage) {
  const Bytes bytes = framed({"hello", "world"});
  MessageAssembler first(limit);
  Outcome outcome;
  feed(first, ByteSpan(bytes).first(8), outcome);

  MessageAssembler second = std::move(first);
  feed(second, ByteSpan(bytes).subspan(8), outcome);

  EXPECT_EQ(outcome.messages, (std::vector<std::string>{"hello", "world"}));
}

TEST(MessageAssembler, HoldsNothingAndTakesNothingOnceItIsDropped) {
  MessageAssembler assembler(limit);
  Outcome outcome;
  feed(assembler, ByteSpan(framed({"hello"})).first(8), outcome);

  assembler.drop();
  const Bytes later = framed({"hello"});
  ByteSpan more = later;

  EXPECT_EQ(assembler.capacity(), 0U);
  EXPECT_FALSE(assembler.is_mid_message());
  EXPECT_TRUE(assembler.free_tail().empty());
  EXPECT_EQ(assembler.next(more).kind, MessageAssembler::Kind::failed);
}

TEST(MessagePrefix, IsAFlagAndABigEndianLength) {
  EXPECT_EQ(prefix(1, 0x0102'03ff),
            (Bytes{std::byte{1}, std::byte{1}, std::byte{2}, std::byte{3}, std::byte{0xff}}));
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
