// SPDX-License-Identifier: Apache-2.0
// What every Transport promises, asked of each kind in the table.
#include "base/unique_fd.hpp"
#include "support/io.hpp"
#include "support/transport_kinds.hpp"

#include <gtest/gtest.h>
#include <sys/epoll.h>

#include <array>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using Kind = IoResult::Kind;
using test::TransportKind;
using test::TransportPair;

class TransportContract : public testing::TestWithParam<TransportKind> {
 protected:
  Transport& here() { return *ends_.first; }
  Transport& there() { return *ends_.second; }
  void destroy_there() { ends_.second.reset(); }

 private:
  TransportPair ends_ = test::shake_hands(GetParam().make());
};

TEST_P(TransportContract, BytesArriveInOrderInBothDirections) {
  for (const auto& [from, to] : {std::pair(&here(), &there()), std::pair(&there(), &here())}) {
    std::thread writer([from = from] { test::write_all(*from, "hello, world"); });

    EXPECT_EQ(test::read_exactly(*to, 12), "hello, world");
    writer.join();
  }
}

TEST_P(TransportContract, GatheredPiecesArriveInOrder) {
  std::string sent;
  std::vector<iovec> pieces;
  std::vector<std::string> texts;
  for (int i = 0; i < 1500; ++i)
    texts.push_back(std::to_string(i) + ",");  // more than IOV_MAX
  for (const std::string& text : texts) {
    pieces.push_back(test::piece(text));
    sent += text;
  }

  const IoResult result = here().try_write(pieces);

  ASSERT_EQ(result.kind(), Kind::bytes);
  EXPECT_EQ(test::read_exactly(there(), result.count()), sent.substr(0, result.count()));
}

TEST_P(TransportContract, HandshakeThatIsDoneStaysDone) {
  for (int i = 0; i < 2; ++i) {
    const auto handshake = here().handshake();
    ASSERT_TRUE(handshake);
    EXPECT_EQ(*handshake, Handshake::done);
  }
}

TEST_P(TransportContract, NothingToReadWouldBlock) {
  EXPECT_EQ(test::read_kind(here()), Kind::would_block);
  EXPECT_FALSE(test::is_ready(here(), Interest::read));
  EXPECT_TRUE(test::is_ready(here(), Interest::write));
}

TEST_P(TransportContract, FullBufferWouldBlockAndRoomMakesItReady) {
  const std::string block(1000, 'x');
  std::size_t written = 0;
  for (;;) {
    const IoResult result = test::write_once(here(), block);
    if (result.kind() == Kind::would_block) {
      if (!test::is_ready(here(), Interest::write)) break;
      continue;  // TCP moves bytes on to the other side's buffer meanwhile
    }
    ASSERT_EQ(result.kind(), Kind::bytes);
    written += result.count();
  }
  std::thread reader([&] { test::read_exactly(there(), written); });

  EXPECT_TRUE(test::park(here(), Interest::write));
  reader.join();
  EXPECT_EQ(test::write_once(here(), "y").kind(), Kind::bytes);
}

TEST_P(TransportContract, DestructionLetsThePeerReadWhatWasWrittenAndThenTheEnd) {
  ASSERT_EQ(test::write_once(there(), "x").kind(), Kind::bytes);
  destroy_there();

  EXPECT_EQ(test::read_exactly(here(), 2), "x");
  ASSERT_TRUE(test::park(here(), Interest::read));
  EXPECT_EQ(test::read_kind(here()), Kind::end_of_stream);
}

TEST_P(TransportContract, SaysWhetherWritesFailAfterThePeerClosed) {
  EXPECT_EQ(here().writes_fail_after_close(), GetParam().writes_fail_after_close);
}

TEST_P(TransportContract, ShutdownOfWritingEndsOneDirectionOnly) {
  here().shutdown_write();

  ASSERT_TRUE(test::park(there(), Interest::read));
  EXPECT_EQ(test::read_kind(there()), Kind::end_of_stream);
  EXPECT_EQ(test::write_once(here(), "x").error(), std::errc::broken_pipe);
  ASSERT_EQ(test::write_once(there(), "x").kind(), Kind::bytes);
  EXPECT_EQ(test::read_exactly(here(), 1), "x");
}

TEST_P(TransportContract, AbortFailsBothDirectionsWithTheFirstReason) {
  ASSERT_EQ(test::write_once(there(), "x").kind(), Kind::bytes);
  here().abort(std::make_error_code(std::errc::timed_out));
  here().abort(std::make_error_code(std::errc::io_error));

  std::array<std::byte, 8> buffer{};
  EXPECT_EQ(here().try_read(buffer).error(), std::errc::timed_out);
  EXPECT_EQ(test::write_once(here(), "x").error(), std::errc::timed_out);
  EXPECT_TRUE(test::is_ready(here(), Interest::read));
  EXPECT_TRUE(test::is_ready(here(), Interest::write));
}

TEST_P(TransportContract, AbortIsSeenByThePeer) {
  here().abort(std::make_error_code(std::errc::timed_out));

  ASSERT_TRUE(test::park(there(), Interest::read));
  EXPECT_EQ(test::read_kind(there()), Kind::end_of_stream);
}

