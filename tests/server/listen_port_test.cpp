// SPDX-License-Identifier: Apache-2.0
// ListenPort: who is handed on, who is closed at accept, and how failures to accept are retried.
#include "server/listen_port.hpp"

#include "base/unique_fd.hpp"
#include "support/log_capture.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/server.hpp>
#include <nearcall/testing/manual_clock.hpp>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

/// A connection of which only the peer and the end matter.
class StubTransport final : public Transport {
 public:
  StubTransport(PeerIdentity peer, int& open, int& writes)
      : peer_(std::move(peer)), open_(&open), writes_(&writes) {
    ++*open_;
  }
  StubTransport(const StubTransport&) = delete;
  StubTransport& operator=(const StubTransport&) = delete;
  ~StubTransport() override { --*open_; }

  IoResult try_read(std::span<std::byte> /*into*/) override {
    ADD_FAILURE() << "a byte was read";
    return IoResult::end_of_stream();
  }
  IoResult try_write(std::span<const iovec> /*from*/) override {
    ++*writes_;
    return IoResult::failed(std::make_error_code(std::errc::broken_pipe));
  }
  WaitAdvice prepare_wait(Interest /*interest*/) override { return WaitAdvice::ready_now(); }
  void abort(std::error_code /*reason*/) noexcept override {}
  const PeerIdentity& peer() const noexcept override { return peer_; }

 private:
  PeerIdentity peer_;
  int* open_;
  int* writes_;
};

