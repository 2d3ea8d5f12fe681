// SPDX-License-Identifier: Apache-2.0
// ObservedCall: counts what it tells, for a call and for each of its attempts.
#include "connection/observed_call.hpp"

#include "grpc/message_prefix.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using detail::ObservedCall;

std::string words(const Observer::Messages& messages) {
  return std::to_string(messages.count) + " of " + std::to_string(messages.size) + "/" +
         std::to_string(messages.compressed_size);
}

/// Notes how attempts and calls end, and what they count then.
class EndingObserver final : public Observer {
 public:
  void on_message_sent(const Call& /*call*/, const Message& message) noexcept override {
    book.push_back("sent " + std::to_string(message.size) + "/" +
                   std::to_string(message.compressed_size));
  }
  void on_attempt_ended(const Call& call,
                        const Attempt& attempt,
                        const Status& how,
                        AttemptEnd then) noexcept override {
    book.push_back("attempt " + std::to_string(attempt.number) + " of " +
                   std::to_string(call.attempts) + " on " + std::to_string(attempt.connection) +
                   (then == AttemptEnd::last ? " ends " : " is followed ") +
                   std::string(to_string(how.code())) + " after " +
                   std::to_string((attempt.ended - attempt.begun) / 1s) +
                   " s: " + words(attempt.sent) + " and " + words(attempt.received));
  }
  void on_call_ended(const Call& call, const Status& how) noexcept override {
    book.push_back("call ends " + std::string(to_string(how.code())) + " after " +
                   std::to_string((call.ended - call.begun) / 1s) + " s: " + words(call.sent) +
                   " and " + words(call.received));
  }

  std::vector<std::string> book;
};

class ObservedCallTest : public testing::Test {
 protected:
  using Book = std::vector<std::string>;
  static constexpr Method method{"/a.B/C", MethodKind::unary};

  detail::TimePoint at(int seconds) const { return start_ + std::chrono::seconds(seconds); }

  const detail::TimePoint start_ = detail::SteadyClock::now();
  const std::shared_ptr<EndingObserver> observer_ = std::make_shared<EndingObserver>();
  const detail::Observed observed_{observer_, Observer::Side::client, "t"};
  const Metadata metadata_{};
  ObservedCall call_{observed_, method, metadata_, start_};
};

TEST_F(ObservedCallTest, EachAttemptCountsItsOwnMessagesAndTheCallAll) {
  call_.begin_attempt(7, at(1));
  call_.note_sent({10, 4});
  call_.end_attempt(Status::unavailable(""), Observer::AttemptEnd::retried, at(2));
  call_.begin_attempt(8, at(4));
  call_.note_sent({10, 4});
  call_.note_received({3, 3});
  call_.end(Status(), at(9));

  EXPECT_EQ(observer_->book,
            (Book{"sent 10/4",
                  "attempt 1 of 1 on 7 is followed UNAVAILABLE after 1 s: 1 of 10/4 and 0 of 0/0",
                  "sent 10/4", "attempt 2 of 2 on 8 ends OK after 5 s: 1 of 10/4 and 1 of 3/3",
                  "call ends OK after 9 s: 2 of 20/8 and 1 of 3/3"}));
}

/// A hedgingPolicy has several under way at a time.
TEST_F(ObservedCallTest, AttemptsThatAreUnderWayTogetherAreCountedApart) {
  call_.begin_attempt(7, at(1));
  call_.note_sent({10, 10});
  call_.begin_attempt(7, at(2));
  call_.note_sent({10, 10});
  call_.begin_attempt(7, at(3));
  call_.select(2);
  call_.end_attempt(Status::unavailable(""), Observer::AttemptEnd::hedged, at(4));
  call_.select(3);
  call_.end_attempt(Status::cancelled(""), Observer::AttemptEnd::hedged, at(5));
  call_.select(1);
  call_.note_received({3, 3});
  call_.end(Status(), at(6));

  EXPECT_EQ(observer_->book,
            (Book{"sent 10/10", "sent 10/10",
                  "attempt 2 of 3 on 7 is followed UNAVAILABLE after 2 s: 1 of 10/10 and 0 of 0/0",
                  "attempt 3 of 3 on 7 is followed CANCELLED after 2 s: 0 of 0/0 and 0 of 0/0",
                  "attempt 1 of 3 on 7 ends OK after 5 s: 1 of 10/10 and 1 of 3/3",
                  "call ends OK after 6 s: 2 of 20/20 and 1 of 3/3"}));
}

TEST_F(ObservedCallTest, WithoutAnAttemptOnlyTheCallEnds) {
  call_.end(Status::unavailable(""), at(1));

  EXPECT_EQ(observer_->book, Book{"call ends UNAVAILABLE after 1 s: 0 of 0/0 and 0 of 0/0"});
}

TEST_F(ObservedCallTest, MessagesThatAreSentAgainCountOneByOne) {
  std::vector<std::byte> framed(5 + 3 + 5);
  detail::grpc::write_prefix(framed.data(), detail::grpc::uncompressed_flag, 3);
  detail::grpc::write_prefix(framed.data() + 8, detail::grpc::uncompressed_flag, 0);

  call_.note_sent_again(framed);

  EXPECT_EQ(observer_->book, (Book{"sent 3/3", "sent 0/0"}));
}

TEST_F(ObservedCallTest, ARequestThatIsKeptCompressedHasBothSizes) {
  call_.note_sent_kept(25);
  call_.keep_size(100);
  call_.note_sent_kept(25);

  EXPECT_EQ(observer_->book, (Book{"sent 20/20", "sent 100/20"}));
}

}  // namespace
}  // namespace nearcall::test
