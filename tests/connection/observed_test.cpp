// SPDX-License-Identifier: Apache-2.0
// Observed: tells each observer that it is there, and that it has gone.
#include "connection/observed.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::test {
namespace {

using detail::Observed;

/// Notes each event that names an origin, and its own name, in a book that others may share.
class OriginObserver final : public Observer {
 public:
  OriginObserver(std::string name, std::vector<std::string>& book)
      : name_(std::move(name)), book_(&book) {}

  void on_origin_begun(const Origin& origin) noexcept override { note(origin, "begun"); }
  void on_origin_ended(const Origin& origin) noexcept override { note(origin, "ended"); }
  void on_connection_begun(const Connection& connection) noexcept override {
    note(connection.origin, "connected");
  }
  void on_connection_ended(const Connection& connection, EndReason why) noexcept override {
    note(connection.origin, std::string(to_string(why)));
  }
  void on_connection_refused(const Origin& server,
                             const PeerIdentity& peer,
                             Refusal /*why*/) noexcept override {
    note(server, "refused " + peer.address());
  }
  void on_connect_failed(const Origin& channel, const Status& why) noexcept override {
    note(channel, "failed: " + std::string(why.message()));
  }
  void on_call_refused(const Origin& server, const Status& how) noexcept override {
    note(server, "no call: " + std::string(how.message()));
  }

 private:
  void note(const Origin& origin, const std::string& what) {
    book_->push_back(name_ + ": " + origin.target + " " + what);
  }

  const std::string name_;
  std::vector<std::string>* const book_;
};

TEST(Observed, IsNothingWithoutObservers) {
  EXPECT_EQ(Observed::make(Observer::Side::client, "unix:/a", {}), nullptr);
  EXPECT_EQ(Observed::make(Observer::Side::client, "unix:/a", {nullptr}), nullptr);
}

TEST(Observed, TellsEachObserverOfAllInTheOrderInWhichTheyWereAdded) {
  std::vector<std::string> book;
  const Status why = Status::unavailable("x");
  {
    const auto observed = Observed::make(Observer::Side::server, "s",
                                         {std::make_shared<OriginObserver>("one", book),
                                          std::make_shared<OriginObserver>("two", book)});
    Observer& observer = observed->observer();
    const PeerIdentity peer("p");
    observer.on_connection_begun({observed->origin(), 1, peer, {}});
    observer.on_connection_ended({observed->origin(), 1, peer, {}}, EndReason::drained);
    observer.on_connection_refused(observed->origin(), peer, Observer::Refusal::limit);
    observer.on_connect_failed(observed->origin(), why);
    observer.on_call_refused(observed->origin(), why);
  }
  std::vector<std::string> expected;
  for (const char* const what :
       {"begun", "connected", "drained", "refused p", "failed: x", "no call: x", "ended"}) {
    expected.push_back(std::string("one: s ") + what);
    expected.push_back(std::string("two: s ") + what);
  }
  EXPECT_EQ(book, expected);
}

TEST(Observed, NoTwoHaveTheSameNumber) {
  std::vector<std::string> book;
  const auto observer = std::make_shared<OriginObserver>("o", book);
  const Observed one(observer, Observer::Side::client, "a");
  const Observed two(observer, Observer::Side::client, "a");

  EXPECT_NE(one.origin().id, two.origin().id);
}

}  // namespace
}  // namespace nearcall::test