TEST_P(TransportContract, AbortWakesBothParkedDirections) {
  while (test::write_once(here(), std::string(1000, 'x')).kind() == Kind::bytes) {
  }
  std::thread reader([&] { EXPECT_TRUE(test::park(here(), Interest::read)); });
  std::thread writer([&] { EXPECT_TRUE(test::park(here(), Interest::write)); });

  here().abort(std::make_error_code(std::errc::operation_canceled));

  reader.join();
  writer.join();
  EXPECT_EQ(test::read_kind(here()), Kind::failed);
}

TEST_P(TransportContract, DescriptorMayBeWatchedEdgeTriggered) {
  const UniqueFd poller(::epoll_create1(EPOLL_CLOEXEC));
  /// As a loop does: each descriptor once, and for good.
  const auto watch = [&poller](WaitAdvice advice) {
    epoll_event wanted{static_cast<std::uint32_t>(advice.events()) | EPOLLET, {}};
    const int added = ::epoll_ctl(poller.get(), EPOLL_CTL_ADD, advice.fd(), &wanted);
    return added == 0 || errno == EEXIST;
  };
  constexpr int rounds = 200;
  std::thread writer([&] {
    for (int i = 0; i < rounds; ++i)
      test::write_all(there(), "x");
  });

  int received = 0;
  while (received < rounds) {
    std::array<std::byte, 7> buffer{};
    const IoResult result = here().try_read(buffer);
    received += static_cast<int>(result.count());
    if (result.kind() == Kind::bytes && (!result.is_all() || received == rounds)) continue;
    ASSERT_TRUE(result.is_all() || result.kind() == Kind::would_block);
    const WaitAdvice advice = here().prepare_wait(Interest::read);
    if (advice.is_ready()) continue;
    ASSERT_TRUE(watch(advice));
    epoll_event event{};
    ASSERT_EQ(::epoll_wait(poller.get(), &event, 1, 10'000), 1) << "after " << received;
  }
  writer.join();
}

TEST_P(TransportContract, TwoThreadsMoveALotInBothDirections) {
  std::string sent(50'000, ' ');
  for (std::size_t i = 0; i < sent.size(); ++i)
    sent[i] = static_cast<char>(i * 31 + (i >> 8U));
  std::string received_there;
  std::thread writer_here([&] { EXPECT_TRUE(test::write_all(here(), sent)); });
  std::thread writer_there([&] { EXPECT_TRUE(test::write_all(there(), sent)); });
  std::thread reader_there([&] { received_there = test::read_exactly(there(), sent.size()); });

  const std::string received_here = test::read_exactly(here(), sent.size());

  writer_here.join();
  writer_there.join();
  reader_there.join();
  EXPECT_TRUE(received_here == sent);
  EXPECT_TRUE(received_there == sent);
}

/// Of kinds that promise Transport::writes_fail_after_close().
class WritesFailAfterClose : public TransportContract {};

TEST_P(WritesFailAfterClose, AtOnce) {
  destroy_there();

  EXPECT_EQ(test::write_once(here(), "x").kind(), Kind::failed);
}

/// Of kinds whose input outlives the peer.
class KeepsInputOfClosed : public TransportContract {};

TEST_P(KeepsInputOfClosed, AFailedWriteLeavesWhatThePeerSaidReadable) {
  ASSERT_EQ(test::write_once(there(), "G").kind(), Kind::bytes);  // its GOAWAY
  there().shutdown_write();
  ASSERT_TRUE(test::park(here(), Interest::read));
  destroy_there();

  EXPECT_EQ(test::write_once(here(), "x").error(), std::errc::broken_pipe);
  EXPECT_EQ(test::read_once(here()), "G");
  EXPECT_EQ(test::read_kind(here()), Kind::end_of_stream);
}

/// Those that promise `promise`, of those that can tell whether they are ready.
std::vector<TransportKind> kinds_with(bool TransportKind::*promise) {
  std::vector<TransportKind> kinds = test::transport_kinds();
  std::erase_if(kinds, [promise](const TransportKind& kind) {
    return !kind.wakes_only_when_ready || !(kind.*promise);
  });
  return kinds;
}

std::string name_of(const testing::TestParamInfo<TransportKind>& of) {
  return of.param.name;
}

TEST(TransportKinds, IncludeVsockWhereTheKernelHasItsLoopback) {
  if (!test::has_vsock_loopback()) GTEST_SKIP() << "this kernel has no loopback of vsock";

  EXPECT_EQ(test::transport_kinds().back().name, "Vsock");
}

INSTANTIATE_TEST_SUITE_P(Transports,
                         TransportContract,
                         testing::ValuesIn(kinds_with(&TransportKind::wakes_only_when_ready)),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Transports,
                         WritesFailAfterClose,
                         testing::ValuesIn(kinds_with(&TransportKind::writes_fail_after_close)),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Transports,
                         KeepsInputOfClosed,
                         testing::ValuesIn(kinds_with(&TransportKind::keeps_input_of_closed)),
                         name_of);

}  // namespace
}  // namespace nearcall::inline v0::detail
