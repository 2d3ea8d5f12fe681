// SPDX-License-Identifier: Apache-2.0
// What a call does after each outcome, by what is left of its request.
#include "client/retry_policy.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <vector>

namespace nearcall::inline v0::detail {

std::ostream& operator<<(std::ostream& out, RetryPolicy::Action action) {
  switch (action) {
    case RetryPolicy::Action::finish:
      return out << "finish";
    case RetryPolicy::Action::finish_without_request:
      return out << "finish_without_request";
    case RetryPolicy::Action::repeat:
      return out << "repeat";
  }
  return out;
}

namespace {

using enum RetryPolicy::Action;

Outcome outcome(Seen seen) {
  return {seen, Status::unavailable("why")};
}

TEST(RetryPolicy, RepeatsOnlyWhatTheServerProvablyDidNotProcessAndWhatIsAtHand) {
  struct {
    Seen seen;
    RequestLeft left;
    RetryPolicy::Action action;
  } const table[] = {
      {Seen::nothing, RequestLeft::whole, repeat},
      {Seen::nothing, RequestLeft::unwritten, repeat},
      {Seen::nothing, RequestLeft::gone, finish_without_request},
      {Seen::refused, RequestLeft::whole, repeat},
      {Seen::refused, RequestLeft::unwritten, repeat},
      {Seen::refused, RequestLeft::gone, finish_without_request},
      {Seen::perhaps, RequestLeft::whole, finish},
      {Seen::perhaps, RequestLeft::unwritten, finish},
      {Seen::perhaps, RequestLeft::gone, finish},
      {Seen::answered, RequestLeft::whole, finish},
      {Seen::answered, RequestLeft::unwritten, finish},
      {Seen::answered, RequestLeft::gone, finish},
  };
  for (const auto& row : table) {
    RetryPolicy policy(/*waits_for_ready=*/false);

    const RetryPolicy::Action action = policy.resume(outcome(row.seen), row.left);

    EXPECT_EQ(action, row.action) << static_cast<int>(row.seen) << static_cast<int>(row.left);
    EXPECT_EQ(policy.has_repeated(), action == repeat);
  }
}

TEST(RetryPolicy, DoesNotAskAServerAgainThatServesOthersOnly) {
  RetryPolicy policy(/*waits_for_ready=*/false);
  const Status refused = Status::permission_denied("root only").with_reason(StatusReason::refused);

  EXPECT_EQ(policy.resume({Seen::refused, refused}, RequestLeft::whole), finish);
}

TEST(RetryPolicy, DoesNotAskAServerAgainThatSaysNothing) {
  RetryPolicy policy(/*waits_for_ready=*/false);
  const Status silent = Status::unavailable("silent").with_reason(StatusReason::no_answer);

  EXPECT_EQ(policy.resume({Seen::nothing, silent}, RequestLeft::unwritten), finish);
}

TEST(RetryPolicy, RepeatsOnceAndThenEndsWhateverIsLeft) {
  for (const Seen second : {Seen::nothing, Seen::refused, Seen::perhaps, Seen::answered}) {
    for (const RequestLeft left : {RequestLeft::whole, RequestLeft::unwritten, RequestLeft::gone}) {
      RetryPolicy policy(/*waits_for_ready=*/false);
      ASSERT_EQ(policy.resume(outcome(Seen::refused), RequestLeft::whole), repeat);

      EXPECT_EQ(policy.resume(outcome(second), left), finish);
    }
  }
}

TEST(RetryPolicy, OfACallThatWaitsForItsServerRepeatsAsOftenAsItTakesWithPauses) {
  RetryPolicy policy(/*waits_for_ready=*/true);
  std::vector<Duration> pauses;

  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(policy.resume(outcome(Seen::nothing), RequestLeft::whole), repeat);
    pauses.push_back(policy.pause());
  }

  using namespace std::chrono_literals;
  const std::vector<Duration> first(pauses.begin(), pauses.begin() + 10);
  EXPECT_EQ(first,
            (std::vector<Duration>{0ms, 1ms, 2ms, 4ms, 8ms, 16ms, 32ms, 64ms, 100ms, 100ms}));
  EXPECT_EQ(pauses.back(), 100ms);
}

TEST(RetryPolicy, OfACallThatWaitsForItsServerEndsWhereWaitingDoesNotHelp) {
  for (const StatusReason reason : {StatusReason::refused, StatusReason::not_grpc}) {
    RetryPolicy policy(/*waits_for_ready=*/true);
    const Status hopeless = Status::unavailable("no").with_reason(reason);
    EXPECT_EQ(policy.resume({Seen::nothing, hopeless}, RequestLeft::whole), finish);
  }
  RetryPolicy policy(/*waits_for_ready=*/true);
  EXPECT_EQ(policy.resume(outcome(Seen::perhaps), RequestLeft::whole), finish);
  EXPECT_EQ(policy.resume(outcome(Seen::refused), RequestLeft::gone), finish_without_request);
  const Status silent = Status::unavailable("silent").with_reason(StatusReason::no_answer);
  EXPECT_EQ(policy.resume({Seen::nothing, silent}, RequestLeft::whole), repeat);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
