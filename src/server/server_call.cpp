// SPDX-License-Identifier: Apache-2.0
// A call's way from its request to its answer.
#include "server/server_call.hpp"

#include "async/busy_meter.hpp"
#include "grpc/message_encoding.hpp"
#include "server/call_stage.hpp"

#include <memory>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// What a handler's first steps take of a turn (TurnBudget), whatever it is that lets it begin.
constexpr std::size_t work_of_handler = 256;

}  // namespace

Status unimplemented(const Method& method) {
  return Status(StatusCode::unimplemented,
                std::string("method ") + method.path + " is not implemented");
}

ServerCall::ServerCall(CallHost& host)
    : HandlerCall(host.loop_core()),
      host_(&host),
      messages_(*this, host.shared().options().max_receive_message_size()),
      timer_(host.loop_core(), &ServerCall::on_deadline, this) {
  messages_.out().set_max_message_size(host.shared().options().max_send_message_size());
}

ServerCall::~ServerCall() {
  if (!is_at_work()) return;
  messages_.in().release_held();
  const BusyLabel label(this->label());
  home().await_return();
  if (go_on_ != nullptr) host_->loop_core().cancel_posted(continuation_);
  if (handler_ == Handler::asking) {
    RunningStage::destroy(*this);
  } else if (handler_ == Handler::running) {
    method_.handler->destroy(*this);
  }
  messages_.set_tap(nullptr);
  chain_.reset();
}

void ServerCall::begin(http2::Stream& stream, ServedRequest& request, bool end_stream) {
  method_ = request.method;
  authority_ = std::string(request.head.authority);
  metadata_ = std::move(request.metadata);
  stream.set_context(as_context());
  host_->attach(messages_, stream);
  accepted_ = request.accepted;
  if (!grpc::is_plain_encoding(request.head.encoding)) take_encoding(request.head.encoding);
  if (const Codec* const codec = host_->shared().options().compression(); codec != nullptr)
      [[unlikely]]
    compress_replies(*codec);
  if (request.head.timeout) {
    deadline_ = deadline_after(host_->loop_core().now(), *request.head.timeout);
    timer_.set(deadline_);
  }
  messages_.in().count_held();
  if (has_one_request()) {
    messages_.in().expect_one();
  } else if (!has_one_reply()) {
    messages_.in().answer_each();
  }
  if (const Observed* const observed = host_->shared().observed(); observed != nullptr) [[unlikely]]
    begin_observed(*observed);
  if (!host_->shared().is_direct()) [[unlikely]] {
    if (method_.is_generic()) rare().path = request.head.path;
    return begin_asked(stream, end_stream);
  }
  if (end_stream) {
    on_data({}, /*end_stream=*/true);
  } else if (has_one_request()) {
    const http2::DataEvent data = host_->data_behind(stream);
    if (data.stream != nullptr) on_data(data.bytes, data.end_stream);
  }
  if (!has_one_request()) begin_handler();
}

[[gnu::noinline]] void ServerCall::begin_observed(const Observed& observed) {
  messages_.in().observe(true);
  messages_.out().observe();
  observed_ = std::make_unique<ObservedCall>(observed, method_.handler->method, metadata_,
                                             host_->loop_core().clock().now(), host_->id());
}

std::string_view ServerCall::method() const noexcept {
  return method_.is_generic() ? rare_->path : label();
}

/// Where it is not known, the headers of the answer say what it could have been, whether the call
/// fails or not: the client may heed it.
void ServerCall::take_encoding(std::string_view encoding) {
  const grpc::CodecSet& codecs = host_->shared().codecs();
  if (const Codec* const codec = codecs.find(encoding)) return messages_.in().inflate_with(*codec);
  messages_.in().refuse_compressed(grpc::unknown_request_encoding(encoding, codecs.accepted()));
  is_encoding_unknown_ = true;
}

/// As long as the client takes it.
void ServerCall::compress_replies(const Codec& codec) {
  const ServerShared& shared = host_->shared();
  const bool is_taken = shared.codecs().is_in(accepted_, codec);
  messages_.out().compress_with(is_taken ? &codec : nullptr,
                                shared.options().compression_threshold());
}

// ---- the stage before the handler ---------------------------------------------------------------

void ServerCall::begin_asked(http2::Stream& stream, bool end_stream) {
  handler_ = Handler::asking;
  http2::DataEvent data{};
  if (!end_stream && has_one_request()) data = host_->data_behind(stream);
  if (!end_stream && data.stream == nullptr) return ask();
  messages_.in().arrive(data.bytes, end_stream || data.end_stream);
  host_->note_load();
  ask();
  messages_.in().keep_rest();
}

void ServerCall::ask() {
  if (CallStage* const stage = host_->shared().stage()) return ask_stage(*stage);
  handler_ = Handler::waiting;
  go_on_from_stage();
}

