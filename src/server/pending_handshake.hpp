// SPDX-License-Identifier: Apache-2.0
// PendingHandshake: an accepted transport whose handshake is under way.
#pragma once

#include "async/intrusive_list.hpp"
#include "async/loop_core.hpp"
#include "async/run_member.hpp"
#include "server/connection_quota.hpp"

#include <nearcall/transport.hpp>

#include <memory>
#include <system_error>

namespace nearcall::inline v0::detail {

/// A transport whose handshake is under way: tries it again whenever its descriptor is ready, until
/// it is done, has failed, its time has passed, or another one needs its place.
///
/// Thread safety: the loop's thread.
class PendingHandshake final : public FdWatcher, public ListHook {
 public:
  class Owner {
   public:
    /// Once, and not from inside begin(). Deletes `handshake`.
    virtual void on_handshake_end(PendingHandshake& handshake, std::error_code error) = 0;
    /// Instead of that: a newcomer needs its place. Deletes `handshake`.
    virtual void on_handshake_evicted(PendingHandshake& handshake) = 0;

   protected:
    ~Owner() = default;
  };

  PendingHandshake(LoopCore& core,
                   Owner& owner,
                   std::unique_ptr<Transport> transport,
                   ConnectionQuota::Place place);
  PendingHandshake(const PendingHandshake&) = delete;
  PendingHandshake& operator=(const PendingHandshake&) = delete;
  ~PendingHandshake();

  /// Waits for the next step, until the deadline.
  void begin(TimePoint deadline);
  /// The transport, no longer watched.
  std::unique_ptr<Transport> take_transport() noexcept;

  void on_fd_events(std::uint32_t epoll_events) override;

 private:
  static void on_timer(void* self) noexcept;
  void step();
  void give_way() { owner_->on_handshake_evicted(*this); }
  void wait();
  void unwatch() noexcept;

  LoopCore* core_;
  Owner* owner_;
  std::unique_ptr<Transport> transport_;
  ConnectionQuota::Place place_;  // of nobody known, and idle, as long as it lasts
  int watched_fd_ = -1;
  Timer timer_;
  RunMember<&PendingHandshake::step> step_on_{*this};
  RunMember<&PendingHandshake::give_way> give_way_{*this};
};

}  // namespace nearcall::inline v0::detail
