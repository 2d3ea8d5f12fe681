// SPDX-License-Identifier: Apache-2.0
// Unary calls with a hedgingPolicy (gRFC A6), blocking and awaited: what is sent, and what comes of
// it.
#include "client/hedging.hpp"

#include "client/direct_client.hpp"
#include "client/hedging_client.hpp"

#include <nearcall/observer.hpp>

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class HedgingTest : public HedgedCallTest {};

INSTANTIATE_TEST_SUITE_P(Forms,
                         HedgingTest,
                         testing::Values(CallForm::blocking, CallForm::awaited),
                         testing::PrintToStringParamName());

TEST_P(HedgingTest, TheFirstAnswerIsTheCallsAndTheOthersAreCancelled) {
  ScriptedServer server({[](SessionPeer& peer) {
    const HedgedCalls calls = next_hedges(peer, 3);
    ASSERT_EQ(calls.streams.size(), 3U);
    EXPECT_THAT(calls.told, ElementsAre("", "1", "2"));
    EXPECT_TRUE(peer.ping());
    for (http2::Stream* const stream : calls.streams) {
      EXPECT_EQ(peer.heard(*stream).body, framed(text_of("request")));
      EXPECT_TRUE(peer.heard(*stream).has_ended);
    }
    peer.answer(*calls.streams[1], "from the second");
    EXPECT_EQ(peer.wait_for_reset(*calls.streams[0]), http2::ErrorCode::cancel);
    EXPECT_EQ(peer.wait_for_reset(*calls.streams[2]), http2::ErrorCode::cancel);
  }});
  Channel channel("mine", server.options().service_config(hedging_config(3)));
  const HedgedEnd ended = call(channel);
  EXPECT_TRUE(ended.status.ok()) << ended.status.to_string();
  EXPECT_EQ(ended.value, "from the second");
  EXPECT_EQ(ended.attempts, 3);
}

TEST_P(HedgingTest, NoneIsSentBeforeTheDelay) {
  ScriptedServer server({[](SessionPeer& peer) {
    const HedgedCalls calls = next_hedges(peer, 1);
    EXPECT_TRUE(peer.ping());
    peer.answer(*calls.streams.at(0), "alone");
    EXPECT_EQ(peer.next_call(), nullptr);
  }});
  Channel channel("mine", server.options().service_config(hedging_config(3, "3600s")));
  const HedgedEnd ended = call(channel);
  EXPECT_EQ(ended.value, "alone") << ended.status.to_string();
  EXPECT_EQ(ended.attempts, 1);
}

