// SPDX-License-Identifier: Apache-2.0
// Attempts at a time: opened, fed, answered, cancelled.
#include "client/hedging.hpp"

#include "client/transient_failure.hpp"
#include "grpc/compressed_message.hpp"
#include "grpc/message_prefix.hpp"

namespace nearcall::inline v0::detail {

// ---- attempts -----------------------------------------------------------------------------------

bool Hedging::has_open() const noexcept {
  for (const Hedge& hedge : hedges_) {
    if (hedge.is_open()) return true;
  }
  return false;
}

Hedge& Hedging::idle_one() {
  for (Hedge& hedge : hedges_) {
    if (hedge.is_idle()) return hedge;
  }
  return hedges_.emplace_back(static_cast<HedgeOwner&>(*this));
}

void Hedging::open(ClientConnection& connection,
                   const http2::HeaderTemplate& head,
                   std::span<const http2::HeaderField> fields,
                   LoopCore* loop) {
  loop_ = loop;
  Hedge& hedge = idle_one();
  hedge.open(connection, head, fields, ++opened_);
  const bool has_one = !only_request_.empty();
  const ByteSpan sent_before = has_one ? only_request_ : replay_->bytes();
  const bool is_all = has_one || out().is_finished();
  if (!sent_before.empty()) {
    call_.attempt.messages().note_written(sent_before.size());
    hedge.send(sent_before, is_all);
  } else if (is_all) {
    hedge.end_stream();
  }
  schedule_.on_begun(call_.clock.now());
  if (!replay_->is_whole()) schedule_.stop();  // it is more than may be kept
  call_.waiter.on_next_hedge(schedule_.next());
  out().on_tap_open();
}

void Hedging::put_off() {
  schedule_.put_off(call_.clock.now());
  call_.waiter.on_next_hedge(schedule_.next());
}

/// The first thing that the server says: the Attempt hears it as if it had been its own all along.
void Hedging::on_answer(Hedge& hedge, const http2::HeadersEvent& event) {
  commit(hedge);
  StreamHandler::of(*event.stream)->on_headers(event);
}

void Hedging::commit(Hedge& winner) {
  schedule_.stop();
  if (starter_ != nullptr) starter_->stop();
  cancel_all_but(&winner, Status::cancelled("another attempt of the call was answered first"),
                 Observer::AttemptEnd::hedged);
  call_.owner.on_hedge_chosen(winner.number());
  call_.waiter.on_committed(winner.connection());
  winner.give_to(call_.attempt, loop_);
}

void Hedging::cancel_all_but(const Hedge* winner, const Status& why, Observer::AttemptEnd then) {
  for (Hedge& hedge : hedges_) {
    if (&hedge == winner || !hedge.is_open()) continue;
    hedge.cancel();
    call_.owner.on_hedge_ended(hedge.number(), why, then);
  }
}

void Hedging::stop(const Status& how) {
  is_over_ = true;
  schedule_.stop();
  if (starter_ != nullptr) starter_->stop();
  cancel_all_but(/*winner=*/nullptr, how, Observer::AttemptEnd::last);
}

// ---- failures -----------------------------------------------------------------------------------

bool Hedging::repeats(const Outcome& outcome) noexcept {
  return call_.policy.resume(outcome, RequestLeft::whole) == RetryPolicy::Action::repeat;
}

void Hedging::on_failure(Hedge& hedge, Outcome outcome) {
  if (is_over_) return;
  if (!repeats(outcome)) return conclude(std::move(outcome), hedge.number());
  call_.owner.on_hedge_ended(hedge.number(), outcome.status, Observer::AttemptEnd::repeated);
  schedule_.on_unprocessed(deadline_after(call_.clock.now(), call_.policy.pause()));
  repeat();
}

void Hedging::on_unsent(Status why) {
  Outcome outcome{Seen::nothing, std::move(why)};
  if (!repeats(outcome)) return on_unconnected(std::move(outcome.status));
  schedule_.on_unsent(deadline_after(call_.clock.now(), call_.policy.pause()));
  repeat();
}

void Hedging::repeat() {
  if (is_under_way()) return call_.waiter.on_next_hedge(schedule_.next());
  schedule_.take_next();
  call_.waiter.on_repeat(std::nullopt);
}

void Hedging::on_unconnected(Status why) {
  schedule_.on_unconnected();
  const Seen seen = may_pass(why) ? Seen::nothing : Seen::ours;
  conclude({seen, std::move(why)}, /*number=*/0);
}

/// One that is not the last to fail, and not fatally, is not heard of.
void Hedging::conclude(Outcome outcome, std::uint64_t number) {
  const Pushback pushback = Pushback::parse(outcome.status.trailers());
  const bool is_fatal = schedule_.on_failed(outcome.status, pushback, call_.clock.now());
  const bool goes_on = !is_fatal && outcome.seen != Seen::ours;
  const bool is_one_of_several = goes_on && is_under_way();
  const bool has_next = goes_on && schedule_.next() != no_deadline;
  using End = Observer::AttemptEnd;
  if (number != 0) {
    call_.owner.on_hedge_ended(number, outcome.status,
                               is_one_of_several ? End::hedged
                               : has_next        ? End::retried
                                                 : End::last);
  }
  if (is_one_of_several) {
    if (has_next) call_.waiter.on_next_hedge(schedule_.next());
  } else if (has_next) {
    call_.waiter.on_repeat(schedule_.take_next());
  } else {
    schedule_.stop();
    call_.owner.on_hedges_failed(std::move(outcome));
  }
}

void Hedging::count(const Status& status) noexcept {
  schedule_.count(status, Pushback::parse(status.trailers()));
}

// ---- requests -----------------------------------------------------------------------------------

bool Hedging::take(const google::protobuf::MessageLite& message, bool may_compress) {
  if (is_over_) return false;
  const grpc::OutgoingMessage outgoing(message);
  if (Status refused = out().check(outgoing); !refused.ok()) {
    call_.owner.on_bad_message(std::move(refused));
    return false;
  }
  if (may_compress && out().compresses(outgoing)) {
    return take(grpc::CompressedMessage(outgoing, *out().codec()).bytes(), outgoing.size());
  }
  OwnedBytes plain(outgoing.size());
  outgoing.write(plain.writable());
  return take(plain.span(), outgoing.size());
}

/// A6, "Memory Management": what cannot be kept commits the call, to the attempt that has had the
/// longest time.
bool Hedging::take(ByteSpan framed, std::size_t plain_size) {
  const bool is_kept = replay_->try_keep(framed);
  bool is_taken = is_kept;
  for (Hedge& hedge : hedges_) {
    if (!hedge.is_open()) continue;
    call_.attempt.messages().note_written(framed.size());
    hedge.send(framed, /*end_stream=*/false);
    call_.owner.on_hedge_sent(hedge.number(), {plain_size - grpc::message_prefix_size,
                                               framed.size() - grpc::message_prefix_size});
    is_taken = true;
    if (is_kept) continue;
    replay_->drop();
    commit(hedge);
    break;
  }
  return is_taken;
}

void Hedging::end_requests() {
  for (Hedge& hedge : hedges_) {
    if (hedge.is_open()) hedge.end_stream();
  }
}

}  // namespace nearcall::inline v0::detail
