// SPDX-License-Identifier: Apache-2.0
// A call's way from its options to its status, over its attempts.
#include "client/call.hpp"

#include "base/check.hpp"
#include "base/quote.hpp"
#include "client/transient_failure.hpp"
#include "connection/outgoing_fields.hpp"
#include "grpc/compressed_message.hpp"
#include "grpc/request_head.hpp"

#include <nearcall/client.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

Status too_large(std::size_t list_size, std::size_t most) {
  return Status(StatusCode::resource_exhausted,
                "the request's headers count " + std::to_string(list_size) +
                    " bytes, more than the " + std::to_string(most) +
                    " that the server takes (SETTINGS_MAX_HEADER_LIST_SIZE)");
}

/// From 0 to 1: another one for each call, although many fail at the same time.
double chance_of(const Call* call, TimePoint now) noexcept {
  constexpr std::uint64_t golden_ratio = 0x9e3779b97f4a7c15;
  std::uint64_t mixed = std::bit_cast<std::uintptr_t>(call);
  mixed = (mixed ^ static_cast<std::uint64_t>(now.time_since_epoch().count())) * golden_ratio;
  mixed = (mixed ^ (mixed >> 32)) * golden_ratio;
  return static_cast<double>(mixed >> 32) / static_cast<double>(std::uint64_t{1} << 32);
}

/// The earlier one of the call's and the service config's.
std::optional<Duration> timeout_of(const BoundMethod& method, const CallOptions& options) {
  if (method.config == nullptr || !method.config->timeout) [[likely]]
    return options.timeout();
  return std::min(options.timeout().value_or(Duration::max()), *method.config->timeout);
}

/// The smaller one of the call's, else the channel's, and the service config's.
std::size_t send_limit_of(const BoundMethod& method,
                          const CallOptions& options,
                          const ChannelOptions& channel) {
  const std::size_t own = options.max_send_message_size().value_or(channel.max_send_message_size());
  if (method.config == nullptr) [[likely]]
    return own;
  return std::min(method.config->max_request_size.value_or(own), own);
}

/// The same of responses.
std::size_t receive_limit_of(const BoundMethod& method,
                             const CallOptions& options,
                             std::size_t of_channel) {
  if (method.config == nullptr || !method.config->max_response_size) [[likely]]
    return options.max_receive_message_size().value_or(of_channel);
  const std::optional<std::size_t> of_call = options.max_receive_message_size();
  return of_call ? std::min(*of_call, *method.config->max_response_size) : method.max_response_size;
}

/// Not to be confused with no compression at all: nobody would notice.
Status check_codec(const BoundMethod& method, const Codec& codec) {
  if (&codec == &Codec::identity() || method.codecs->has(codec)) return Status();
  return Status::failed_precondition("CallOptions::compression(): the channel has no codec " +
                                     quote("named", codec.name()) +
                                     " (ChannelOptions::codec()), or another one of that name")
      .with_reason(StatusReason::misuse);
}

}  // namespace

bool waits_for_ready(const BoundMethod& method, const CallOptions& options) noexcept {
  if (method.config == nullptr) [[likely]]
    return options.waits_for_ready().value_or(false);
  return options.waits_for_ready().value_or(method.config->wait_for_ready.value_or(false));
}

Call::Call(CallWaiter& waiter,
           const BoundMethod& method,
           const CallOptions& options,
           const ChannelOptions& channel,
           Clock clock)
    : waiter_(&waiter),
      method_(&method),
      clock_(clock),
      waits_for_ready_(detail::waits_for_ready(method, options)),
      policy_(waits_for_ready_),
      timeout_(timeout_of(method, options)),
      deadline_(options.deadline()),
      attempt_(*this, receive_limit_of(method, options, channel.max_receive_message_size())) {
  if (!options.metadata().empty()) metadata_ = options.metadata();
  messages().out().set_max_message_size(send_limit_of(method, options, channel));
  const Codec* const codec =
      options.compression() != nullptr ? options.compression() : channel.compression();
  if (codec != nullptr && method.codecs->has(*codec)) [[unlikely]]
    messages().out().compress_with(codec, channel.compression_threshold());
  if (timeout_) {
    const TimePoint by_timeout = deadline_after(now(), *timeout_);
    if (by_timeout > deadline_) timeout_.reset();
    deadline_ = std::min(deadline_, by_timeout);
  }
  if (method.config != nullptr && (method.config->retry || method.config->hedging)) [[unlikely]]
    retries_ = std::make_unique<CallRetries>(
        *method.config, *method.retries,
        Hedging::Parts{static_cast<HedgingOwner&>(*this), waiter, attempt_, policy_, clock});
  if (method.observed != nullptr) [[unlikely]]
    begin_observed();
}

