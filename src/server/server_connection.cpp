// SPDX-License-Identifier: Apache-2.0
// Requests become calls; the connection's start, drain and end.
#include "server/server_connection.hpp"

#include "base/log.hpp"
#include "connection/metadata_limits.hpp"
#include "connection/outgoing_fields.hpp"
#include "grpc/metadata_codec.hpp"
#include "grpc/trailer_limit.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

constexpr std::uint64_t drain_ping = 0x6472'6169'6e21'0001;
/// What it takes of a turn (TurnBudget) besides its handler's first steps: its request was parsed
/// by nobody yet.
constexpr std::size_t work_of_held_call = 1024;
constexpr std::size_t calls_between_notes = 8;
constexpr auto drain_ping_patience = std::chrono::milliseconds(100);

/// From 0 to 1, another one for each connection, also of those that begin in one turn.
double chance_of(const void* connection, TimePoint now) noexcept {
  constexpr std::uint64_t golden = 0x9e37'79b9'7f4a'7c15;
  const auto mixed = golden * (reinterpret_cast<std::uintptr_t>(connection) ^
                               static_cast<std::uint64_t>(now.time_since_epoch().count()));
  return static_cast<double>(mixed >> 32U) / 4294967296.0;
}

}  // namespace

ServerConnection::ServerConnection(Owner& owner,
                                   LoopCore& core,
                                   ServerShared& shared,
                                   std::unique_ptr<Transport> transport,
                                   ConnectionQuota::Place place)
    : CallHost(shared, pump_, driver_),
      owner_(&owner),
      place_(std::move(place)),
      requests_(shared.registry(), metadata_limits(shared.options().limits()), shared.codecs()),
      pump_(std::move(transport),
            http2::Role::server,
            {.limits = shared.limits()},
            *this,
            core.now()),
      driver_(core, pump_),
      drain_timer_(core, &ServerConnection::on_drain_timer, this) {
  pump_.keep_alive(shared.keep_alive(pump_.transport().writes_fail_after_close()), core.now());
  if (const ConnectionAge::Options age = shared.age(); age.are_any())
    aging_ = std::make_unique<Aging>(*this, age);
  place_.settle(core, give_way_);
  observed_ = shared.counters().note_begun(peer());
}

ServerConnection::~ServerConnection() {
  place_.leave();
  pump_.close(EndReason::cancelled, "the server went");
  for (IntrusiveList<ServerCall>* const calls : all_calls()) {
    while (ServerCall* const call = calls->pop_back())
      delete call;
  }
  sweep();
}

void ServerConnection::sweep() noexcept {
  while (ServerCall* const call = over_.pop_front()) {
    delete call;
  }
}

void ServerConnection::on_event(const http2::Event& event) {
  if (const auto* const headers = std::get_if<http2::HeadersEvent>(&event)) {
    on_request(*headers);
  } else if (const auto* const reset = std::get_if<http2::ResetEvent>(&event)) {
    note_reset(*reset);
    commands()->release(*reset->stream);
  } else if (std::holds_alternative<http2::RoomEvent>(event)) {
    begin_held();
  } else if (const auto* const wait = std::get_if<http2::WritersWaitEvent>(&event)) {
    log_fault(wait->what);
  } else if (const auto* const ack = std::get_if<http2::PingAckEvent>(&event)) {
    if (ack->opaque == drain_ping) finish_drain(/*is_heard=*/true);
  }
}

void ServerConnection::on_request(const http2::HeadersEvent& event) {
  const Result<ServedRequest*, grpc::Rejection> request = requests_.read(*event.list);
  if (!request) return reject(*event.stream, request.error());
  if (const Metadata& metadata = (*request)->metadata; !metadata.empty()) {
    pump_.session().keeps_of_headers(*event.stream, grpc::list_size(metadata));
  }
  auto* const call = new ServerCall(*this);
  calls_.push_back(*call);
  place_.set_busy();
  call->begin(*event.stream, **request, event.end_stream);
  // Of a call that sends nothing more this is the only time; not for the first ones, which are
  // cheap.
  if (pump_.session().stream_count() % calls_between_notes == calls_between_notes - 1) note_load();
}

