// SPDX-License-Identifier: Apache-2.0
// Several listeners that are waited for as one.
#include "transport/listener_group.hpp"

#include "support/io.hpp"
#include "support/misuse.hpp"
#include "support/temp_dir.hpp"
#include "transport/listening.hpp"
#include "transport/tcp_listener.hpp"
#include "transport/unix_listener.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

/// Hands over nothing; its accept fails.
class FailingListener final : public Listener {
 public:
  explicit FailingListener(bool binds) : binds_(binds) {}
  Result<void> bind() override {
    if (binds_) return {};
    return Failure{Status::unavailable("no room")};
  }
  Result<std::unique_ptr<Transport>> try_accept() override { return Status::internal("broken"); }
  WaitAdvice prepare_wait() override { return WaitAdvice::ready_now(); }
  void unbind() noexcept override {}
  std::string address() const override { return "failing"; }

 private:
  const bool binds_;
};

class ListenerGroupTest : public testing::Test {
 protected:
  std::unique_ptr<Listener> unix_listener(const std::string& name) {
    return std::make_unique<UnixListener>(*Endpoint::parse("unix:" + directory_.file(name)));
  }
  template <class... Listeners>
  static ListenerGroup group_of(Listeners... listeners) {
    std::vector<std::unique_ptr<Listener>> members;
    (members.push_back(std::move(listeners)), ...);
    return ListenerGroup(std::move(members));
  }
  static bool is_ready(Listener& listener) {
    const WaitAdvice advice = listener.prepare_wait();
    pollfd watched{advice.fd(), advice.events(), 0};
    return advice.is_ready() || ::poll(&watched, 1, 0) == 1;
  }
  static std::string accepted_at(Listener& listener) {
    const auto accepted = listener.try_accept();
    if (!accepted) return accepted.error().message();
    return *accepted == nullptr ? "none" : (*accepted)->peer().address();
  }

  test::TempDir directory_;
  const std::string a_ = directory_.file("a");
  const std::string b_ = directory_.file("b");
};

TEST_F(ListenerGroupTest, HandsOverTheConnectionsOfEachInTurn) {
  ListenerGroup group = group_of(unix_listener("a"), unix_listener("b"));
  ASSERT_TRUE(group.bind());
  EXPECT_FALSE(is_ready(group));
  const std::vector<UniqueFd> clients = [this] {
    std::vector<UniqueFd> all;
    for (const std::string& path : {a_, a_, b_, b_})
      all.push_back(test::connected_to(path));
    return all;
  }();
  ASSERT_TRUE(is_ready(group));

  EXPECT_EQ(accepted_at(group), "unix:" + a_);
  EXPECT_EQ(accepted_at(group), "unix:" + b_);
  EXPECT_EQ(accepted_at(group), "unix:" + a_);
  EXPECT_EQ(accepted_at(group), "unix:" + b_);
  EXPECT_EQ(accepted_at(group), "none");
  EXPECT_FALSE(is_ready(group));
}

TEST_F(ListenerGroupTest, IsWokenByTheLast) {
  ListenerGroup group = group_of(unix_listener("a"), unix_listener("b"));
  ASSERT_TRUE(group.bind());
  EXPECT_FALSE(is_ready(group));

  const UniqueFd client = test::connected_to(b_);

  EXPECT_TRUE(is_ready(group));
}

TEST_F(ListenerGroupTest, ServesOthersWhenOneFails) {
  ListenerGroup group = group_of(std::make_unique<FailingListener>(true), unix_listener("a"));
  ASSERT_TRUE(group.bind());
  const UniqueFd client = test::connected_to(a_);

  EXPECT_EQ(accepted_at(group), "unix:" + a_);
  EXPECT_EQ(accepted_at(group), "broken");
}

TEST_F(ListenerGroupTest, BindsAllOrSaysWhyNot) {
  ListenerGroup group = group_of(unix_listener("a"), std::make_unique<FailingListener>(false));

  EXPECT_EQ(group.bind().status().message(), "no room");
}

TEST_F(ListenerGroupTest, UnbindsAll) {
  ListenerGroup group = group_of(unix_listener("a"), unix_listener("b"));
  ASSERT_TRUE(group.bind());

  group.unbind();

  EXPECT_FALSE(test::connected_to(a_));
  EXPECT_FALSE(test::connected_to(b_));
  EXPECT_DEATH(group.prepare_wait(),
               test::ends_with_sentence("Listener: used out of order; call bind() once, and "
                                        "prepare_wait() only between bind() and unbind()"));
}

TEST_F(ListenerGroupTest, KnowsCredentialsIfAllDo) {
  const auto tcp = [] {
    return std::make_unique<TcpListener>(*Endpoint::parse("ipv4:127.0.0.1:0"),
                                         ListenOptions(untrusted::anyone()));
  };

  EXPECT_TRUE(group_of(unix_listener("a"), unix_listener("b")).knows_credentials());
  EXPECT_FALSE(group_of(unix_listener("a"), tcp()).knows_credentials());
}

TEST_F(ListenerGroupTest, HasTheAddressesOfAll) {
  const ListenerGroup group = group_of(unix_listener("a"), unix_listener("b"));

  EXPECT_EQ(group.address(), "unix:" + a_ + ", unix:" + b_);
  EXPECT_EQ(group.addresses(), (std::vector<std::string>{"unix:" + a_, "unix:" + b_}));
}

TEST_F(ListenerGroupTest, GoesByAPolicyThatFitsAll) {
  const ListenerGroup group = group_of(unix_listener("a"), std::make_unique<FailingListener>(true));

  EXPECT_TRUE(group.check_policy(untrusted::anyone()));
  EXPECT_EQ(group.check_policy(PeerPolicy::same_user()).status().message(),
            "failing: nobody vouches for who connects there; pass untrusted::anyone() to listen() "
            "if everybody may");
}

}  // namespace
}  // namespace nearcall::inline v0::detail
