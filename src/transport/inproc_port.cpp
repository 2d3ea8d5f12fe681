// SPDX-License-Identifier: Apache-2.0
// The names of a process, and who waits at each.
#include "transport/inproc_port.hpp"

#include "transport/system_error.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// Never destroyed: a listener may go after all that is static has gone.
struct Names {
  const ForkMark made_in;
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<InprocPort>> ports;
};

/// Those of this process. A fork may have come while another thread held the parent's mutex: a
/// child makes its own, and leaves the parent's alone.
Names& names_of_process() {
  static std::atomic<Names*> current{nullptr};
  Names* names = current.load(std::memory_order_acquire);
  while (names == nullptr || !names->made_in.is_in_maker()) {
    auto own = std::make_unique<Names>();
    if (current.compare_exchange_strong(names, own.get(), std::memory_order_acq_rel)) {
      return *own.release();
    }
  }
  return *names;
}

}  // namespace

InprocPort::InprocPort(std::string name, std::size_t backlog, UniqueFd waiting) noexcept
    : name_(std::move(name)), backlog_(backlog), waiting_fd_(std::move(waiting)) {
}

Result<std::shared_ptr<InprocPort>> InprocPort::open(const std::string& name, std::size_t backlog) {
  const std::string subject = "inproc:" + name;
  UniqueFd waiting(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!waiting) return listen_status(subject, "eventfd", errno);
  auto port =
      std::make_shared<InprocPort>(name, std::max<std::size_t>(backlog, 1), std::move(waiting));
  Names& names = names_of_process();
  const std::lock_guard lock(names.mutex);
  if (!names.ports.emplace(name, port).second) return listen_status(subject, "bind", EADDRINUSE);
  return port;
}

std::shared_ptr<InprocPort> InprocPort::find(const std::string& name) {
  Names& names = names_of_process();
  const std::lock_guard lock(names.mutex);
  const auto found = names.ports.find(name);
  return found == names.ports.end() ? nullptr : found->second;
}

InprocPort::Offer InprocPort::offer(std::unique_ptr<Transport>& end) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return Offer::closed;
  if (waiting_.size() >= backlog_) return Offer::full;
  waiting_.push_back(std::move(end));
  const std::uint64_t one = 1;
  static_cast<void>(!::write(waiting_fd_.get(), &one, sizeof one));
  return Offer::taken;
}

std::unique_ptr<Transport> InprocPort::take() {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) return nullptr;
  std::unique_ptr<Transport> next = std::move(waiting_.front());
  waiting_.pop_front();
  std::uint64_t count = 0;
  if (waiting_.empty()) static_cast<void>(!::read(waiting_fd_.get(), &count, sizeof count));
  return next;
}

void InprocPort::close() noexcept {
  if (!made_in_.is_in_maker())
    return;  // the mutexes may be locked for ever, and the eventfd is shared
  {
    Names& names = names_of_process();
    const std::lock_guard lock(names.mutex);
    const auto found = names.ports.find(name_);
    if (found != names.ports.end() && found->second.get() == this) names.ports.erase(found);
  }
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
}

}  // namespace nearcall::inline v0::detail
