// SPDX-License-Identifier: Apache-2.0
// What every Transport promises, asked of a kind.
#include "testing/transport_io.hpp"

#include <nearcall/testing/transport_contract.hpp>

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::inline v0::testing {
namespace {

using namespace detail::transport_io;
using Kind = IoResult::Kind;

/// What no transport holds for a peer that reads nothing.
constexpr std::size_t most_unread = std::size_t{64} * 1024 * 1024;

/// How long one step of a test may take.
class Patience {
 public:
  explicit Patience(std::chrono::milliseconds most) : most_(most) {}

  /// Throws what then ends the test: "<what> after 10000 ms".
  void check(const char* what) const {
    if (std::chrono::steady_clock::now() - begin_ < most_) return;
    throw std::runtime_error(std::string(what) + " after " + std::to_string(most_.count()) + " ms");
  }

 private:
  const std::chrono::milliseconds most_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// Takes both ends through their handshakes.
TransportPair shake_hands(TransportPair ends, std::chrono::milliseconds most) {
  const Patience patience(most);
  if (!ends.first || !ends.second) throw std::runtime_error("make() gave no transport");
  std::vector<Transport*> pending = {ends.first.get(), ends.second.get()};
  while (!pending.empty()) {
    std::erase_if(pending, [](Transport* end) {
      const Result<Handshake, std::error_code> moved = end->handshake();
      if (!moved) throw std::runtime_error("the handshake failed: " + moved.error().message());
      return *moved == Handshake::done;
    });
    if (!pending.empty()) patience.check("a handshake was still pending");
    // Each may wait for the other.
    for (Transport* const end : pending)
      park(*end, {Interest::read}, /*milliseconds=*/1);
  }
  return ends;
}

/// The two ends that a test asks.
class Ends {
 public:
  explicit Ends(const TransportKind& kind)
      : kind_(&kind), ends_(shake_hands(kind.make(), kind.patience)) {}

  const TransportKind& kind() const { return *kind_; }
  Transport& here() { return *ends_.first; }
  Transport& there() { return *ends_.second; }
  void destroy_there() { ends_.second.reset(); }

 private:
  const TransportKind* kind_;
  TransportPair ends_;
};

/// An epoll set, closed with the test.
class EdgePoller {
 public:
  EdgePoller() = default;
  EdgePoller(const EdgePoller&) = delete;
  EdgePoller& operator=(const EdgePoller&) = delete;
  ~EdgePoller() { ::close(fd_); }

  /// As a loop does: each descriptor once, and for good.
  bool watch(WaitAdvice advice) const {
    epoll_event wanted{static_cast<std::uint32_t>(advice.events()) | EPOLLET, {}};
    return ::epoll_ctl(fd_, EPOLL_CTL_ADD, advice.fd(), &wanted) == 0 || errno == EEXIST;
  }
  bool wait() const {
    epoll_event event{};
    return ::epoll_wait(fd_, &event, 1, 10'000) == 1;
  }

 private:
  const int fd_ = ::epoll_create1(EPOLL_CLOEXEC);
};

void bytes_arrive_in_order_in_both_directions(Ends& ends) {
  for (const auto& [from, to] :
       {std::pair(&ends.here(), &ends.there()), std::pair(&ends.there(), &ends.here())}) {
    std::jthread writer([from = from] { write_all(*from, "hello, world"); });

    EXPECT_EQ(read_exactly(*to, 12), "hello, world");
    writer.join();
  }
}

void gathered_pieces_arrive_in_order(Ends& ends) {
  std::string sent;
  std::vector<iovec> pieces;
  std::vector<std::string> texts;
  for (int i = 0; i < 1500; ++i)
    texts.push_back(std::to_string(i) + ",");  // more than IOV_MAX
  for (const std::string& text : texts) {
    pieces.push_back(piece(text));
    sent += text;
  }

  const IoResult result = ends.here().try_write(pieces);

  ASSERT_EQ(result.kind(), Kind::bytes);
  EXPECT_EQ(read_exactly(ends.there(), result.count()), sent.substr(0, result.count()));
}

void handshake_that_is_done_stays_done(Ends& ends) {
  for (int i = 0; i < 2; ++i) {
    const auto handshake = ends.here().handshake();
    ASSERT_TRUE(handshake);
    EXPECT_EQ(*handshake, Handshake::done);
  }
}

void nothing_to_read_would_block(Ends& ends) {
  EXPECT_EQ(read_kind(ends.here()), Kind::would_block);
  EXPECT_FALSE(is_ready(ends.here(), Interest::read));
  EXPECT_TRUE(is_ready(ends.here(), Interest::write));
}

/// Writes until there is no room left: how much that was.
std::size_t fill(Ends& ends) {
  const std::string block(1000, 'x');
  const Patience patience(ends.kind().patience);
  std::size_t written = 0;
  for (;;) {
    const IoResult result = write_once(ends.here(), block);
    if (result.kind() == Kind::failed) {
      throw std::runtime_error("a write failed: " + result.error().message());
    }
    written += result.count();
    if (written > most_unread) {
      throw std::runtime_error("64 MiB were written that nobody read, and no write would block");
    }
    if (result.kind() == Kind::would_block) {
      if (!is_ready(ends.here(), Interest::write)) return written;
      // TCP moves bytes on to the other side's buffer meanwhile.
      patience.check("a write would block where prepare_wait() says that it does not, still");
    }
  }
}

void full_buffer_would_block_and_room_makes_it_ready(Ends& ends) {
  const std::size_t written = fill(ends);
  std::jthread reader([&] { read_exactly(ends.there(), written); });

  EXPECT_TRUE(park(ends.here(), Interest::write));
  reader.join();
  EXPECT_EQ(write_once(ends.here(), "y").kind(), Kind::bytes);
}

void destruction_lets_the_peer_read_what_was_written_and_then_the_end(Ends& ends) {
  ASSERT_EQ(write_once(ends.there(), "x").kind(), Kind::bytes);
  ends.destroy_there();

  EXPECT_EQ(read_exactly(ends.here(), 2), "x");
  ASSERT_TRUE(park(ends.here(), Interest::read));
  EXPECT_EQ(read_kind(ends.here()), Kind::end_of_stream);
}

void says_whether_writes_fail_after_the_peer_closed(Ends& ends) {
  EXPECT_EQ(ends.here().writes_fail_after_close(), ends.kind().writes_fail_after_close);
}

void shutdown_of_writing_ends_one_direction_only(Ends& ends) {
  ends.here().shutdown_write();

  ASSERT_TRUE(park(ends.there(), Interest::read));
  EXPECT_EQ(read_kind(ends.there()), Kind::end_of_stream);
  EXPECT_EQ(write_once(ends.here(), "x").error(), std::errc::broken_pipe);
  ASSERT_EQ(write_once(ends.there(), "x").kind(), Kind::bytes);
  EXPECT_EQ(read_exactly(ends.here(), 1), "x");
}

void abort_fails_both_directions_with_the_first_reason(Ends& ends) {
  ASSERT_EQ(write_once(ends.there(), "x").kind(), Kind::bytes);
  ends.here().abort(std::make_error_code(std::errc::timed_out));
  ends.here().abort(std::make_error_code(std::errc::io_error));

  std::array<std::byte, 8> buffer{};
  EXPECT_EQ(ends.here().try_read(buffer).error(), std::errc::timed_out);
  EXPECT_EQ(write_once(ends.here(), "x").error(), std::errc::timed_out);
  EXPECT_TRUE(is_ready(ends.here(), Interest::read));
  EXPECT_TRUE(is_ready(ends.here(), Interest::write));
}

void abort_is_seen_by_the_peer(Ends& ends) {
  ends.here().abort(std::make_error_code(std::errc::timed_out));

  ASSERT_TRUE(park(ends.there(), Interest::read));
  EXPECT_EQ(read_kind(ends.there()), Kind::end_of_stream);
}

void abort_wakes_both_parked_directions(Ends& ends) {
  fill(ends);
  std::jthread reader([&] { EXPECT_TRUE(park(ends.here(), Interest::read)); });
  std::jthread writer([&] { EXPECT_TRUE(park(ends.here(), Interest::write)); });

  ends.here().abort(std::make_error_code(std::errc::operation_canceled));

  reader.join();
  writer.join();
  EXPECT_EQ(read_kind(ends.here()), Kind::failed);
}

void descriptor_may_be_watched_edge_triggered(Ends& ends) {
  const EdgePoller poller;
  constexpr int rounds = 200;
  std::jthread writer([&] {
    for (int i = 0; i < rounds; ++i)
      write_all(ends.there(), "x");
  });

  int received = 0;
  while (received < rounds) {
    std::array<std::byte, 7> buffer{};
    const IoResult result = ends.here().try_read(buffer);
    received += static_cast<int>(result.count());
    if (result.kind() == Kind::bytes && (!result.is_all() || received == rounds)) continue;
    ASSERT_TRUE(result.is_all() || result.kind() == Kind::would_block);
    const WaitAdvice advice = ends.here().prepare_wait(Interest::read);
    if (advice.is_ready()) continue;
    ASSERT_TRUE(poller.watch(advice));
    ASSERT_TRUE(poller.wait()) << "after " << received;
  }
  writer.join();
}

void two_threads_move_a_lot_in_both_directions(Ends& ends) {
  std::string sent(50'000, ' ');
  for (std::size_t i = 0; i < sent.size(); ++i)
    sent[i] = static_cast<char>(i * 31 + (i >> 8U));
  std::string received_there;
  std::jthread writer_here([&] { EXPECT_TRUE(write_all(ends.here(), sent)); });
  std::jthread writer_there([&] { EXPECT_TRUE(write_all(ends.there(), sent)); });
  std::jthread reader_there([&] { received_there = read_exactly(ends.there(), sent.size()); });

  const std::string received_here = read_exactly(ends.here(), sent.size());

  writer_here.join();
  writer_there.join();
  reader_there.join();
  EXPECT_TRUE(received_here == sent);
  EXPECT_TRUE(received_there == sent);
}

void writes_fail_at_once_after_the_peer_closed(Ends& ends) {
  ends.destroy_there();

  EXPECT_EQ(write_once(ends.here(), "x").kind(), Kind::failed);
}

void a_failed_write_leaves_what_the_peer_said_readable(Ends& ends) {
  ASSERT_EQ(write_once(ends.there(), "G").kind(), Kind::bytes);  // its GOAWAY
  ends.there().shutdown_write();
  ASSERT_TRUE(park(ends.here(), Interest::read));
  ends.destroy_there();

  EXPECT_EQ(write_once(ends.here(), "x").error(), std::errc::broken_pipe);
  EXPECT_EQ(read_once(ends.here()), "G");
  EXPECT_EQ(read_kind(ends.here()), Kind::end_of_stream);
}

struct Case {
  const char* name;
  void (*body)(Ends& ends);
  /// What a kind promises that is asked this; null: all are.
  bool TransportKind::*promise;
};

constexpr Case cases[] = {
    {"BytesArriveInOrderInBothDirections", bytes_arrive_in_order_in_both_directions, nullptr},
    {"GatheredPiecesArriveInOrder", gathered_pieces_arrive_in_order, nullptr},
    {"HandshakeThatIsDoneStaysDone", handshake_that_is_done_stays_done, nullptr},
    {"NothingToReadWouldBlock", nothing_to_read_would_block, nullptr},
    {"FullBufferWouldBlockAndRoomMakesItReady", full_buffer_would_block_and_room_makes_it_ready,
     nullptr},
    {"DestructionLetsThePeerReadWhatWasWrittenAndThenTheEnd",
     destruction_lets_the_peer_read_what_was_written_and_then_the_end, nullptr},
    {"SaysWhetherWritesFailAfterThePeerClosed", says_whether_writes_fail_after_the_peer_closed,
     nullptr},
    {"ShutdownOfWritingEndsOneDirectionOnly", shutdown_of_writing_ends_one_direction_only, nullptr},
    {"AbortFailsBothDirectionsWithTheFirstReason",
     abort_fails_both_directions_with_the_first_reason, nullptr},
    {"AbortIsSeenByThePeer", abort_is_seen_by_the_peer, nullptr},
    {"AbortWakesBothParkedDirections", abort_wakes_both_parked_directions, nullptr},
    {"DescriptorMayBeWatchedEdgeTriggered", descriptor_may_be_watched_edge_triggered, nullptr},
    {"TwoThreadsMoveALotInBothDirections", two_threads_move_a_lot_in_both_directions, nullptr},
    {"WritesFailAtOnceAfterThePeerClosed", writes_fail_at_once_after_the_peer_closed,
     &TransportKind::writes_fail_after_close},
    {"AFailedWriteLeavesWhatThePeerSaidReadable", a_failed_write_leaves_what_the_peer_said_readable,
     &TransportKind::keeps_input_of_closed},
};

class ContractTest : public ::testing::Test {
 public:
  ContractTest(TransportKind kind, const Case& of) : kind_(std::move(kind)), case_(&of) {}

 private:
  void TestBody() override {
    Ends ends(kind_);
    case_->body(ends);
  }

  const TransportKind kind_;
  const Case* case_;
};

}  // namespace

int add_transport_contract(const TransportKind& kind) {
  int count = 0;
  for (const Case& each : cases) {
    if (each.promise != nullptr && !(kind.*each.promise)) continue;
    const std::string name = std::string(each.name) + "/" + kind.name;
    const auto make = [kind, &each] { return new ContractTest(kind, each); };
    ::testing::RegisterTest("TransportContract", name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                            make);
    ++count;
  }
  return count;
}

}  // namespace nearcall::inline v0::testing
