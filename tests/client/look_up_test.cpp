// SPDX-License-Identifier: Apache-2.0
// Look-ups, each on a thread of its own, and what the system's resolver says.
#include "client/look_up.hpp"

#include "support/log_capture.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace nearcall::test {
namespace {

using detail::HostResolver;
using detail::LookUp;
using Targets = std::vector<std::string>;

class LookUpTest : public LogCheckedTest {
 protected:
  /// The answer of one look-up.
  Result<Targets> answer_of(HostResolver resolver, const std::string& host = "host") {
    std::promise<void> done;
    auto begun = LookUp::begin(std::move(resolver), host, 7, [&done] { done.set_value(); });
    if (!begun) return std::move(begun).error();
    done.get_future().wait();
    auto answer = (*begun)->take_answer();
    EXPECT_TRUE(answer.has_value());
    EXPECT_FALSE((*begun)->take_answer().has_value());
    return *std::move(answer);
  }
};

TEST_F(LookUpTest, GivesWhatTheResolverGives) {
  const HostResolver resolver{[](const std::string& host, unsigned port) -> Result<Targets> {
    return Targets{host + std::to_string(port)};
  }};
  EXPECT_EQ(*answer_of(resolver), Targets{"host7"});
}

TEST_F(LookUpTest, AnExceptionIsAFailure) {
  const HostResolver resolver{
      [](const std::string&, unsigned) -> Result<Targets> { throw std::runtime_error("broken"); }};
  const Result<Targets> answer = answer_of(resolver);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), StatusCode::unavailable);
  EXPECT_EQ(answer.error().message(), "dns:host:7: broken");
}

TEST_F(LookUpTest, TheSystemKnowsLocalhostAndLiteralAddresses) {
  const Result<Targets> localhost = detail::resolve_host("localhost", 7);
  ASSERT_TRUE(localhost) << localhost.status().to_string();
  for (const std::string& target : *localhost)
    EXPECT_TRUE(target == "ipv4:127.0.0.1:7" || target == "ipv6:[::1]:7") << target;
  EXPECT_EQ(*detail::resolve_host("127.0.0.3", 8), Targets{"ipv4:127.0.0.3:8"});
  EXPECT_EQ(*detail::resolve_host("::1", 8), Targets{"ipv6:[::1]:8"});
}

TEST_F(LookUpTest, TheSystemSaysWhatIsWrong) {
  const Result<Targets> answer = detail::resolve_host("no.such.name.invalid", 7);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), StatusCode::unavailable);
  EXPECT_TRUE(answer.error().message().starts_with("dns:no.such.name.invalid:7: "))
      << answer.error().message();
}

TEST_F(LookUpTest, NoMoreThanSoManyAreUnderWay) {
  std::promise<void> released;
  const std::shared_future<void> is_released = released.get_future().share();
  std::atomic<std::size_t> ended{0};
  const HostResolver resolver{[is_released](const std::string&, unsigned) -> Result<Targets> {
    is_released.wait();
    return Targets{};
  }};
  std::size_t begun = 0;
  for (std::size_t i = 0; i < LookUp::most_at_a_time; ++i)
    if (LookUp::begin(resolver, "host", 7, [&ended] { ++ended; })) ++begun;

  const auto refused = LookUp::begin(resolver, "host", 7, [] {});
  EXPECT_EQ(begun, LookUp::most_at_a_time);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("has not answered 64 questions"), std::string::npos);

  released.set_value();
  while (ended < begun)
    std::this_thread::yield();
}

}  // namespace
}  // namespace nearcall::test