void ServerConnection::hold(ServerCall& call, Room lacking) {
  HeldCalls& held = held_[static_cast<std::size_t>(lacking)];
  if (!std::exchange(held.is_told, true)) {
    log_fault(lacking == Room::in_output
                  ? "new calls wait until the peer reads what it asked for "
                    "(max_buffered_output_of_new_calls)"
                  : "requests wait until handlers return that have as much of others as they may "
                    "(max_held_requests)");
  }
  call.ListHook::unlink();
  held.calls.push_back(call);
  if (lacking == Room::for_requests) pump_.session().hold_input(true);
}

void ServerConnection::release_input() {
  if (!held(Room::for_requests).empty() || pump_.has_ended()) return;
  if (pump_.session().is_input_held()) commands()->hold_input(false);
}

ServerCall* ServerConnection::next_to_begin() noexcept {
  if (!held(Room::in_output).empty() && has_room_for_calls()) return held(Room::in_output).front();
  if (!held(Room::for_requests).empty() && has_room_for_requests())
    return held(Room::for_requests).front();
  return nullptr;
}

/// As many as the turn has room for, and one at least.
void ServerConnection::begin_held() {
  while (ServerCall* const call = next_to_begin()) {
    call->ListHook::unlink();
    calls_.push_back(*call);
    loop_core().budget().spend(work_of_held_call);
    call->on_room();
    if (!loop_core().budget().is_spent()) continue;
    if (!begin_on_.is_linked()) loop_core().schedule_next_turn(begin_on_);
    break;
  }
  release_input();
}

void ServerConnection::on_room_for_requests() noexcept {
  if (!held(Room::for_requests).empty() && !begin_on_.is_linked())
    loop_core().schedule_next_turn(begin_on_);
}

void ServerConnection::reject(http2::Stream& stream, const grpc::Rejection& rejection) {
  if (const Observed* const observed = shared().observed())
    observed->observer().on_call_refused(observed->origin(), rejection.status);
  OutgoingFields& outgoing = OutgoingFields::fresh();
  grpc::append_rejection(outgoing.block(), rejection);
  grpc::limit_trailers(outgoing.block(), pump_.session().max_sent_header_list_size());
  note_failed_answer();
  const SessionCommands session = commands();
  session->send_headers(stream, http2::HeaderTemplate::none(), outgoing.fields(),
                        /*end_stream=*/true);
  session->release(stream);
}

void ServerConnection::release(ServerCall& call) {
  MessageStream& messages = call.stream();
  if (messages.is_attached()) {
    http2::Stream& stream = messages.stream();
    messages.detach();
    commands()->release(stream, call.deadline());
  }
  note_load();
  call.ListHook::unlink();
  over_.push_back(call);
  if (session().is_input_held()) [[unlikely]]
    release_input();
  loop_core().request_turn_end(sweep_);
  if (!has_calls()) {
    place_.set_idle(loop_core().now());
    if (aging_ != nullptr) aging_->idle_since = loop_core().now();
  }
  leave_if_done();
}

// ---- what others need ---------------------------------------------------------------------------

void ServerConnection::give_way() {
  using Ask = ConnectionQuota::Ask;
  report_load();
  const Ask asked = place_.asked();
  const bool is_idle = !has_calls() && pump_.session().stream_count() == 0;
  const bool may_stay = asked == Ask::place ? !is_idle : !place_.is_still_needed();
  if (pump_.has_ended() || may_stay) return place_.decline(loop_core().now());
  if (asked == Ask::place) {
    pump_.close_with_goaway(EndReason::evicted, http2::ErrorCode::no_error,
                            "idle for longest, and others need its place (max_connections_per_uid, "
                            "max_connections)",
                            loop_core().now());
  } else {
    pump_.close_with_goaway(
        EndReason::evicted, http2::ErrorCode::enhance_your_calm,
        asked == Ask::input
            ? "holds most of what nobody has read, of messages that handlers have, and "
              "of open calls (max_total_buffered_input)"
            : "holds most of what waits to be sent (max_total_buffered_output)",
        loop_core().now());
    loop_core().schedule_next_turn(give_way_);  // some handlers, and what they have, are gone then
  }
}

// ---- drain and end ------------------------------------------------------------------------------

