// SPDX-License-Identifier: Apache-2.0
// Whom a channel or a server tells: its observer, or each of several.
#include "connection/observed.hpp"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <type_traits>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// Tells each of several, in the order in which they were added.
class EachObserver final : public Observer {
 public:
  explicit EachObserver(Observed::Observers observers) noexcept
      : observers_(std::move(observers)) {}

  void on_origin_begun(const Origin& origin) noexcept override {
    tell(&Observer::on_origin_begun, origin);
  }
  void on_origin_ended(const Origin& origin) noexcept override {
    tell(&Observer::on_origin_ended, origin);
  }
  void on_connection_begun(const Connection& connection) noexcept override {
    tell(&Observer::on_connection_begun, connection);
  }
  void on_connection_ended(const Connection& connection, EndReason why) noexcept override {
    tell(&Observer::on_connection_ended, connection, why);
  }
  void on_connection_refused(const Origin& server,
                             const PeerIdentity& peer,
                             Refusal why) noexcept override {
    tell(&Observer::on_connection_refused, server, peer, why);
  }
  void on_connect_failed(const Origin& channel, const Status& why) noexcept override {
    tell(&Observer::on_connect_failed, channel, why);
  }
  void on_call_begun(const Call& call) noexcept override { tell(&Observer::on_call_begun, call); }
  void on_call_refused(const Origin& server, const Status& how) noexcept override {
    tell(&Observer::on_call_refused, server, how);
  }
  void on_attempt_begun(const Call& call, const Attempt& attempt) noexcept override {
    tell(&Observer::on_attempt_begun, call, attempt);
  }
  void on_message_sent(const Call& call, const Message& message) noexcept override {
    tell(&Observer::on_message_sent, call, message);
  }
  void on_message_received(const Call& call, const Message& message) noexcept override {
    tell(&Observer::on_message_received, call, message);
  }
  void on_attempt_ended(const Call& call,
                        const Attempt& attempt,
                        const Status& how,
                        AttemptEnd then) noexcept override {
    tell(&Observer::on_attempt_ended, call, attempt, how, then);
  }
  void on_call_ended(const Call& call, const Status& how) noexcept override {
    tell(&Observer::on_call_ended, call, how);
  }

 private:
  template <class... Arguments>
  void tell(void (Observer::*what)(Arguments...) noexcept,
            const std::type_identity_t<Arguments>&... arguments) noexcept {
    for (const std::shared_ptr<Observer>& observer : observers_)
      (observer.get()->*what)(arguments...);
  }

  const Observed::Observers observers_;
};

}  // namespace

std::shared_ptr<const Observed> Observed::make(Observer::Side side,
                                               std::string target,
                                               const Observers& observers) {
  Observers all;
  std::copy_if(observers.begin(), observers.end(), std::back_inserter(all),
               [](const std::shared_ptr<Observer>& observer) { return observer != nullptr; });
  if (all.empty()) return nullptr;
  std::shared_ptr<Observer> observer =
      all.size() == 1 ? all.front() : std::make_shared<EachObserver>(std::move(all));
  return std::make_shared<Observed>(std::move(observer), side, std::move(target));
}

Observed::Observed(std::shared_ptr<Observer> observer, Observer::Side side, std::string target)
    : observer_(std::move(observer)), origin_{side, next_id(), std::move(target)} {
  observer_->on_origin_begun(origin_);
}

Observed::~Observed() {
  observer_->on_origin_ended(origin_);
}

std::uint64_t Observed::next_id() noexcept {
  static constinit std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace nearcall::inline v0::detail