TEST_P(HedgingTest, OneIsSentAfterTheDelay) {
  ScriptedServer server({[](SessionPeer& peer) {
    const HedgedCalls calls = next_hedges(peer, 2);
    peer.answer(*calls.streams.at(1), "later");
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options().service_config(hedging_config(2, "0.02s")));
  const HedgedEnd ended = call(channel);
  EXPECT_EQ(ended.value, "later") << ended.status.to_string();
  EXPECT_EQ(ended.attempts, 2);
}

TEST_P(HedgingTest, AFailureThatIsNotFatalSendsTheNextAtOnce) {
  ScriptedServer server({[](SessionPeer& peer) {
    HedgedCalls calls = next_hedges(peer, 1);
    fail_call(peer, *calls.streams.at(0));
    ASSERT_NE(next_hedge(peer, calls), nullptr);
    EXPECT_THAT(calls.told, ElementsAre("", "1"));
    peer.answer(*calls.streams.at(1), "second");
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options().service_config(hedging_config(3, "3600s")));
  EXPECT_EQ(call(channel).value, "second");
}

/// While another one is under way: the call has not failed.
TEST_P(HedgingTest, OneOfSeveralMayFail) {
  ScriptedServer server({[](SessionPeer& peer) {
    const HedgedCalls calls = next_hedges(peer, 2);
    fail_call(peer, *calls.streams.at(1));
    EXPECT_TRUE(peer.ping());
    peer.answer(*calls.streams.at(0), "first");
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options().service_config(hedging_config(2)));
  const HedgedEnd ended = call(channel);
  EXPECT_EQ(ended.value, "first") << ended.status.to_string();
  EXPECT_EQ(ended.attempts, 2);
}

TEST_P(HedgingTest, AFatalFailureEndsTheCallAndCancelsTheOthers) {
  ScriptedServer server({[](SessionPeer& peer) {
    const HedgedCalls calls = next_hedges(peer, 2);
    fail_call(peer, *calls.streams.at(1), "5");
    EXPECT_EQ(peer.wait_for_reset(*calls.streams.at(0)), http2::ErrorCode::cancel);
  }});
  Channel channel("mine", server.options().service_config(hedging_config(2)));
  EXPECT_EQ(call(channel).status.code(), StatusCode::not_found);
}

TEST_P(HedgingTest, WhereAllFailTheCallEndsAsTheLastOne) {
  ScriptedServer server({[](SessionPeer& peer) {
    const HedgedCalls calls = next_hedges(peer, 3);
    for (http2::Stream* const stream : calls.streams)
      fail_call(peer, *stream);
    EXPECT_EQ(peer.next_call(), nullptr);
  }});
  Channel channel("mine", server.options().service_config(hedging_config(3)));
  const HedgedEnd ended = call(channel);
  EXPECT_EQ(ended.status.code(), StatusCode::unavailable);
  EXPECT_EQ(ended.attempts, 3);
}

TEST_P(HedgingTest, HeadersCommitTheCall) {
  ScriptedServer server({[](SessionPeer& peer) {
    const HedgedCalls calls = next_hedges(peer, 2);
    peer.begin(*calls.streams.at(0));
    EXPECT_EQ(peer.wait_for_reset(*calls.streams.at(1)), http2::ErrorCode::cancel);
    peer.end(*calls.streams.at(0), "14");
    EXPECT_EQ(peer.next_call(), nullptr);
  }});
  Channel channel("mine", server.options().service_config(hedging_config(2)));
  EXPECT_EQ(call(channel).status.code(), StatusCode::unavailable);
}

TEST_P(HedgingTest, TheServerNamesThePause) {
  ScriptedServer server({[](SessionPeer& peer) {
    HedgedCalls calls = next_hedges(peer, 1);
    fail_call(peer, *calls.streams.at(0), "14", "1");
    ASSERT_NE(next_hedge(peer, calls), nullptr);
    peer.answer(*calls.streams.at(1), "second");
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options().service_config(hedging_config(2, "3600s")));
  EXPECT_EQ(call(channel).value, "second");
}

TEST_P(HedgingTest, APauseThatTheServerNamesDelaysTheNextBesideOthers) {
  ScriptedServer server({[](SessionPeer& peer) {
    HedgedCalls calls = next_hedges(peer, 2);
    fail_call(peer, *calls.streams.at(0), "14", "3600000");
    EXPECT_TRUE(peer.ping());
    peer.answer(*calls.streams.at(1), "second");
    EXPECT_EQ(peer.next_call(), nullptr);
  }});
  Channel channel("mine", server.options().service_config(hedging_config(3, "0.03s")));
  const HedgedEnd ended = call(channel);
  EXPECT_EQ(ended.value, "second") << ended.status.to_string();
  EXPECT_LE(ended.attempts, 3);
}

TEST_P(HedgingTest, TheServerSaysNever) {
  for (const char* const pushback : {"-1", "soon"}) {
    ScriptedServer server({[pushback](SessionPeer& peer) {
      const HedgedCalls calls = next_hedges(peer, 1);
      fail_call(peer, *calls.streams.at(0), "14", pushback);
      EXPECT_EQ(peer.next_call(), nullptr);
    }});
    Channel channel("mine", server.options().service_config(hedging_config(3, "3600s")));
    const HedgedEnd ended = call(channel);
    EXPECT_EQ(ended.status.code(), StatusCode::unavailable) << pushback;
    EXPECT_EQ(ended.attempts, 1);
  }
}

TEST_P(HedgingTest, NeverLeavesThoseThatAreUnderWay) {
  ScriptedServer server({[](SessionPeer& peer) {
    const HedgedCalls calls = next_hedges(peer, 2);
    fail_call(peer, *calls.streams.at(0), "14", "-1");
    EXPECT_TRUE(peer.ping());
    peer.answer(*calls.streams.at(1), "second");
    EXPECT_EQ(peer.next_call(), nullptr);
  }});
  Channel channel("mine", server.options().service_config(hedging_config(3, "0.2s")));
  EXPECT_EQ(call(channel).value, "second");
}

TEST_P(HedgingTest, AChannelThatIsThrottledSendsNone) {
  int attempts = 0;
  ScriptedServer server({[&attempts](SessionPeer& peer) {
    while (http2::Stream* const stream = peer.next_call()) {
      ++attempts;
      fail_call(peer, *stream);
    }
  }});
  {
    Channel channel("mine",
                    server.options().service_config(hedging_config(
                        5, "3600s", R"(, "retryThrottling": {"maxTokens": 4, "tokenRatio": 1})")));
    EXPECT_EQ(call(channel).attempts, 2) << "2 of 4 tokens are left";
    EXPECT_EQ(call(channel).attempts, 1);
  }
  server.join();
  EXPECT_EQ(attempts, 3);
}

TEST_P(HedgingTest, SuccessesGiveTokensBack) {
  ScriptedServer server({[](SessionPeer& peer) {
    for (int count = 0;; ++count) {
      http2::Stream* const stream = peer.next_call();
      if (stream == nullptr) return;
      const bool fails = count == 0 || count == 1 || count == 4;
      fails ? fail_call(peer, *stream) : peer.answer(*stream, "well");
    }
  }});
  Channel channel("mine",
                  server.options().service_config(hedging_config(
                      5, "3600s", R"(, "retryThrottling": {"maxTokens": 4, "tokenRatio": 1})")));
  EXPECT_FALSE(call(channel).status.ok());
  EXPECT_TRUE(call(channel).status.ok());
  EXPECT_TRUE(call(channel).status.ok());
  EXPECT_EQ(call(channel).attempts, 2) << "3 of 4 tokens were left after one more failure";
}

TEST_P(HedgingTest, TheDeadlineIsThatOfAllAttempts) {
  ScriptedServer server({[](SessionPeer& peer) {
    const HedgedCalls calls = next_hedges(peer, 2);
    for (http2::Stream* const stream : calls.streams)
      EXPECT_EQ(peer.wait_for_reset(*stream), http2::ErrorCode::cancel);
  }});
  Channel channel("mine", server.options().service_config(hedging_config(2)));
  EXPECT_EQ(call(channel, CallOptions().timeout(1s)).status.code(), StatusCode::deadline_exceeded);
}

TEST_P(HedgingTest, CancelEndsAllAttempts) {
  std::stop_source stop;
  ScriptedServer server({[&stop](SessionPeer& peer) {
    const HedgedCalls calls = next_hedges(peer, 2);
    stop.request_stop();
    for (http2::Stream* const stream : calls.streams)
      EXPECT_EQ(peer.wait_for_reset(*stream), http2::ErrorCode::cancel);
  }});
  Channel channel("mine", server.options().service_config(hedging_config(2)));
  EXPECT_EQ(call(channel, patient().cancellation(stop.get_token())).status.code(),
            StatusCode::cancelled);
}

/// With their connection, and the next one goes to another.
TEST_P(HedgingTest, AllMayFailAtOnce) {
  const auto leave = [](SessionPeer& peer) { next_hedges(peer, 2); };
  const auto serve = [](SessionPeer& peer) {
    const HedgedCalls calls = next_hedges(peer, 1);
    EXPECT_THAT(calls.told, ElementsAre("2"));
    peer.answer(*calls.streams.at(0), "at last");
    EXPECT_TRUE(peer.wait_for_end());
  };
  ScriptedServer server({leave, serve});
  Channel channel("mine", server.options().service_config(hedging_config(3, "0.5s")));
  const HedgedEnd ended = call(channel);
  EXPECT_EQ(ended.value, "at last") << ended.status.to_string();
  EXPECT_EQ(ended.attempts, 3);
}

/// A6, "Transparent Retries".
TEST_P(HedgingTest, WhatTheServerDidNotTakeIsRepeatedAndCountsNowhere) {
  const auto reset_first = [](SessionPeer& peer) {
    HedgedCalls calls = next_hedges(peer, 1);
    peer.reset(*calls.streams.at(0), http2::ErrorCode::refused_stream);
    while (next_hedge(peer, calls) != nullptr) {
      EXPECT_EQ(calls.told.back(), "");
      peer.answer(*calls.streams.back(), "at last");
    }
  };
  ScriptedServer server({reset_first});
  Channel channel("mine",
                  server.options().max_connections(1).service_config(hedging_config(2, "3600s")));
  const HedgedEnd ended = call(channel);
  EXPECT_EQ(ended.value, "at last") << ended.status.to_string();
  EXPECT_EQ(ended.attempts, 1);
}

TEST_P(HedgingTest, OneBesideOthersThatIsNotTakenIsRepeated) {
  ScriptedServer server({[](SessionPeer& peer) {
    HedgedCalls calls = next_hedges(peer, 2);
    peer.reset(*calls.streams.at(1), http2::ErrorCode::refused_stream);
    ASSERT_NE(next_hedge(peer, calls), nullptr);
    EXPECT_THAT(calls.told, ElementsAre("", "1", "1"));
    peer.answer(*calls.streams.at(2), "third");
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options().service_config(hedging_config(2)));
  const HedgedEnd ended = call(channel);
  EXPECT_EQ(ended.value, "third") << ended.status.to_string();
  EXPECT_EQ(ended.attempts, 2);
}

TEST_P(HedgingTest, WhatCannotConnectCounts) {
  int connects = 0;
  Channel channel("mine", ChannelOptions()
                              .service_config(hedging_config(3))
                              .connector([&connects](const ConnectContext&)
                                             -> Task<Result<std::unique_ptr<Transport>>> {
                                ++connects;
                                co_return Failure{Status::unavailable("nobody is here")};
                              }));
  const HedgedEnd ended = call(channel);
  EXPECT_EQ(ended.status.code(), StatusCode::unavailable);
  EXPECT_EQ(ended.attempts, 3);
  EXPECT_EQ(connects, 3);
}

TEST_P(HedgingTest, WithoutRoomTheNextOneWaits) {
  const http2::SessionOptions one = one_stream_at_a_time();
  ScriptedServer server({[](SessionPeer& peer) {
                          HedgedCalls calls = next_hedges(peer, 1);
                          EXPECT_TRUE(peer.ping());
                          fail_call(peer, *calls.streams.at(0));
                          ASSERT_NE(next_hedge(peer, calls), nullptr);
                          peer.answer(*calls.streams.at(1), "second");
                          EXPECT_TRUE(peer.wait_for_end());
                        }},
                        one);
  Channel channel("mine", server.options().max_connections(1).service_config(hedging_config(2)));
  EXPECT_EQ(call(channel).value, "second");
}

TEST_P(HedgingTest, ARequestThatIsMoreThanMayBeKeptIsSentOnce) {
  ScriptedServer server({[](SessionPeer& peer) {
    const HedgedCalls calls = next_hedges(peer, 1);
    EXPECT_TRUE(peer.ping());
    fail_call(peer, *calls.streams.at(0));
    EXPECT_EQ(peer.next_call(), nullptr);
  }});
  Channel channel("mine",
                  server.options().max_call_retry_buffer(10).service_config(hedging_config(3)));
  EXPECT_EQ(call(channel).attempts, 1);
}

TEST_P(HedgingTest, AllCallsOfAChannelKeepNoMoreThanTheyMay) {
  ScriptedServer server({[](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("alone")); }});
  Channel channel("mine", server.options().max_retry_buffer(10).service_config(hedging_config(3)));
  EXPECT_EQ(call(channel).attempts, 1);
}

/// Notes each attempt, and how it ended.
class AttemptNotes final : public Observer {
 public:
  void on_attempt_begun(const Call& /*call*/, const Attempt& attempt) noexcept override {
    notes.push_back(std::to_string(attempt.number) + " begun");
  }
  void on_attempt_ended(const Call& /*call*/,
                        const Attempt& attempt,
                        const Status& how,
                        AttemptEnd then) noexcept override {
    notes.push_back(std::to_string(attempt.number) + " " + std::string(to_string(how.code())) +
                    (then == AttemptEnd::hedged ? ", hedged" : ""));
  }

  std::vector<std::string> notes;
};

TEST_P(HedgingTest, AnObserverHearsOfEachAttemptAndHowItEnded) {
  ScriptedServer server({[](SessionPeer& peer) {
    const HedgedCalls calls = next_hedges(peer, 3);
    fail_call(peer, *calls.streams.at(1));
    EXPECT_TRUE(peer.ping());
    peer.answer(*calls.streams.at(2), "third");
    EXPECT_TRUE(peer.wait_for_end());
  }});
  const auto observer = std::make_shared<AttemptNotes>();
  {
    Channel channel("mine", server.options().observer(observer).service_config(hedging_config(3)));
    EXPECT_EQ(call(channel).value, "third");
  }
  EXPECT_THAT(observer->notes, ElementsAre("1 begun", "2 begun", "3 begun", "2 UNAVAILABLE, hedged",
                                           "1 CANCELLED, hedged", "3 OK"));
}

/// gRFC A6: five at most, whatever is asked for.
TEST_P(HedgingTest, AThousandHedgesAreFive) {
  log_capture().allow("service_config(): maxAttempts 1000 counts as 5");
  ScriptedServer server({[](SessionPeer& peer) {
    const HedgedCalls calls = next_hedges(peer, 5);
    EXPECT_TRUE(peer.ping());
    for (http2::Stream* const stream : calls.streams)
      fail_call(peer, *stream);
    EXPECT_EQ(peer.next_call(), nullptr);
  }});
  Channel channel("mine", server.options().service_config(hedging_config(1000)));
  EXPECT_EQ(call(channel).attempts, 5);
}

}  // namespace
}  // namespace nearcall::test
