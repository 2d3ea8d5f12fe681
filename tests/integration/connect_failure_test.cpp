// SPDX-License-Identifier: Apache-2.0
// Connecting that comes to nothing: what the user's factory is told, and that all it held is
// closed.
#include "../examples/custom_transport/plugin_transport.hpp"
#include "base/unique_fd.hpp"
#include "integration/both_drivers.hpp"
#include "support/open_descriptors.hpp"
#include "support/temp_dir.hpp"
#include "transport/socket_address.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <stdexcept>
#include <thread>
#include <utility>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using Connected = Result<std::unique_ptr<Transport>>;
using plugin::PassedSocket;

std::pair<detail::UniqueFd, detail::UniqueFd> socket_pair() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  return {detail::UniqueFd(fds[0]), detail::UniqueFd(fds[1])};
}

/// A factory that makes one half-open connection a call, and what becomes of it.
class HalfOpen {
 public:
  std::unique_ptr<Transport> make() {
    auto [ours, theirs] = socket_pair();
    far_end_ = std::move(theirs);
    return std::make_unique<PassedSocket>(ours.release());
  }
  /// Whether the connection was made, and closed since.
  bool is_closed() const {
    char byte = 0;
    return far_end_ && ::recv(far_end_.get(), &byte, 1, MSG_DONTWAIT) == 0;
  }
  int far_end() const noexcept { return far_end_.get(); }
  void forget() { far_end_.reset(); }

 private:
  detail::UniqueFd far_end_;
};

/// Holds a connection, and waits for longer than anybody.
Task<Connected> never(std::unique_ptr<Transport> half_open, Counter* waiting) {
  waiting->add();
  co_await sleep_for(1h);
  co_return std::move(half_open);
}

Task<Connected> fail_later(std::unique_ptr<Transport> half_open) {
  co_await sleep_for(1ms);
  half_open->shutdown_write();
  co_return Status(StatusCode::permission_denied, "not for you");
}

Task<Connected> throw_later(std::unique_ptr<Transport> half_open) {
  co_await sleep_for(1ms);
  half_open->shutdown_write();
  throw std::runtime_error("no more sockets today");
}

class ConnectFails : public testing::TestWithParam<ClientDriver> {
 protected:
  /// One unary call with `options`: how it ended. What the factory held must be closed by then, or
  /// on a loop soon after, without help of the loop's end or the channel's.
  Status call(ConnectCallback callback, const CallOptions& options) {
    Channel channel("http://localhost",
                    ChannelOptions().connect_timeout(60s).connector(std::move(callback)));
    const Echo::Client echo(channel);
    sync_wait(make_loop());
    const std::ptrdiff_t before = open_descriptors();
    Status status;
    if (GetParam() == ClientDriver::blocking) {
      status = echo.Unary(EchoRequest(), options).status();
    } else {
      status = sync_wait(call_and_see_it_closed(echo, options));
    }
    EXPECT_TRUE(half_open_.is_closed());
    half_open_.forget();
    EXPECT_EQ(open_descriptors(), before) << "while the channel is still there";
    return status;
  }

  /// sync_wait() keeps its loop, with the descriptors of the first wait, until the thread ends.
  static Task<void> make_loop() { co_await sleep_for(1ms); }

  Task<Status> call_and_see_it_closed(const Echo::Client& echo, CallOptions options) {
    const Result<EchoReply> reply = co_await echo.UnaryAsync(EchoRequest(), options);
    const auto bound = std::chrono::steady_clock::now() + 10s;
    const bool closed = co_await wait_readable(half_open_.far_end(), bound);
    EXPECT_TRUE(closed) << "the connection that nobody wants is still held";
    co_return reply.status();
  }

  LogCapture log_;
  HalfOpen half_open_;
  Counter waiting_;
};

INSTANTIATE_TEST_SUITE_P(Drivers,
                         ConnectFails,
                         testing::Values(ClientDriver::blocking, ClientDriver::loop),
                         driver_name);

TEST_P(ConnectFails, AFailureIsTheCallsAndTheHalfOpenConnectionIsClosed) {
  const Status status = call([this](const auto&) { return fail_later(half_open_.make()); },
                             CallOptions().timeout(10s));

  EXPECT_EQ(status, Status(StatusCode::permission_denied, "not for you"));
}

TEST_P(ConnectFails, AnExceptionIsUnavailableAndTheHalfOpenConnectionIsClosed) {
  const Status status = call([this](const auto&) { return throw_later(half_open_.make()); },
                             CallOptions().timeout(10s));

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_NE(status.message().find("no more sockets today"), std::string::npos) << status.message();
}

TEST_P(ConnectFails, ACallThatIsLateTakesTheAttemptWithIt) {
  const Status status = call([this](const auto&) { return never(half_open_.make(), &waiting_); },
                             CallOptions().timeout(20ms));

  EXPECT_EQ(status.code(), StatusCode::deadline_exceeded) << status.to_string();
}

TEST_P(ConnectFails, ACallThatIsCancelledTakesTheAttemptWithIt) {
  std::stop_source stop;
  std::stop_token seen;
  std::jthread user([&] {
    EXPECT_TRUE(waiting_.reaches(1));
    stop.request_stop();
  });

  const Status status = call(
      [&](const ConnectContext& context) {
        seen = context.cancellation();
        return never(half_open_.make(), &waiting_);
      },
      CallOptions().timeout(60s).cancellation(stop.get_token()));

  EXPECT_EQ(status.code(), StatusCode::cancelled) << status.to_string();
  EXPECT_TRUE(seen.stop_requested()) << "the factory's own token";
}

TEST_P(ConnectFails, TheFactorysDeadlineIsThatOfItsAttempt) {
  std::chrono::steady_clock::time_point deadline;
  const auto before = std::chrono::steady_clock::now();

  const Status status = call(
      [&](const ConnectContext& context) {
        deadline = context.deadline();
        return fail_later(half_open_.make());
      },
      CallOptions().timeout(10s));

  EXPECT_FALSE(status.ok());
  EXPECT_GT(deadline, before);
  // A loop's attempt is shared by all calls that wait for it.
  const auto most = GetParam() == ClientDriver::blocking ? 10s : 60s;
  EXPECT_LE(deadline, std::chrono::steady_clock::now() + most);
}

TEST_P(ConnectFails, AServerThatGoesWithoutAcceptingIsUnavailableAtOnce) {
  TempDir folder;
  const std::string path = folder.file("s");
  const detail::SocketAddress address = detail::SocketAddress::unix_path(path);
  detail::UniqueFd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(listening.get(), address.get(), address.size()), 0);
  ASSERT_EQ(::listen(listening.get(), 8), 0);
  std::jthread leaver([&listening] {
    pollfd connected{listening.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&connected, 1, 20'000), 1);
    listening.reset();
  });
  Channel channel("unix:" + path);
  const Echo::Client echo(channel);

  const Status status = converse(GetParam(), echo, Conversation());

  EXPECT_EQ(status.code(), StatusCode::unavailable) << status.to_string();
}

TEST_P(ConnectFails, AFactoryThatSucceedsWithoutAConnectionIsUnavailable) {
  Channel channel(
      "http://localhost",
      ChannelOptions().connector([](const auto&) -> Task<Connected> { co_return nullptr; }));
  const Echo::Client echo(channel);

  const Status status = converse(GetParam(), echo, Conversation());

  EXPECT_EQ(status.code(), StatusCode::unavailable) << status.to_string();
}

}  // namespace
}  // namespace nearcall::test