void ServerCall::ask_stage(CallStage& stage) {
  is_held_ = true;
  {
    const BusyLabel label(this->label());
    RunningStage::start(stage, *this, [](HandlerCall& call, const Status& answered) {
      static_cast<ServerCall&>(call).on_stage_done(answered);
    });
  }
  is_held_ = false;
  if (handler_ == Handler::waiting) return go_on_from_stage();
  go_if_done();
}

/// Is called inside ask_stage(), which then goes on itself, or later.
void ServerCall::on_stage_done(const Status& answered) {
  handler_ = Handler::waiting;
  if (!answered.ok()) answer(answered);
  if (!is_held_) go_on_from_stage();
}

void ServerCall::go_on_from_stage() {
  if (answer_ == Answer::over) return go_if_done();
  if (!host_->shared().options().interceptors().empty()) return intercept();
  proceed();
}

// ---- interceptors -------------------------------------------------------------------------------

void ServerCall::intercept() {
  handler_ = Handler::intercepted;
  chain_ = std::make_unique<ServerChain>(static_cast<ServerChain::Owner&>(*this), *this,
                                         host_->shared().options().interceptors());
  messages_.set_tap(chain_.get());
  is_held_ = true;
  {
    const BusyLabel label(this->label());
    chain_->start();
  }
  is_held_ = false;
  go_if_done();
}

void ServerCall::proceed() {
  handler_ = Handler::waiting;
  if (answer_ == Answer::over) return go_if_done();
  if (!has_one_request() || messages_.in().has_ended()) begin_handler();
}

// ---- the request --------------------------------------------------------------------------------

void ServerCall::on_data(ByteSpan bytes, bool end_stream) {
  messages_.in().arrive(bytes, end_stream);
  on_input();
  messages_.in().keep_rest();
}

void ServerCall::on_direct_data(std::size_t count, bool end_stream) {
  messages_.in().arrive_directly(count, end_stream);
  on_input();
  messages_.in().keep_rest();
}

void ServerCall::on_input() {
  host_->note_load();
  if (handler_ != Handler::waiting || answer_ == Answer::over) return;
  if (has_one_request() && messages_.in().has_ended()) begin_handler();
}

bool ServerCall::has_one_request() const noexcept {
  const MethodKind kind = method_.handler->method.kind;
  return kind == MethodKind::unary || kind == MethodKind::server_streaming;
}

bool ServerCall::has_one_reply() const noexcept {
  const MethodKind kind = method_.handler->method.kind;
  return kind == MethodKind::unary || kind == MethodKind::client_streaming;
}

bool ServerCall::enter_limits(const CallLimits& limits) {
  if (ticket_ != nullptr) return ticket_->state() == CallTicket::State::admitted;
  handler_ = Handler::held;
  ticket_.reset(
      new CallTicket(*this, host_->loop_core(), limits.of_method(method()), limits.of_server()));
  const CallTicket::State state = ticket_->enter();
  if (state == CallTicket::State::refused) on_refused(ticket_->refusal());
  return state == CallTicket::State::admitted;
}

void ServerCall::on_refused(const Status& why) {
  host_->log_fault(why.message());
  answer(why);
  go_if_done();
}

void ServerCall::hold(CallHost::Room lacking) {
  ticket_.reset();
  host_->hold(*this, lacking);
}

void ServerCall::begin_handler() {
  const CallLimits* const limits = host_->shared().call_limits();
  if (limits != nullptr) [[unlikely]] {
    if (!enter_limits(*limits)) return;
  }
  handler_ = Handler::held;
  const bool is_unary = has_one_request() && has_one_reply();
  if (is_unary && !host_->may_take_request(messages_.in().unread_size())) [[unlikely]]
    return hold(CallHost::Room::for_requests);
  if (has_one_reply()) {
    if (host_->has_room_for_calls()) return run_handler();
    return hold(CallHost::Room::in_output);
  }
  handler_ = Handler::ready;
  if (host_->may_make_message(messages_.stream())) return run_handler();
  ticket_.reset();
}

/// Also what may_make_message() said no to.
void ServerCall::on_writable() {
  messages_.on_writable();
  if (handler_ == Handler::ready && !has_one_reply()) begin_handler();
}

void ServerCall::run_handler() {
  handler_ = Handler::running;
  const bool was_held = std::exchange(is_held_, true);
  {
    const BusyLabel label(this->label());
    method_.handler->start(*method_.service, *this);
  }
  is_held_ = was_held;
  TurnBudget& budget = host_->loop_core().budget();
  budget.spend(work_of_handler);
  if (budget.is_spent()) [[unlikely]]
    host_->end_turn();
  go_if_done();
}

