// SPDX-License-Identifier: Apache-2.0
// A server of several loops: each has as many connections as the others.
#include "server/server_core.hpp"
#include "server/wrapper_service.hpp"
#include "support/session_peer.hpp"

#include <nearcall/server.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>

namespace nearcall::test {
namespace {

using testing::AllOf;
using testing::Each;
using testing::Ge;
using testing::Le;
using testing::Pair;
using testing::SizeIs;

/// Counts connections that have ended.
class EndObserver final : public Observer {
 public:
  void on_connection_ended(const Connection& /*connection*/, EndReason /*why*/) noexcept override {
    ended.add();
  }
  Occasions ended;
};

class ManyLoopsTest : public LogCheckedTest, public testing::WithParamInterface<int> {
 protected:
  static constexpr int many = 64;
  using Client = std::unique_ptr<SessionPeer>;
  /// By the name of the loop's thread.
  using Clients = std::map<std::string, std::list<Client>>;

  ManyLoopsTest() {
    service_.on_echo = [](ServerContext&, const Text&) {
      std::ostringstream name;
      name << std::this_thread::get_id();
      return Result<Text>(text_of(name.str()));
    };
    server_.add_service(service_).listen("unix:" + path());
    EXPECT_TRUE(server_.start());
  }
  std::string path() const { return folder_.file("s"); }

  static std::string loop_of(SessionPeer& client) {
    const auto answer =
        client.call(SessionPeer::request_to("/test.Wrapper/Echo"), framed(text_of("x")));
    return answer ? answer->body : "none";
  }
  void connect(int count) {
    for (int i = 0; i < count; ++i) {
      auto client = std::make_unique<SessionPeer>(path());
      clients_[loop_of(*client)].push_back(std::move(client));
    }
  }
  /// The server has noticed when this returns.
  void close(int count_before, std::list<Client>& closed) {
    closed.clear();
    EXPECT_TRUE(observer_->ended.wait_for(count_before));
    for (auto& [loop, clients] : clients_) {  // each has done with those by its next call
      if (clients.empty()) continue;
      EXPECT_EQ(loop_of(*clients.front()), loop);
    }
  }
  std::map<std::string, std::size_t> counts() const {
    std::map<std::string, std::size_t> counts;
    for (const auto& [loop, clients] : clients_)
      counts[loop] = clients.size();
    return counts;
  }
  int loops() const { return GetParam(); }

  TempDir folder_;
  WrapperService service_;
  std::shared_ptr<EndObserver> observer_ = std::make_shared<EndObserver>();
  Server server_{ServerOptions().threads(static_cast<std::size_t>(GetParam())).observer(observer_)};
  Clients clients_;
};

TEST_P(ManyLoopsTest, HaveConnectionsInEqualNumbers) {
  connect(many);

  EXPECT_THAT(counts(), SizeIs(loops()));
  EXPECT_THAT(counts(), Each(Pair(testing::_, many / loops())));
}

TEST_P(ManyLoopsTest, OneThatHasFewerGetsTheNextOnes) {
  connect(many);
  std::list<Client>& closed = clients_.begin()->second;
  Client kept = std::move(closed.front());
  closed.pop_front();
  const int gone = many / loops() - 1;
  std::list<Client> closing = std::move(closed);
  closed.clear();
  closed.push_back(std::move(kept));
  close(gone, closing);

  connect(gone);

  EXPECT_THAT(counts(), Each(Pair(testing::_, many / loops())));
}

TEST_P(ManyLoopsTest, ShortConnectionsBetweenDoNotDrawTheOthersToOneLoop) {
  for (int i = 1; i <= many; ++i) {
    std::list<Client> probe;
    probe.push_back(std::make_unique<SessionPeer>(path()));
    loop_of(*probe.front());
    close(i, probe);
    connect(1);
  }

  EXPECT_THAT(counts(), SizeIs(loops()));
  EXPECT_THAT(counts(),
              Each(Pair(testing::_, AllOf(Ge(many / loops() - 1), Le(many / loops() + 1)))));
}

INSTANTIATE_TEST_SUITE_P(Loops,
                         ManyLoopsTest,
                         testing::Values(2, 4),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace nearcall::test