bool Call::check(const CallOptions& options, Status obstacle) {
  if (is_over_) return false;
  if (obstacle.ok()) obstacle = options.misuse();
  if (obstacle.ok() && options.compression() != nullptr) [[unlikely]]
    obstacle = check_codec(*method_, *options.compression());
  if (obstacle.ok() && deadline_ != no_deadline && deadline_ <= now()) {
    obstacle = Status(StatusCode::deadline_exceeded, "the deadline passed before the call began");
  }
  if (obstacle.ok()) return true;
  fail(std::move(obstacle));
  return false;
}

void Call::keep_request(const google::protobuf::MessageLite& message) {
  const grpc::OutgoingMessage outgoing(message);
  const MessageOutbox& out = messages().out();
  if (!out.takes(outgoing)) return fail(out.check(outgoing));
  if (retries_ != nullptr) retries_->replay.count(outgoing.size());
  if (out.compresses(outgoing)) [[unlikely]] {
    if (observed_ != nullptr) observed_->keep_size(outgoing.size() - grpc::message_prefix_size);
    kept_request_.keep(grpc::CompressedMessage(outgoing, *out.codec()).bytes());
  } else {
    kept_request_.keep(outgoing);
  }
}

/// Attempts that are under way at a time may be on connections that outlive the wait for the call.
void Call::keep_borrowed() {
  if (hedging() == nullptr) {
    retries_->replay.count(grpc::OutgoingMessage(*borrowed_request_).size());
  } else {
    keep_request(*std::exchange(borrowed_request_, nullptr));
  }
}

bool Call::take_unsent(const google::protobuf::MessageLite& message, bool may_compress) {
  if (hedging() == nullptr || !hedging()->take(message, may_compress)) return false;
  has_written_ = true;
  return true;
}

void Call::on_unsent_end() {
  if (hedging() != nullptr) hedging()->end_requests();
}

void Call::on_write(const grpc::OutgoingMessage& message) {
  has_written_ = true;
  if (retries_ != nullptr && !has_one_request()) retries_->replay.keep(message);
}

std::string_view Call::receive_limit() const noexcept {
  if (method_->config != nullptr && method_->config->max_response_size) {
    return "the client's max_receive_message_size, of ChannelOptions or CallOptions, or "
           "maxResponseMessageBytes of its service config";
  }
  return "the client's max_receive_message_size, of ChannelOptions or CallOptions";
}

std::string_view Call::send_limit() const noexcept {
  if (method_->config != nullptr && method_->config->max_request_size) {
    return "the client's max_send_message_size, of ChannelOptions or CallOptions, or "
           "maxRequestMessageBytes of its service config";
  }
  return "the client's max_send_message_size, of ChannelOptions or CallOptions";
}

void Call::expect_reply(google::protobuf::MessageLite& reply) noexcept {
  messages().in().expect_one();
  if (!is_over_) messages().in().wait(reply, /*waiter=*/nullptr);
}

// ---- the attempt --------------------------------------------------------------------------------

/// As it was given while nearly all of it is left: a value that recurs costs little (HPACK). A call
/// that waited, for a connection or for room, says what is left.
std::optional<Duration> Call::timeout_to_send(TimePoint last_look) const noexcept {
  constexpr int noticeable_part = 100;
  if (deadline_ == no_deadline) return timeout_;
  if (timeout_) {
    const Duration waited = last_look - (deadline_ - *timeout_);
    if (waited <= *timeout_ / noticeable_part) return timeout_;
  }
  return deadline_ - now();
}

[[gnu::always_inline]] inline std::optional<std::span<const http2::HeaderField>>
Call::prepare_attempt(ClientConnection& connection, TimePoint last_look, int previous) {
  const std::optional<Duration> timeout = timeout_to_send(last_look);
  std::size_t list_size = method_->head.list_size();
  std::span<const http2::HeaderField> fields;
  const Codec* const codec = messages().out().codec();
  if (timeout || !metadata_.empty() || codec != nullptr || previous > 0) {
    OutgoingFields& outgoing = OutgoingFields::fresh();
    if (codec != nullptr) outgoing.block().add("grpc-encoding", codec->name());
    grpc::append_request_call(outgoing.block(), timeout, metadata_);
    if (previous > 0) grpc::append_previous_attempts(outgoing.block(), previous);
    list_size += outgoing.list_size();
    fields = outgoing.fields();
  }
  const std::size_t most = connection.session().peer_max_header_list_size();
  if (list_size > most) {
    fail(too_large(list_size, most));
    return std::nullopt;
  }
  if (observed_ != nullptr) [[unlikely]]
    begin_observed_attempt(connection);
  if (attempt_listener_ != nullptr) [[unlikely]]
    attempt_listener_->note_attempt();
  return fields;
}