bool ServerCall::take_request(google::protobuf::MessageLite& into) {
  const bool was_read = messages_.in().try_read(into) == MessageInbox::Read::message;
  if (answer_ == Answer::over) return false;  // a bad message was answered
  if (!was_read) {
    answer(Status(StatusCode::unimplemented, "the call has no request message"));
    return false;
  }
  if (messages_.in().has_unread()) {
    answer(Status(StatusCode::unimplemented, "the call has more than one request message"));
    return false;
  }
  if (chain_ != nullptr) [[unlikely]] {
    if (const Status passed = chain_->pass_incoming(into); !passed.ok()) {
      answer(passed);
      return false;
    }
  }
  return true;
}

void ServerCall::on_held(std::size_t before, std::size_t after) {
  if (method_.handler->method.kind == MethodKind::unary) {
    host_->note_held_request(before, after);
  } else {
    host_->note_held_message(before, after);
  }
}

void ServerCall::on_output() {
  host_->on_output();
}

// ---- the end ------------------------------------------------------------------------------------

void ServerCall::fail(const Status& status) {
  if (answer_ == Answer::over) return;
  answer(status);
  cancel();
  go_if_done();
}

void ServerCall::on_reset(const http2::ResetEvent& event) {
  host_->note_reset(event);
  drop_answer();
}

void ServerCall::on_connection_end(const Status& /*why*/, bool /*is_ours*/) {
  host_->commands()->release(messages_.stream());
  messages_.detach();
  drop_answer();
}

void ServerCall::drop_answer() {
  if (answer_ != Answer::over) {
    static const Status dropped(StatusCode::cancelled, "nobody waits for the answer");
    close_answer(dropped);
    cancel();
  }
  go_if_done();
}

void ServerCall::cancel() {
  is_cancelled_ = true;
  if (!is_at_work() || !cancellation_.stop_possible()) return;
  const BusyLabel label(this->label());  // callbacks of the handler's run right here
  cancellation_.request_stop();
}

void ServerCall::on_deadline(void* self) noexcept {
  static_cast<ServerCall*>(self)->fail(
      Status(StatusCode::deadline_exceeded, "the deadline passed at the server"));
}

void ServerCall::handler_returned() noexcept {
  handler_ = Handler::returned;
  if (ticket_ != nullptr) [[unlikely]]
    ticket_->leave();
  messages_.in().release_held();
  if (chain_ != nullptr) [[unlikely]]
    go_on_in_chain();
  go_if_done();
}

void ServerCall::go_on_in_chain() {
  const bool was_held = std::exchange(is_held_, true);
  chain_->go_on();
  is_held_ = was_held;
}

/// The handler may not have begun, or goes on to run: nobody waits for it.
void ServerCall::on_chain_done(const Status& status) {
  if (handler_ != Handler::running) handler_ = Handler::returned;
  if (answer_ == Answer::over) return go_if_done();
  const GivenReply* const given = chain_->given();
  if (handler_ == Handler::running && given == nullptr) return fail(status);
  if (!answer_mistake()) given != nullptr&& status.ok() ? answer_with(*given) : answer(status);
  go_if_done();
}

void ServerCall::set_deadline(TimePoint when) {
  if (answer_ == Answer::over) return;
  deadline_ = when;
  timer_.set(deadline_);
}

void ServerCall::continue_on_loop(void (*next)(HandlerCall&) noexcept) noexcept {
  go_on_ = next;
  home().post_back(continuation_);
}

void ServerCall::go_if_done() {
  if (is_held_ || answer_ != Answer::over) return;
  if (chain_ != nullptr && chain_->is_proceeding() && handler_ != Handler::running) [[unlikely]] {
    handler_ = Handler::returned;  // it never begins
    go_on_in_chain();
  }
  if (is_at_work()) return;
  host_->release(*this);
}

void ServerCall::require_loop() const noexcept {
  if (host_->loop_core().is_in_this_thread()) [[likely]]
    return;
  fail_precondition(
      "ServerContext: used on a thread that does not run the call's loop; take what is needed "
      "before resume_on(pool), such as the token of cancellation(), or resume_on(loop) first");
}

bool ServerCall::is_cancelled() const noexcept {
  require_loop();
  return is_cancelled_;
}

std::stop_token ServerCall::cancellation() {
  require_loop();
  if (!cancellation_.stop_possible()) {
    cancellation_ = std::stop_source();
    if (is_cancelled_) cancellation_.request_stop();
  }
  return cancellation_.get_token();
}

google::protobuf::Arena& ServerCall::arena() {
  require_loop();
  CallArena::Ptr& arena = rare().arena;
  if (arena == nullptr) arena = CallArena::make();
  return arena->arena();
}

std::stop_token ServerCall::ending() {
  require_loop();
  std::optional<Ending>& ending = rare().ending;
  if (!ending) ending.emplace(cancellation(), server_stopping());
  return ending->token();
}

}  // namespace nearcall::inline v0::detail
