// SPDX-License-Identifier: Apache-2.0
// Server: what is done with it too late, twice or with nothing ends in a sentence that says what to
// do.
#include "server/server_fixture.hpp"
#include "support/misuse.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace nearcall::test {
namespace {

class ServerMisuseDeathTest : public ServerTest {
 protected:
  /// On the test's thread alone.
  void start_on_loop() {
    on_loop_.add_service(service_).listen(target());
    ASSERT_TRUE(on_loop_.start());
  }

  EventLoop loop_;
  Server on_loop_{loop_};
};

TEST_F(ServerMisuseDeathTest, AServiceThatIsAddedAfterTheStart) {
  start_on_loop();
  WrapperService late;
  const auto sentence = ends_with_sentence(
      "Server::add_service(): the server has started; add services before start() or run()");

  EXPECT_DEATH(on_loop_.add_service(late), sentence);
  EXPECT_DEATH(on_loop_.add_service(std::make_shared<WrapperService>()), sentence);
}

TEST_F(ServerMisuseDeathTest, AListenerThatIsAddedAfterTheStart) {
  start_on_loop();
  const auto sentence = ends_with_sentence(
      "Server::listen(): the server has started; call listen() before start() or run()");

  EXPECT_DEATH(on_loop_.listen(target("late")), sentence);
  EXPECT_DEATH(static_cast<void>(on_loop_.try_listen(target("late"))), sentence);
  EXPECT_DEATH(on_loop_.listen(std::move(*make_listener(target("late"))), untrusted::anyone()),
               sentence);
}

TEST_F(ServerMisuseDeathTest, ASecondStart) {
  start_on_loop();

  EXPECT_DEATH(static_cast<void>(on_loop_.start()),
               ends_with_sentence("Server::start(): the server has started already; call start() "
                                  "once, and make another server to serve again"));
}

TEST_F(ServerMisuseDeathTest, ARunAfterTheStart) {
  Server server;
  server.add_service(service_).listen(target());
  ASSERT_TRUE(server.start());

  EXPECT_DEATH(server.run(),
               ends_with_sentence("Server::run(): the server has started already; call run() once, "
                                  "and no start() before it"));
}

TEST_F(ServerMisuseDeathTest, ARunOrAWaitForAServerThatWasMadeWithALoop) {
  EXPECT_DEATH(on_loop_.run(),
               ends_with_sentence("Server::run(): the server was made with an EventLoop; call "
                                  "start(), and run that loop"));
  EXPECT_DEATH(on_loop_.wait(),
               ends_with_sentence("Server::wait(): the server was made with an EventLoop; co_await "
                                  "stopped() on it"));
}

TEST_F(ServerMisuseDeathTest, AServiceOrAListenerThatIsNull) {
  EXPECT_DEATH(on_loop_.add_service(std::shared_ptr<Service>()),
               ends_with_sentence("Server::add_service(): the pointer to the service is null; pass "
                                  "one to a service"));
  EXPECT_DEATH(on_loop_.listen(std::unique_ptr<Listener>()),
               ends_with_sentence("Server::listen(): the pointer to the listener is null; pass one "
                                  "to a listener"));
}

TEST_F(ServerMisuseDeathTest, ASecondServiceOfTheSameName) {
  WrapperService again;
  on_loop_.add_service(service_);

  EXPECT_DEATH(on_loop_.add_service(again),
               ends_with_sentence("Server::add_service(): the server has a service named "
                                  "test.Wrapper already; each name is served once"));
}

}  // namespace
}  // namespace nearcall::test
