// SPDX-License-Identifier: Apache-2.0
// accept4, its many errors, and the spare descriptor.
#include "transport/acceptor.hpp"

#include "base/shortage.hpp"
#include "transport/system_error.hpp"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

UniqueFd make_spare() noexcept {
  return UniqueFd(::eventfd(0, EFD_CLOEXEC));
}

UniqueFd accept_once(int listening) noexcept {
  return UniqueFd(::accept4(listening, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

/// Whether the error belongs to the one connection that was next, and not to the listener. TCP
/// hands over its pending errors here (accept(2)).
bool is_of_that_connection(int number) noexcept {
  switch (number) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
      return true;
    default:
      return false;
  }
}

/// How many descriptors connections leave to the rest of the program, where there are enough.
constexpr rlim_t reserve = 32;

/// The kernel hands out the lowest number that is free, so the highest ones are the reserve.
bool is_of_the_reserve(int fd) noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  return static_cast<rlim_t>(fd) >= limit.rlim_cur - std::min(reserve, limit.rlim_cur / 2);
}

}  // namespace

Acceptor::Acceptor(UniqueFd listening, Sharing sharing) noexcept
    : listening_(std::move(listening)), spare_(make_spare()), sharing_(sharing) {
}

Acceptor::~Acceptor() {
  if (sharing_ == Sharing::none) stop_listening();
}

void Acceptor::stop_listening() noexcept {
  is_listening_ = false;
  if (made_in_.is_in_maker()) ::shutdown(listening_.get(), SHUT_RDWR);
}

Result<UniqueFd> Acceptor::try_accept(const std::string& subject) {
  for (;;) {
    UniqueFd accepted = accept_once(listening_.get());
    if (accepted && is_of_the_reserve(accepted.get())) {
      return Status(StatusCode::resource_exhausted,
                    subject + ": accept (one connection closed): the last " +
                        std::to_string(reserve) + " descriptors are left to others");
    }
    if (accepted) return accepted;
    const int reason = errno;
    if (reason == EAGAIN || (reason == EINVAL && !is_listening_)) return UniqueFd();
    if (is_shortage(reason)) return turn_one_away(subject, reason);
    if (!is_of_that_connection(reason)) {
      return listen_status(subject, "accept", reason);
    }
  }
}

Result<UniqueFd> Acceptor::turn_one_away(const std::string& subject, int reason) {
  spare_.reset();
  UniqueFd turned_away = accept_once(listening_.get());
  // accept4 looks for a free descriptor first: the shortage shows even when nobody waits.
  const bool nobody_waits =
      !turned_away && (errno == EAGAIN || (errno == EINVAL && !is_listening_));
  const bool closed_one = static_cast<bool>(turned_away);
  turned_away.reset();
  spare_ = make_spare();
  if (nobody_waits) return UniqueFd();
  return system_status(StatusCode::resource_exhausted, subject,
                       closed_one ? "accept (one connection closed)" : "accept", reason);
}

void fail_listener_order() noexcept {
  fail_precondition(
      "Listener: used out of order; call bind() once, and prepare_wait() only between bind() and "
      "unbind()");
}

}  // namespace nearcall::inline v0::detail
