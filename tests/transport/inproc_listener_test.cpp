// SPDX-License-Identifier: Apache-2.0
// InprocListener: what it says before, while and after it has its name.
#include "transport/inproc_listener.hpp"

#include "support/child_process.hpp"
#include "transport/connecting.hpp"
#include "transport/inproc_connector.hpp"

#include <gtest/gtest.h>

namespace nearcall::inline v0::detail {
namespace {

class InprocListenerTest : public testing::Test {
 protected:
  const Endpoint endpoint_ = *Endpoint::parse(
      std::string("inproc:") + testing::UnitTest::GetInstance()->current_test_info()->name());
  InprocConnector connector_{endpoint_};
};

TEST_F(InprocListenerTest, HandsOverTheOtherEndOfWhatConnected) {
  InprocListener listener(endpoint_, 8);
  ASSERT_TRUE(listener.bind());
  const auto client = test::connect_now(connector_);
  ASSERT_TRUE(client);

  const auto server = listener.try_accept();

  ASSERT_TRUE(server && *server);
  EXPECT_TRUE((*server)->peer().is_own());
  EXPECT_EQ((*server)->peer().address(), listener.address());
  EXPECT_EQ((*client)->peer().address(), endpoint_.to_string());
  const auto none = listener.try_accept();
  EXPECT_TRUE(none && *none == nullptr);
}

TEST_F(InprocListenerTest, PolicyHasToAdmitThisProcess) {
  const InprocListener listener(endpoint_, 8);

  EXPECT_TRUE(listener.check_policy(PeerPolicy::same_user()).ok());
  EXPECT_EQ(listener.check_policy(PeerPolicy::root()).status().code(),
            StatusCode::failed_precondition);
  EXPECT_FALSE(listener.check_policy(PeerPolicy::by_file_mode()).ok());
}

TEST_F(InprocListenerTest, NameIsFreeForASuccessorOnceItIsUnbound) {
  InprocListener first(endpoint_, 8);
  ASSERT_TRUE(first.bind());
  InprocListener second(endpoint_, 8);
  EXPECT_EQ(second.bind().status().reason(), StatusReason::address_in_use);
  ASSERT_TRUE(test::connect_now(connector_));

  first.unbind();

  EXPECT_TRUE(second.bind());
  const auto waited = first.try_accept();
  EXPECT_TRUE(waited && *waited) << "it had connected before";
}

TEST_F(InprocListenerTest, DestroyedOneGivesItsNameBack) {
  { EXPECT_TRUE(InprocListener(endpoint_, 8).bind()); }

  EXPECT_EQ(test::connect_now(connector_).status().reason(), StatusReason::no_server);
}

TEST_F(InprocListenerTest, ForkedChildTakesNothingOfItsParents) {
  InprocListener listener(endpoint_, 8);
  ASSERT_TRUE(listener.bind());
  ASSERT_TRUE(test::connect_now(connector_));
  test::ChildProcess child([&] {
    const auto taken = listener.try_accept();
    listener.unbind();
    return taken && *taken == nullptr ? 0 : 1;
  });
  ASSERT_EQ(child.wait(), 0);

  EXPECT_TRUE(test::connect_now(connector_));
  const auto first = listener.try_accept();
  EXPECT_TRUE(first && *first);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