void Call::open(ClientConnection& connection, LoopCore* loop, TimePoint last_look) {
  if (retries_ != nullptr) [[unlikely]]
    return open_kept(connection, loop, last_look);
  const auto fields = prepare_attempt(connection, last_look, /*previous=*/0);
  if (!fields) return;
  // Last of all: fields say whatever is not plain about the request.
  const bool is_whole = fields->empty() && kept_request_.is_kept() && kept_request_.is_small();
  if (is_whole && attempt_.open_whole(connection, method_->head, kept_request_.bytes(), loop))
    return;
  attempt_.open(connection, method_->head, *fields, loop);
  if (is_open()) send_request(/*may_share=*/loop != nullptr);
}

void Call::open_kept(ClientConnection& connection, LoopCore* loop, TimePoint last_look) {
  const int previous = retries_->previous();
  const auto fields = prepare_attempt(connection, last_look, previous);
  if (!fields) return;
  if (Hedging* const several = hedging()) {
    if (kept_request_.is_kept()) several->set_only_request(kept_request_.bytes());
    return several->open(connection, method_->head, *fields, loop);
  }
  attempt_.open(connection, method_->head, *fields, loop, retries_->replay.bytes());
  if (is_open()) send_request(/*may_share=*/loop != nullptr);
}

/// Not `may_share`: other threads may drive the session, which copies a large request then.
void Call::send_request(bool may_share) {
  if (borrowed_request_ != nullptr) {
    messages().out().write(grpc::OutgoingMessage(*borrowed_request_), &borrowed_bytes_,
                           /*end_stream=*/true);
  } else if (kept_request_.is_kept()) {
    messages().out().write(kept_request_, may_share, /*end_stream=*/true);
  }
}

void Call::stop_borrowing(ClientConnection& connection) {
  if (!borrowed_bytes_.is_used()) return;
  connection.commands()->copy_from(borrowed_bytes_);
  CHECK(!borrowed_bytes_.is_used() && "the call's stream is released");
}

bool Call::half_close() {
  if (is_over_) return false;
  attempt_.half_close();
  return true;
}

RequestLeft Call::request_left() const noexcept {
  if (has_one_request()) return RequestLeft::whole;
  if (has_written_ && retries_ != nullptr && retries_->replay.is_whole()) return RequestLeft::whole;
  return has_written_ ? RequestLeft::gone : RequestLeft::unwritten;
}

void Call::on_headers() {
  kept_request_.drop();  // it has begun
  if (retries_ != nullptr) retries_->replay.drop();
  waiter_->on_change();
}

void Call::on_unsent(Status why) {
  if (hedging() == nullptr) return on_outcome({Seen::nothing, std::move(why)});
  if (!is_over_) hedging()->on_unsent(std::move(why));
}

void Call::on_failed(Status why) {
  if (is_over_) return;
  if (hedging() != nullptr) return hedging()->on_unconnected(std::move(why));
  if (!may_pass(why) || !retry({Seen::nothing, why})) finish(std::move(why));
}

void Call::on_outcome(Outcome outcome) {
  if (is_over_) return;
  Status& status = outcome.status;
  const RetryPolicy::Action action = policy_.resume(outcome, request_left());
  if (action == RetryPolicy::Action::repeat) {
    note_attempt_end(status, Observer::AttemptEnd::repeated);
    return waiter_->on_repeat(std::nullopt);
  }
  if (method_->retries != nullptr && retry(outcome)) return;
  note_attempt_end(status, Observer::AttemptEnd::last);
  if (action == RetryPolicy::Action::finish_without_request) {
    return finish(Status(status.code(), status.message() +
                                            "; it cannot be repeated: requests that are streamed "
                                            "are not kept")
                      .with_reason(status.reason()));
  }
  finish_failed(std::move(outcome));
}

void Call::finish_failed(Outcome outcome) {
  Status& status = outcome.status;
  // The server's clock may be the faster one.
  if (outcome.seen == Seen::perhaps && status.code() == StatusCode::cancelled &&
      now() >= deadline_) {
    status = Status(StatusCode::deadline_exceeded, "the deadline passed");
  }
  finish(std::move(status));
}