void ServerConnection::begin_drain(const char* why) {
  if (drain_ != Drain::no || pump_.has_ended()) return;
  drain_ = Drain::announced;
  drain_reason_ = why;
  if (pump_.session().stream_count() > 0) pump_.linger_at_end();
  const SessionCommands session = commands();
  session->announce_shutdown();
  session->send_ping(drain_ping);
  drain_timer_.set(loop_core().now() + drain_ping_patience);
}

void ServerConnection::on_drain_timer(void* self) noexcept {
  static_cast<ServerConnection*>(self)->finish_drain(/*is_heard=*/false);
}

/// A client that is silent and has no call will not read what is left: nobody drives it. It gets no
/// time to, which the drain would take, where what was written arrives without that.
void ServerConnection::finish_drain(bool is_heard) {
  if (drain_ != Drain::announced || pump_.has_ended()) return;
  drain_ = Drain::told;
  const bool may_lose = !pump_.transport().writes_fail_after_close();
  if (is_heard || may_lose || pump_.session().stream_count() > 0) pump_.linger_at_end();
  drain_timer_.clear();
  commands()->send_goaway(http2::ErrorCode::no_error, drain_reason_);
}

ServerConnection::Aging::Aging(ServerConnection& connection, const ConnectionAge::Options& options)
    : age(options,
          chance_of(&connection, connection.loop_core().now()),
          connection.loop_core().now()),
      idle_since(connection.loop_core().now()),
      timer(connection.loop_core(), &ServerConnection::on_age_timer, &connection) {
  timer.set(age.next_look());
}

void ServerConnection::on_age_timer(void* self) noexcept {
  static_cast<ServerConnection*>(self)->look_at_age();
}

void ServerConnection::look_at_age() {
  const auto idle_since = has_calls() ? std::nullopt : std::optional(aging_->idle_since);
  switch (aging_->age.resume(loop_core().now(), idle_since)) {
    case ConnectionAge::Action::wait:
      break;
    case ConnectionAge::Action::drain_old:
      begin_drain("max_age");
      break;
    case ConnectionAge::Action::drain_idle:
      begin_drain("max_idle");
      break;
    case ConnectionAge::Action::close:
      return close("the connection is too old (max_connection_age, max_connection_age_grace)");
  }
  aging_->timer.set(aging_->age.next_look());
}

/// The newest first, as where the connection ends: what they free lies at the heap's end.
void ServerConnection::close(std::string_view reason) {
  if (!pump_.has_ended()) {
    const Status why(StatusCode::unavailable, std::string(reason));
    for (IntrusiveList<ServerCall>* const calls : all_calls()) {
      IntrusiveList<ServerCall> told;
      while (ServerCall* const call = calls->pop_back()) {
        told.push_back(*call);
        call->fail(why);
      }
      while (ServerCall* const call = told.pop_back())
        calls->push_back(*call);
    }
    pump_.flush(loop_core().now());
    pump_.close(EndReason::cancelled, reason);
  }
  leave_if_done();
}

std::string_view ServerConnection::method_elsewhere() noexcept {
  std::string_view method;
  IntrusiveList<ServerCall> seen;
  while (ServerCall* const call = calls_.pop_front()) {
    seen.push_back(*call);
    if (call->is_elsewhere()) method = call->method();
  }
  while (ServerCall* const call = seen.pop_front())
    calls_.push_back(*call);
  return method;
}

void ServerConnection::on_end(EndReason reason, std::string_view what) {
  shared().counters().note_ended(observed_, peer(), reason);
  tally().freeze(pump_);
  driver_.stop();
  drain_timer_.clear();
  if (aging_ != nullptr) aging_->timer.clear();
  if (reason == EndReason::protocol_violation || reason == EndReason::evicted) {
    log_fault(what);
  }
  const Status why(StatusCode::unavailable, std::string(what));
  pump_.session().for_each_stream_from_newest([&](http2::Stream& stream) {
    if (StreamHandler* const handler = StreamHandler::of(stream)) {
      handler->on_connection_end(why, /*is_ours=*/reason == EndReason::cancelled);
    } else {
      pump_.session().release(stream);
    }
  });
  place_.set_ended();
  report_load();
  leave_if_done();
}

void ServerConnection::leave_if_done() {
  if (is_done()) owner_->reap(*this);
}

}  // namespace nearcall::inline v0::detail