/// What a test makes a listener answer, and what became of it.
struct Script {
  std::deque<Result<std::unique_ptr<Transport>>> answers;
  UniqueFd event{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  short events = POLLIN;
  int accepts = 0;
  int unbinds = 0;
  int writes = 0;
  int open = 0;
  Result<bool> name = false;
  int checks = 0;
  bool is_over = false;

  void connect(uid_t uid) {
    wait(uid);
    tell();
  }
  /// Connects, and the loop does not know yet.
  void wait(uid_t uid) {
    answers.emplace_back(
        std::make_unique<StubTransport>(PeerIdentity("unix:/peer", uid, 1, 2), open, writes));
  }
  void connect_unknown() {
    answers.emplace_back(
        std::make_unique<StubTransport>(PeerIdentity("ipv4:1.2.3.4:5"), open, writes));
    tell();
  }
  void fail(const char* why) {
    answers.emplace_back(Failure{Status(StatusCode::resource_exhausted, why)});
    tell();
  }
  void tell() const {
    const std::uint64_t one = 1;
    EXPECT_EQ(::write(event.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
  }
};

class ScriptedListener final : public Listener {
 public:
  explicit ScriptedListener(Script& script) : script_(&script) {}

  Result<void> bind() override { return {}; }
  Result<std::unique_ptr<Transport>> try_accept() override {
    ++script_->accepts;
    if (script_->answers.empty()) {
      std::uint64_t count = 0;
      static_cast<void>(!::read(script_->event.get(), &count, sizeof count));
      return std::unique_ptr<Transport>();
    }
    auto next = std::move(script_->answers.front());
    script_->answers.pop_front();
    return next;
  }
  WaitAdvice prepare_wait() override {
    return WaitAdvice::poll(script_->event.get(), script_->events);
  }
  void unbind() noexcept override { ++script_->unbinds; }
  Result<bool> check_name() override {
    ++script_->checks;
    return script_->name;
  }
  bool is_over() const noexcept override { return script_->is_over; }
  std::string address() const override { return "test:port"; }

 private:
  Script* script_;
};

class ListenPortTest : public test::LogCheckedTest, public ListenPort::Owner {
 protected:
  void listen(PeerPolicy policy, const ServerOptions& options = ServerOptions()) {
    shared_.emplace(options);
    port_.emplace(*shared_, Access::core(loop_), std::make_unique<ScriptedListener>(script_),
                  policy, *this);
    port_->start();
  }
  void take(std::unique_ptr<Transport> connection, ConnectionQuota::Place place) override {
    taken_.emplace_back(std::move(connection), std::move(place));
  }
  void on_listener_end() noexcept override { ++ends_; }
  /// Turns the loop until nothing more is due now.
  void settle() {
    pollfd look{loop_.fd(), POLLIN, 0};
    do {
      loop_.poll();
    } while (::poll(&look, 1, 0) == 1);
  }
  /// Turns the loop until its next timer, ten seconds at most.
  void await_timer() {
    pollfd look{loop_.fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&look, 1, 10'000), 1);
    settle();
  }

  EventLoop loop_{SpinPolicy::off()};
  Script script_;
  std::optional<ServerShared> shared_;
  std::vector<std::pair<std::unique_ptr<Transport>, ConnectionQuota::Place>> taken_;
  int ends_ = 0;
  std::optional<ListenPort> port_;
};

const uid_t our_uid = ::geteuid();
/// Neither ours nor root's.
const uid_t other_uid = our_uid == 4242 ? 4243 : 4242;

TEST_F(ListenPortTest, ListenerThatIsOverIsToldOnce) {
  listen(PeerPolicy::same_user_or_root());
  EXPECT_EQ(ends_, 0);
  script_.is_over = true;
  script_.tell();

  settle();
  script_.tell();
  settle();

  EXPECT_EQ(ends_, 1);
}

TEST_F(ListenPortTest, HandsOnWhoWaitsAlreadyAndWhoComesLater) {
  script_.connect(our_uid);
  listen(PeerPolicy::same_user_or_root());
  EXPECT_EQ(taken_.size(), 1U);

  script_.connect(our_uid);
  script_.connect(our_uid);
  settle();

  EXPECT_EQ(taken_.size(), 3U);
}

TEST_F(ListenPortTest, WhoIsNotAdmittedIsClosedUnreadAndNamedInTheLog) {
  listen(PeerPolicy::same_user_or_root());
  script_.connect(other_uid);
  settle();

  EXPECT_TRUE(taken_.empty());
  EXPECT_EQ(script_.open, 0) << "closed";
  EXPECT_EQ(script_.writes, 1) << "with a notice";
  EXPECT_EQ(shared_->counters().refused(Observer::Refusal::policy), 1U);
  EXPECT_TRUE(log_capture().take("test:port: peer unix:/peer uid=" + std::to_string(other_uid)));
}

TEST_F(ListenPortTest, APeerWithoutCredentialsIsRefusedWhereTheyAreNeeded) {
  listen(PeerPolicy::same_user_or_root());
  script_.connect_unknown();
  settle();

  EXPECT_TRUE(taken_.empty());
  EXPECT_TRUE(log_capture().take("ipv4:1.2.3.4:5: a peer without credentials is not admitted"));
}

TEST_F(ListenPortTest, AnyoneMayComeWhereThatWasSaid) {
  listen(untrusted::anyone());
  script_.connect_unknown();
  script_.connect(other_uid);
  settle();

  EXPECT_EQ(taken_.size(), 2U);
}

TEST_F(ListenPortTest, TheConnectionBeyondTheLimitIsClosedAndItsPlaceComesBack) {
  listen(PeerPolicy::same_user_or_root(), ServerOptions().max_connections(2));
  script_.connect(our_uid);
  script_.connect(our_uid);
  script_.connect(our_uid);
  settle();
  EXPECT_EQ(taken_.size(), 2U);
  EXPECT_EQ(script_.open, 2);
  EXPECT_EQ(shared_->counters().refused(Observer::Refusal::limit), 1U);
  EXPECT_TRUE(log_capture().take("beyond the limit of connections"));

  taken_.pop_back();
  script_.connect(our_uid);
  settle();

  EXPECT_EQ(taken_.size(), 2U);
}

TEST_F(ListenPortTest, OneUsersLimitLeavesRoomForAnother) {
  listen(untrusted::anyone(), ServerOptions().max_connections_per_uid(1));
  script_.connect(our_uid);
  script_.connect(our_uid);
  script_.connect(other_uid);
  settle();

  ASSERT_EQ(taken_.size(), 2U);
  EXPECT_EQ(taken_[0].first->peer().uid(), our_uid);
  EXPECT_EQ(taken_[1].first->peer().uid(), other_uid);
  EXPECT_TRUE(log_capture().take("beyond the limit of connections"));
}

TEST_F(ListenPortTest, ManyRefusalsAreOneLineInTheLog) {
  listen(PeerPolicy::same_user_or_root());
  for (int i = 0; i < 20; ++i)
    script_.connect(other_uid);
  settle();

  EXPECT_EQ(log_capture().lines().size(), 1U);
  EXPECT_TRUE(log_capture().take("is not admitted"));
}

TEST_F(ListenPortTest, AFailureToAcceptIsRetriedAfterAPauseNotAtOnce) {
  listen(PeerPolicy::same_user_or_root());
  const int accepts_before = script_.accepts;
  script_.fail("too many open files");
  script_.connect(our_uid);
  loop_.poll();
  EXPECT_EQ(script_.accepts, accepts_before + 1) << "it pauses although more wait";
  EXPECT_TRUE(log_capture().take("test:port: accept: too many open files"));

  await_timer();

  EXPECT_EQ(taken_.size(), 1U);
}

TEST_F(ListenPortTest, AfterAPauseItIsToldOfNewConnectionsAgain) {
  listen(PeerPolicy::same_user_or_root());
  script_.fail("too many open files");
  settle();
  EXPECT_TRUE(log_capture().take("accept"));
  await_timer();
  ASSERT_TRUE(taken_.empty());

  script_.connect(our_uid);
  settle();

  EXPECT_EQ(taken_.size(), 1U);
}

TEST_F(ListenPortTest, AListenerIsAskedAfterTheEventsThatItNamedLast) {
  script_.events = POLLRDHUP;  // which an eventfd never has
  listen(PeerPolicy::same_user_or_root());
  script_.connect(our_uid);
  settle();
  EXPECT_TRUE(taken_.empty());

  script_.events = POLLIN;
  port_->on_fd_events(POLLRDHUP);
  EXPECT_EQ(taken_.size(), 1U);
  script_.connect(our_uid);
  settle();

  EXPECT_EQ(taken_.size(), 2U);
}

TEST_F(ListenPortTest, MoreThanOneTurnsShareIsTakenInTheEnd) {
  for (int i = 0; i < 200; ++i)
    script_.connect(our_uid);
  listen(PeerPolicy::same_user_or_root());
  EXPECT_LT(taken_.size(), 200U) << "others get a turn in between";

  settle();

  EXPECT_EQ(taken_.size(), 200U);
}

TEST_F(ListenPortTest, OnceUnboundItTakesNobodyAndTheOthersLiveOn) {
  listen(PeerPolicy::same_user_or_root());
  script_.connect(our_uid);
  settle();

  port_->unbind();
  port_->unbind();
  script_.connect(our_uid);
  settle();

  EXPECT_EQ(script_.unbinds, 1);
  EXPECT_EQ(taken_.size(), 1U);
  port_.reset();
  EXPECT_EQ(script_.unbinds, 1);
}

TEST_F(ListenPortTest, ADrainTakesThoseWhoWaitAndNobodyLater) {
  listen(PeerPolicy::same_user_or_root());
  script_.connect(our_uid);
  script_.connect(other_uid);
  script_.connect(our_uid);

  port_->drain();
  port_->drain();
  script_.connect(our_uid);
  settle();

  EXPECT_EQ(taken_.size(), 2U);
  EXPECT_EQ(script_.open, 3) << "the last one still waits";
  EXPECT_EQ(script_.unbinds, 1);
  EXPECT_TRUE(log_capture().take("is not admitted"));
}

TEST_F(ListenPortTest, ADrainEndsHoweverManyCome) {
  listen(PeerPolicy::same_user_or_root(), ServerOptions().max_connections(3));
  for (int i = 0; i < 5; ++i)
    script_.connect(our_uid);

  port_->drain();

  EXPECT_EQ(taken_.size(), 3U);
  EXPECT_EQ(script_.unbinds, 1);
  EXPECT_TRUE(log_capture().take("beyond the limit of connections"));
}

/// Time stands still for it until the test moves it.
class ListenPortTimeTest : public ListenPortTest {
 protected:
  void advance(Duration duration) {
    clock_.advance(duration);
    loop_.poll();
  }

  testing::ManualClock clock_{loop_};
};

TEST_F(ListenPortTimeTest, LooksForItsNameEveryFiveSecondsWhereThereIsOne) {
  script_.name = true;
  listen(PeerPolicy::same_user_or_root());
  EXPECT_EQ(script_.checks, 1);

  for (int i = 0; i < 3; ++i)
    advance(std::chrono::seconds(5));
  EXPECT_EQ(script_.checks, 4);
  script_.name = false;
  for (int i = 0; i < 3; ++i)
    advance(std::chrono::seconds(5));

  EXPECT_EQ(script_.checks, 5);
}

TEST_F(ListenPortTimeTest, ANameThatCannotBeLookedAfterIsLoggedAndLookedAtAgain) {
  script_.name = Failure{Status(StatusCode::permission_denied, "test:port: open: no")};
  listen(PeerPolicy::same_user_or_root());
  EXPECT_TRUE(
      log_capture().take("test:port: it cannot keep its name and its lock: test:port: open: no"));

  script_.name = true;
  advance(std::chrono::seconds(5));

  EXPECT_EQ(script_.checks, 2);
  EXPECT_EQ(ends_, 0);
}

TEST_F(ListenPortTimeTest, ANameThatASuccessorHasIsToldOnceAndLeftToIt) {
  script_.name = true;
  listen(PeerPolicy::same_user_or_root());
  script_.name = Failure{Status(StatusCode::aborted, "test:port: taken over")};

  for (int i = 0; i < 3; ++i)
    advance(std::chrono::seconds(5));

  EXPECT_EQ(ends_, 1);
  EXPECT_EQ(script_.checks, 2);
  EXPECT_TRUE(log_capture().take("test:port: taken over; this one stops"));
}

TEST_F(ListenPortTimeTest, WhoWaitsWhereASuccessorHasTheNameIsToldToGoThereAndThenItEnds) {
  script_.name = true;
  listen(PeerPolicy::same_user_or_root());
  script_.name = Failure{Status(StatusCode::aborted, "test:port: taken over")};
  for (int i = 0; i < 100; ++i)  // more than a turn's share
    script_.wait(our_uid);

  advance(std::chrono::seconds(5));
  EXPECT_EQ(ends_, 0) << "not while somebody waits";
  script_.tell();
  settle();

  EXPECT_EQ(ends_, 1);
  EXPECT_TRUE(taken_.empty());
  EXPECT_EQ(script_.writes, 100);
  EXPECT_EQ(script_.open, 0);
  EXPECT_EQ(shared_->counters().refused(Observer::Refusal::successor), 100U);
  EXPECT_TRUE(log_capture().take("taken over"));
}

TEST_F(ListenPortTimeTest, WhereASuccessorHasTheNameItEndsHoweverManyCome) {
  script_.name = Failure{Status(StatusCode::aborted, "test:port: taken over")};
  for (int i = 0; i < 100; ++i)
    script_.wait(our_uid);

  listen(PeerPolicy::same_user_or_root(), ServerOptions().max_connections(3));

  EXPECT_EQ(ends_, 1);
  EXPECT_EQ(script_.writes, 3);
  EXPECT_TRUE(log_capture().take("taken over"));
}

TEST_F(ListenPortTimeTest, WhereASuccessorHasTheNameItEndsHoweverManyStrangersCome) {
  script_.name = Failure{Status(StatusCode::aborted, "test:port: taken over")};
  for (int i = 0; i < 100; ++i)
    script_.wait(other_uid);

  listen(PeerPolicy::same_user_or_root(), ServerOptions().max_connections(3));

  EXPECT_EQ(ends_, 1);
  EXPECT_EQ(script_.accepts, 3);
  EXPECT_TRUE(log_capture().take("taken over"));
  EXPECT_TRUE(log_capture().take("is not admitted"));
}

TEST_F(ListenPortTimeTest, WhereASuccessorHasTheNameItEndsWhereAcceptFailsForGood) {
  script_.name = Failure{Status(StatusCode::aborted, "test:port: taken over")};
  for (int i = 0; i < 20; ++i)
    script_.fail("too many open files");
  log_capture().allow("too many open files");
  listen(PeerPolicy::same_user_or_root());

  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(ends_, 0) << i;
    advance(std::chrono::seconds(1));
  }

  EXPECT_EQ(ends_, 1);
  EXPECT_TRUE(log_capture().take("taken over"));
}

TEST_F(ListenPortTimeTest, WhereASuccessorHasTheNameAStrangerIsRefusedAsEver) {
  script_.name = Failure{Status(StatusCode::aborted, "test:port: taken over")};
  script_.wait(other_uid);

  listen(PeerPolicy::same_user_or_root());

  EXPECT_EQ(shared_->counters().refused(Observer::Refusal::policy), 1U);
  EXPECT_TRUE(log_capture().take("taken over"));
  EXPECT_TRUE(log_capture().take("is not admitted"));
}

TEST_F(ListenPortTimeTest, WhereASuccessorHasTheNameAFailureToAcceptIsNotTheEnd) {
  script_.name = Failure{Status(StatusCode::aborted, "test:port: taken over")};
  script_.fail("too many open files");
  script_.wait(our_uid);
  listen(PeerPolicy::same_user_or_root());
  EXPECT_EQ(ends_, 0);

  advance(std::chrono::milliseconds(10));

  EXPECT_EQ(ends_, 1);
  EXPECT_EQ(script_.writes, 1);
  EXPECT_TRUE(log_capture().take("taken over"));
  EXPECT_TRUE(log_capture().take("too many open files"));
}

TEST_F(ListenPortTest, AnUnbindInThePauseEndsTheRetries) {
  listen(PeerPolicy::same_user_or_root());
  script_.fail("too many open files");
  settle();
  EXPECT_TRUE(log_capture().take("accept"));
  const int accepts = script_.accepts;

  port_->unbind();
  loop_.poll();

  EXPECT_EQ(script_.accepts, accepts);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
