// SPDX-License-Identifier: Apache-2.0
// How a signal gets from its handler to those who wait for it.
#include "async/signal_watch.hpp"
#include "base/unique_fd.hpp"

#include <nearcall/result.hpp>
#include <nearcall/signals.hpp>
#include <nearcall/wait.hpp>

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <mutex>

namespace nearcall::inline v0 {
namespace detail {

/// What one SignalSet shares with the handler. Used again and again, never freed, and its eventfd
/// never closed: the handler may be looking at it on another thread.
struct SignalSlot {
  std::atomic<std::uint64_t> wanted{0};
  std::atomic<std::uint64_t> arrived{0};
  /// -1 as long as it cannot be had.
  std::atomic<int> event{-1};
  SignalSlot* next = nullptr;
  // Guarded by the mutex of SignalTable.
  bool is_taken = false;
  /// Of another process after a fork: that one reads the eventfd too.
  pid_t process = 0;
};

namespace {

constexpr int number_of_signals = 64;

std::atomic<SignalSlot*> first_signal_slot{nullptr};
/// The process whose sets they are: the child of a fork has the handler, but not the sets.
std::atomic<pid_t> signal_set_process{0};

constexpr std::uint64_t bit_of(int number) noexcept {
  return std::uint64_t{1} << (number - 1);
}

// Atomics without locks, write, getpid, signal, raise: all allowed in a handler.
void hand_to_signal_sets(int number) {
  const int saved = errno;
  if (signal_set_process.load(std::memory_order_relaxed) != ::getpid()) {
    die_of_signal(number);
  } else {
    for (SignalSlot* slot = first_signal_slot.load(); slot != nullptr; slot = slot->next) {
      if ((slot->wanted.load() & bit_of(number)) == 0) continue;
      slot->arrived.fetch_or(bit_of(number));
      const std::uint64_t one = 1;
      static_cast<void>(!::write(slot->event.load(), &one, sizeof one));
    }
  }
  errno = saved;
}

/// Who wants which signal, and what it did before. Never destroyed: sets may live as long as the
/// process. Thread safety: any thread.
class SignalTable {
 public:
  static SignalTable& instance() {
    static auto* const table = new SignalTable;
    return *table;
  }

  SignalSlot& take(std::uint64_t wanted) {
    const std::lock_guard lock(mutex_);
    signal_set_process.store(::getpid());
    SignalSlot& slot = free_slot();
    slot.is_taken = true;
    slot.arrived.store(0);
    slot.wanted.store(wanted);
    for_each(wanted, [](int number, Entry& entry) {
      if (entry.users++ == 0) install(number, entry);
    });
    return slot;
  }

  void put_back(SignalSlot& slot, std::uint64_t wanted) noexcept {
    const std::lock_guard lock(mutex_);
    for_each(wanted, [](int number, Entry& entry) {
      if (--entry.users == 0) restore(number, entry);
    });
    slot.wanted.store(0);
    slot.is_taken = false;
    for_each(slot.arrived.exchange(0) & wanted, [](int number, const Entry& entry) {
      if (entry.users == 0) ::raise(number);
    });
  }

 private:
  struct Entry {
    int users = 0;
    struct sigaction before {};
  };

  template <class Function>
  void for_each(std::uint64_t numbers, const Function& function) {
    for (; numbers != 0; numbers &= numbers - 1) {
      const int index = std::countr_zero(numbers);
      function(index + 1, entries_[static_cast<std::size_t>(index)]);
    }
  }

  static void install(int number, Entry& entry) noexcept {
    struct sigaction ours {};
    ours.sa_handler = &hand_to_signal_sets;
    ours.sa_flags = SA_RESTART;
    if (::sigaction(number, &ours, &entry.before) != 0) {
      fail_precondition(
          "SignalSet: there is no such signal, or it cannot be handled; name others, such as "
          "SIGTERM");
    }
  }
  /// Not where the program has set a handler of its own meanwhile.
  static void restore(int number, const Entry& entry) noexcept {
    struct sigaction now {};
    if (::sigaction(number, nullptr, &now) != 0) return;
    if ((now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler != &hand_to_signal_sets) return;
    ::sigaction(number, &entry.before, nullptr);
  }

  SignalSlot& free_slot() {
    SignalSlot* slot = first_signal_slot.load();
    while (slot != nullptr && (slot->is_taken || slot->process != ::getpid()))
      slot = slot->next;
    if (slot == nullptr) {
      slot = new SignalSlot;
      slot->process = ::getpid();
      slot->next = first_signal_slot.load();
      first_signal_slot.store(slot);
    }
    if (slot->event.load() < 0) {
      UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));  // never 0, 1 or 2
      slot->event.store(event.release());
    }
    return *slot;
  }

  std::mutex mutex_;
  // Guarded by mutex_.
  std::array<Entry, number_of_signals> entries_;
};

}  // namespace
}  // namespace detail

SignalSet::SignalSet(std::initializer_list<int> numbers) {
  for (const int number : numbers) {
    if (number < 1 || number > detail::number_of_signals) {
      detail::fail_precondition(
          "SignalSet: there is no such signal, or it cannot be handled; name others, such as "
          "SIGTERM");
    }
    wanted_ |= detail::bit_of(number);
  }
  slot_ = &detail::SignalTable::instance().take(wanted_);
}

SignalSet::~SignalSet() {
  detail::SignalTable::instance().put_back(*slot_, wanted_);
}

Task<int> SignalSet::wait() {
  constexpr std::chrono::milliseconds without_descriptor(10);
  const int event = slot_->event.load();
  while (true) {
    std::uint64_t count = 0;
    static_cast<void>(!::read(event, &count, sizeof count));
    // What a handler still had for the owner before is not wanted.
    if (const std::uint64_t arrived = slot_->arrived.load() & wanted_; arrived != 0) {
      const int number = std::countr_zero(arrived) + 1;
      slot_->arrived.fetch_and(~detail::bit_of(number));
      co_return number;
    }
    if (event < 0) {
      co_await sleep_for(without_descriptor);
    } else {
      co_await wait_readable(event);
    }
  }
}

}  // namespace nearcall::inline v0
