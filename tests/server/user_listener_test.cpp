// SPDX-License-Identifier: Apache-2.0
// Server: a listener of the user's own, under the same rule of who may connect as ours.
#include "server/server_fixture.hpp"
#include "transport/listener_group.hpp"
#include "transport/listening.hpp"

#include <nearcall/transport.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::test {
namespace {

using testing::HasSubstr;

/// Takes connections as a Unix listener does, and says what it is told to of credentials.
class UserListener : public ForwardingListener {
 public:
  UserListener(std::unique_ptr<Listener> inner, bool knows_credentials)
      : ForwardingListener(std::move(inner)), knows_credentials_(knows_credentials) {}

  std::string address() const override { return "user's"; }
  std::vector<std::string> addresses() const override { return {address()}; }
  bool knows_credentials() const noexcept override { return knows_credentials_; }
  /// What a listener says that knows nothing of files.
  Result<void> check_policy(const PeerPolicy& policy) const override {
    return Listener::check_policy(policy);
  }

 private:
  const bool knows_credentials_;
};

/// The same, and leaves the word on policies to the listener that it is around.
class PassingListener final : public UserListener {
 public:
  explicit PassingListener(std::unique_ptr<Listener> inner)
      : UserListener(std::move(inner), /*knows_credentials=*/true) {}
  Result<void> check_policy(const PeerPolicy& policy) const override {
    return inner().check_policy(policy);
  }
};

class UserListenerTest : public ServerTest {
 protected:
  std::unique_ptr<Listener> listener(bool knows_credentials) const {
    return std::make_unique<UserListener>(*make_listener(target()), knows_credentials);
  }
  /// Expects that a server that listens on it with `policy` is reached.
  void expect_served(std::unique_ptr<Listener> listener, const ListenOptions& options) {
    Server server;
    server.add_service(service_);
    const Result<void> listening = server.try_listen(std::move(listener), options);
    ASSERT_TRUE(listening) << listening.error().to_string();
    ASSERT_TRUE(server.start());

    const Result<Text> reply = echo_over(target());

    EXPECT_TRUE(reply) << reply.error().to_string();
  }
  /// Expects FAILED_PRECONDITION that says `why`, and that nobody can connect.
  void expect_refused(std::unique_ptr<Listener> listener,
                      const ListenOptions& options,
                      const std::string& why) {
    Server server;

    const Result<void> listening = server.try_listen(std::move(listener), options);

    ASSERT_FALSE(listening);
    EXPECT_EQ(listening.error().code(), StatusCode::failed_precondition);
    EXPECT_THAT(listening.error().message(), HasSubstr(why));
    EXPECT_FALSE(exists(folder_.file("s")));
    EXPECT_TRUE(server.addresses().empty());
  }
};

TEST_F(UserListenerTest, WithoutCredentialsItIsRefusedUntilSomebodySaysAnyone) {
  expect_refused(listener(/*knows_credentials=*/false), ListenOptions(), "untrusted::anyone()");

  expect_served(listener(/*knows_credentials=*/false), untrusted::anyone());
}

TEST_F(UserListenerTest, WithCredentialsItIsServedUnderTheDefaultPolicy) {
  expect_served(listener(/*knows_credentials=*/true), ListenOptions());
}

TEST_F(UserListenerTest, HasNoFileModeToGoBy) {
  for (const bool knows_credentials : {false, true}) {
    expect_refused(listener(knows_credentials), PeerPolicy::by_file_mode(),
                   "PeerPolicy::by_file_mode() is for Unix sockets that have a path");
  }
}

TEST_F(UserListenerTest, AroundOneOfOursItGoesByTheFileModeThatThatHas) {
  const ListenOptions options = ListenOptions(PeerPolicy::by_file_mode()).mode(0666);

  expect_served(std::make_unique<PassingListener>(*make_listener(target(), options)), options);
}

TEST_F(UserListenerTest, AroundOneOfOursItsPolicyHasToFitTheModeToo) {
  const ListenOptions options = ListenOptions(untrusted::anyone()).mode(0666);

  expect_refused(std::make_unique<PassingListener>(*make_listener(target(), options)),
                 PeerPolicy::same_user_or_root(), "mode 0666 lets others connect");
}

TEST_F(UserListenerTest, AnAdoptedSocketWithAPathGoesByItsFileMode) {
  detail::UniqueFd socket = listening_at(folder_.file("s"));

  expect_served(*adopt_listener(socket.release()), PeerPolicy::by_file_mode());
}

TEST_F(UserListenerTest, AtSeveralAddressesItIsAtEachOfThem) {
  Server server;
  std::vector<std::unique_ptr<Listener>> members;
  for (const char* const name : {"a", "b"})
    members.push_back(*make_listener(target(name)));

  server.listen(std::make_unique<detail::ListenerGroup>(std::move(members)));

  EXPECT_EQ(server.addresses(), (std::vector<std::string>{target("a"), target("b")}));
}

TEST_F(UserListenerTest, ARefusalIsWhatStartReports) {
  Server server;
  server.listen(listener(/*knows_credentials=*/false));

  EXPECT_THAT(server.start().status().message(), HasSubstr("untrusted::anyone()"));
}

TEST_F(UserListenerTest, AroundOneOfOursHandsItsSocketToTheNext) {
  const auto around_ours = [this] {
    return std::make_unique<ForwardingListener>(
        *make_listener(target(), ListenOptions().take_over(true)));
  };
  Server first;
  first.add_service(service_).listen(around_ours());
  ASSERT_TRUE(first.start());
  EXPECT_THAT(first.addresses(), testing::ElementsAre(target()));
  Server second;
  second.add_service(service_).listen(around_ours());
  ASSERT_TRUE(second.start());

  first.wait();

  EXPECT_TRUE(echo_over(target()));
}

}  // namespace
}  // namespace nearcall::test
