// SPDX-License-Identifier: Apache-2.0
// Who asks, what he is told, and what becomes of it.
#include "transport/takeover_offer.hpp"

#include "base/shortage.hpp"
#include "transport/peer_credentials.hpp"
#include "transport/system_error.hpp"

#include <nearcall/peer_policy.hpp>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <utility>

namespace nearcall::inline v0::detail {

Result<std::unique_ptr<TakeoverOffer>> TakeoverOffer::make(UniqueFd listening,
                                                           std::string subject) {
  UniqueFd poller(::epoll_create1(EPOLL_CLOEXEC));
  if (!poller) return listen_status(subject, "epoll_create1", errno);
  std::unique_ptr<TakeoverOffer> made(
      new TakeoverOffer(std::move(listening), std::move(poller), std::move(subject)));
  if (!made->watch(made->listening_.get()))
    return listen_status(made->subject_, "epoll_ctl", errno);
  return made;
}

bool TakeoverOffer::watch(int fd) const noexcept {
  epoll_event wanted{EPOLLIN, {}};
  return ::epoll_ctl(poller_.get(), EPOLL_CTL_ADD, fd, &wanted) == 0;
}

TakeoverOffer::News TakeoverOffer::look() {
  if (!asker_) return accept();
  const TakeoverNews news = receive_takeover(asker_->get());
  switch (news.kind) {
    case TakeoverNews::Kind::nothing:
      return News::none;
    case TakeoverNews::Kind::message:
      if (is_told_) return News::none;  // of no meaning
      if (news.message == TakeoverMessage::take) return News::wanted;
      withdraw();
      return News::none;
    case TakeoverNews::Kind::ended:
    case TakeoverNews::Kind::broken:
      break;
  }
  const bool was_told = is_told_;
  drop_asker();
  if (!was_told) return News::none;
  return news.kind == TakeoverNews::Kind::ended ? News::taken : News::returned;
}

TakeoverOffer::News TakeoverOffer::accept() {
  pollfd watched{listening_.get(), POLLIN, 0};
  if (::poll(&watched, 1, 0) != 1) return News::none;  // accept4(2) fails first for want of room
  UniqueFd asker(::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!asker) return is_shortage(errno) ? News::no_room : News::none;
  const PeerIdentity peer = peer_identity(asker.get(), subject_);
  if (!PeerPolicy::same_user_or_root().admits(peer)) {
    if (refusal_limiter_.admit(SteadyClock::now())) {
      log(LogLevel::warning, peer.to_string(), ": refused to take the socket over");
    }
    return News::none;
  }
  ::epoll_ctl(poller_.get(), EPOLL_CTL_DEL, listening_.get(), nullptr);
  asker_.emplace(std::move(asker));
  watch(asker_->get());
  return News::asked;
}

void TakeoverOffer::offer(std::span<const int> descriptors) {
  if (!send_takeover(asker_->get(), TakeoverMessage::offer, descriptors)) drop_asker();
}

bool TakeoverOffer::confirm() {
  if (is_told_) return true;
  is_told_ = send_takeover(asker_->get(), TakeoverMessage::yours);
  if (!is_told_) drop_asker();
  return is_told_;
}

void TakeoverOffer::withdraw() {
  if (!asker_ || is_told_) return;
  send_takeover(asker_->get(), TakeoverMessage::withdrawn);
  drop_asker();
}

void TakeoverOffer::drop_asker() noexcept {
  ::epoll_ctl(poller_.get(), EPOLL_CTL_DEL, asker_->get(), nullptr);
  asker_.reset();
  is_told_ = false;
  watch(listening_.get());
}

}  // namespace nearcall::inline v0::detail
