// SPDX-License-Identifier: Apache-2.0
// Balancer: the backends of a channel that has several, and which one an attempt goes to.
#pragma once

#include "async/intrusive_list.hpp"
#include "base/clock.hpp"
#include "client/backend.hpp"
#include "client/backend_group.hpp"
#include "client/backend_source.hpp"
#include "client/health_watches.hpp"
#include "client/membership.hpp"
#include "client/server_wait.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/picker.hpp>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail {

/// The backends of a channel that has several. Calls begin at the channel's front, a Backend that
/// has no server but this; what they are picked is a Backend like any other, which tells what its
/// attempts and connections come to.
///
/// Who looks for a connection makes a pass: it goes from one backend to the next, and leaves out
/// those that have failed since it began, whoever's attempt that was. So each is tried once at
/// most.
///
/// Thread safety: any thread. A backend's lock may be held when its Membership takes the one of
/// this, never the other way round.
class Balancer final : public BackendGroup, public std::enable_shared_from_this<Balancer> {
 public:
  /// Beyond that the rest is left out, and the log says so.
  static constexpr std::size_t most_backends = 1000;
  /// How many failures there had been when it began.
  using Pass = std::uint64_t;
  using Turn = BlockingConnection::Turn;

  /// The front of a channel to these targets; what is wrong with one of them is wrong there.
  static std::shared_ptr<Backend> make_front(const std::vector<std::string>& targets,
                                             ChannelOptions options,
                                             std::shared_ptr<const MethodTable> methods,
                                             Clock clock = Clock());
  /// That of a front, or null.
  static Balancer* of(const Backend& backend) noexcept {
    return static_cast<Balancer*>(backend.group());
  }
  /// `options`: each backend's.
  Balancer(ChannelOptions options, std::shared_ptr<Picker> picker, Clock clock);
  Balancer(const Balancer&) = delete;
  Balancer& operator=(const Balancer&) = delete;

  /// The fixed targets, and those that stand for backends which come and go. Once.
  Status set_origins(const std::vector<std::string>& targets);
  /// These are the backends from now on; those that were there before stay as they are, and those
  /// that are not any more take no more calls. Which of them are wrong: the first one's misuse.
  Status set_targets(const std::vector<std::string>& targets);

  /// The one with that target; null: there is none.
  std::shared_ptr<Backend> find(std::string_view target);

  /// Has sources look, where it is time to.
  Pass begin_pass();
  /// It is not known yet who is there; who waits for that is told as of a new state.
  bool is_looking();
  /// Whether it has to be asked again and again, since nobody tells when that changes.
  bool asks_health() const noexcept { return health_ != nullptr; }
  /// The backend for an attempt; null: there is none that has not failed since `pass` began.
  /// Where `heeds_pauses`, none that pauses after a failure either.
  std::shared_ptr<Backend> pick(const PickRequest& request, Pass pass, bool heeds_pauses = false);
  /// It counts as failed, if none of its attempts has since `pass` began. Whether any is left.
  bool fail(Backend& backend, Pass pass, const Status& why);
  /// Why there is none.
  Status nobody();

  /// How a thread looks for a connection.
  struct Search {
    PickRequest request;
    Backend::Want want = Backend::Want::fit;
    Backend::Patience patience;
    /// Until a server is there.
    bool waits = false;
    std::stop_token stop;
  };
  struct Found {
    std::shared_ptr<Backend> backend;
    std::shared_ptr<BlockingConnection> connection;
  };
  /// A connection to one of them, on this thread, and its turn, if it is not a new one.
  Result<Found> connect(Turn& turn, const Search& search);
  /// Whether there is a connection on which a server has said something; makes one if not.
  Status ensure_connection(TimePoint until) override;

  // AwaitedServer: all of them.

  TimePoint next_attempt() override;
  std::vector<std::string> paths() override;
  void note_change_at_path() override;
  void watch(StateWatcher& watcher) override;
  void unwatch(StateWatcher& watcher) override;

  /// The state of them all together, after a look at connections that nobody drives.
  ConnectivityState state() override;
  Duration look_interval() override;
  bool wait_for_state_change(ConnectivityState from, TimePoint until) override;
  void close_idle() override;
  void drain() override;

 private:
  friend class Membership;

  using Health = HealthWatches::Health;
  struct Member {
    std::shared_ptr<Backend> backend;
    std::shared_ptr<Membership> membership;
    /// Where nobody asks for it, it serves.
    Health health = Health::serving;
  };
  /// What may be picked, as long as nothing changes. A value that threads share.
  struct Candidates {
    std::vector<PickableBackend> seen;
    std::vector<std::shared_ptr<Backend>> backends;
    /// Until the pause of one that is left out is over.
    TimePoint until = no_deadline;
  };

  void note(Membership& member, Connectivity::Event event, const Connectivity& connectivity);
  Member make_member(const std::string& target);
  // Under the lock.
  std::shared_ptr<const Candidates> candidates(Pass pass, TimePoint now, bool heeds_pauses) const;
  ConnectivityState known_state() const noexcept;
  void tell_state();
  static ConnectivityState counted_state(const Member& member) noexcept;
  std::size_t& count(ConnectivityState state) noexcept {
    return counts_[static_cast<std::size_t>(state)];
  }

  std::vector<std::shared_ptr<Backend>> backends();
  std::string name_of_front() const;
  void begin_health_checks();
  void turn_health();
  void note_health(const std::string& target, Health health, const Status& why);
  void recount() noexcept;
  bool is_health_unknown() const noexcept;
  void look();
  std::vector<std::string> targets_of_sources() const;
  void note_sources();
  bool wait_until_known(const Search& search);
  Result<Found> make_pass(Turn& turn, const Search& search, bool heeds_pauses);
  Result<Found> probe(Turn& turn, const Search& search);
  bool is_pausing();
  bool become_prober();
  void end_probing();
  bool follow_prober(const Search& search);

  const ChannelOptions options_;
  const std::shared_ptr<Picker> picker_;
  const bool shuffles_;
  const Clock clock_;
  std::weak_ptr<Backend> front_;
  std::shared_ptr<const MethodTable> methods_;

  /// A target that is a backend, or what says where they are.
  struct Origin {
    std::string target;
    std::unique_ptr<BackendSource> source;
  };
  /// Whether one of them is a source: does not change once there are calls.
  bool has_sources_ = false;
  /// A backend could not be reached, or was lost. Back to false by who tells the sources.
  std::atomic<bool> has_failed_{false};
  /// Held while sources look. Comes before the other one.
  std::mutex sources_mutex_;
  std::vector<Origin> origins_;

  std::mutex mutex_;
  std::vector<Member> members_;
  /// What sources said, for who has mutex_.
  struct Known {
    bool is_begun = false;
    bool is_looking = false;
    Status failure;
    TimePoint next_look = no_deadline;
  };
  Known known_;
  Status last_failure_;
  Status unhealthy_;
  std::condition_variable_any is_known_;
  /// Null: something has changed since.
  std::shared_ptr<const Candidates> candidates_;
  std::uint64_t failures_ = 0;
  /// How many members count as each state.
  std::array<std::size_t, 5> counts_{};
  ConnectivityState told_ = ConnectivityState::idle;
  IntrusiveList<StateWatcher> watchers_;
  std::condition_variable state_has_changed_;
  bool has_prober_ = false;
  std::condition_variable_any prober_is_done_;
  /// Null: nobody asks. Its lock comes between the other two.
  std::unique_ptr<HealthWatches> health_;
};

}  // namespace nearcall::inline v0::detail