/// With a throttle each success counts, also of methods that are not retried.
bool Call::retry(const Outcome& outcome) {
  const Status& status = outcome.status;
  if (status.ok()) {
    if (method_->retries != nullptr && method_->retries->throttle) {
      method_->retries->throttle->on_success();
    }
    return false;
  }
  if (retries_ == nullptr || outcome.seen == Seen::ours) return false;
  if (hedging() != nullptr) {
    hedging()->count(status);
    return false;
  }
  const TimePoint at = now();
  const bool may_repeat = attempt_.may_be_opened() && request_left() != RequestLeft::gone &&
                          retries_->replay.is_whole();
  const std::optional<Duration> pause = retries_->schedule->resume(
      status, Pushback::parse(status.trailers()), may_repeat, chance_of(this, at));
  if (!pause) return false;
  retries_->next_at = deadline_after(at, *pause);
  note_attempt_end(status, Observer::AttemptEnd::retried);
  waiter_->on_repeat(retries_->next_at);
  return true;
}

// ---- what is observed ---------------------------------------------------------------------------

/// Of a method that was named at run time that is "other", as gRFC A66 has it: of names that the
/// clients of a proxy choose there is no end.
const Method& Call::shown_method() const noexcept {
  static constexpr Method others[] = {{"other", MethodKind::unary},
                                      {"other", MethodKind::server_streaming},
                                      {"other", MethodKind::client_streaming},
                                      {"other", MethodKind::bidi_streaming}};
  const Method& own = method_->method;
  return method_->is_named ? others[static_cast<std::size_t>(own.kind)] : own;
}

[[gnu::noinline]] void Call::begin_observed() {
  messages().in().observe(true);
  messages().out().observe();
  observed_ = std::make_unique<ObservedCall>(*method_->observed, shown_method(), metadata_, now());
}

void Call::on_hedge_sent(std::uint64_t number, const Observer::Message& message) {
  if (observed_ == nullptr) return;
  observed_->select(number);
  observed_->note_sent(message);
}

void Call::on_hedge_ended(std::uint64_t number, const Status& how, Observer::AttemptEnd then) {
  if (observed_ == nullptr) return;
  observed_->select(number);
  observed_->end_attempt(how, then, now());
}

/// With what is sent as it was written once.
[[gnu::noinline]] void Call::begin_observed_attempt(const ClientConnection& connection) {
  observed_->begin_attempt(connection.id(), now());
  if (kept_request_.is_kept()) observed_->note_sent_kept(kept_request_.bytes().size());
  if (retries_ != nullptr) observed_->note_sent_again(retries_->replay.bytes());
}

[[gnu::noinline]] void Call::end_observed_attempt(const Status& status, Observer::AttemptEnd then) {
  if (then == Observer::AttemptEnd::last) messages().in().note_unread();
  observed_->end_attempt(status, then, now());
}

[[gnu::noinline]] void Call::end_observed() {
  messages().in().observe(false);
  std::exchange(observed_, nullptr)->end(status_, now());
}

// ---- the end ------------------------------------------------------------------------------------

void Call::on_bad_message(Status why) {
  if (is_over_ && status_.ok()) {
    status_ = std::move(why);  // the server said OK behind what cannot be read
  } else {
    fail(std::move(why));
  }
}

Status Call::late() const {
  std::string message = "the deadline passed";
  if (!obstacle_.ok())
    message.append("; the server could not be reached: ").append(obstacle_.message());
  return Status(StatusCode::deadline_exceeded, std::move(message));
}

void Call::fail(Status status) {
  if (is_over_) return;
  attempt_.cancel();
  finish(std::move(status));
}

void Call::finish(Status status) {
  if (is_over_) return;
  is_over_ = true;
  status_ = std::move(status);
  attempt_.close();
  kept_request_.drop();
  if (retries_ != nullptr) [[unlikely]]
    drop_retries();
  if (observed_ != nullptr) [[unlikely]]
    end_observed();
  waiter_->on_change();
}

void Call::drop_retries() {
  retries_->replay.drop();
  if (hedging() != nullptr) hedging()->stop(status_);
}

Status Call::reply_status() {
  if (std::exchange(has_given_reply_, true)) fail_awaited_twice();
  if (!status_.ok()) return status_;
  const bool has_one = messages().in().take_outcome();
  return check_replies(has_one, messages().in().has_unread());
}

Status cancelled() {
  return Status(StatusCode::cancelled, "the call was cancelled");
}

void fail_awaited_twice() noexcept {
  fail_precondition(
      "a call that is awaited for its reply: awaited twice. Await it once and keep the result");
}

Status check_replies(bool has_one, bool has_more) {
  if (!has_one) return Status::unimplemented("the server sent no reply message");
  if (has_more) return Status::unimplemented("the server sent more than one reply message");
  return Status();
}

const Metadata& Call::trailers() const noexcept {
  static const Metadata none;
  if (!is_over_) return none;
  return status_.ok() ? attempt_.trailers() : status_.trailers();
}

}  // namespace nearcall::inline v0::detail
