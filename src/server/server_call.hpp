// SPDX-License-Identifier: Apache-2.0
// ServerCall: one call at the server: its handler, its messages, its answer.
#pragma once

#include "async/loop_core.hpp"
#include "async/run_member.hpp"
#include "connection/message_stream.hpp"
#include "connection/observed_call.hpp"
#include "connection/stream_handler.hpp"
#include "grpc/outgoing_message.hpp"
#include "server/call_arena.hpp"
#include "server/call_host.hpp"
#include "server/call_limit.hpp"
#include "server/request_reader.hpp"
#include "server/server_chain.hpp"

#include <nearcall/metadata.hpp>
#include <nearcall/service.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace nearcall::inline v0::detail {

/// One call at the server. Goes when its answer is given and its handler has returned, whichever is
/// later; until then it keeps its slot, whatever the peer says.
///
///     handler:  asking ──(the stage says yes)──► intercepted ──(interceptors proceed)──► waiting
///                     ──(request is whole)──► ready
///                     ──(there is room; until then its host may hold it)──► running ──► returned
///     answer:   open ──► begun (headers) ──► over (trailers, a reset, or the connection is gone)
///
/// It is over once its host has released it; it stays in memory until the turn's work is done, so
/// that functions up the stack may still look at it.
///
/// Thread safety: the loop's thread.
class ServerCall final : public HandlerCall,
                         public ServerCallView,
                         private ServerChain::Owner,
                         private StreamHandler,
                         private MessageOwner,
                         private TicketOwner,
                         public ListHook {
 public:
  explicit ServerCall(CallHost& host);
  ServerCall(const ServerCall&) = delete;
  ServerCall& operator=(const ServerCall&) = delete;
  /// Destroys the handler, or the stage, where it waits.
  ~ServerCall();

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* memory, std::size_t size) noexcept { free_frame(memory, size); }

  /// The request's headers have come, and name a method. May answer and release the call.
  void begin(http2::Stream& stream, ServedRequest& request, bool end_stream);
  /// There is room, for which its host held it: its handler begins, or waits for other room. May
  /// release the call.
  void on_room() {
    if (handler_ == Handler::held) begin_handler();
  }
  /// Nobody waits for the answer any more: the connection is gone, or the server stops. May release
  /// the call.
  void drop_answer();
  /// Where it belongs.
  CallHost& host() const noexcept { return *host_; }
  /// Whether its handler is on another thread, so that the destructor would wait for it.
  bool is_elsewhere() noexcept { return is_at_work() && home().is_elsewhere(); }
  /// Answers with `status`, while the handler may go on to run. May release the call.
  void fail(const Status& status);

  /// Null: nobody intercepts it.
  ServerChain* chain() const noexcept { return chain_.get(); }

  // ServerCallView

  const PeerIdentity& peer() const noexcept override { return host_->peer(); }
  std::string_view method() const noexcept override;
  std::string_view authority() const noexcept override { return authority_; }
  const Metadata& metadata() const noexcept override { return metadata_; }
  TimePoint deadline() const noexcept override { return deadline_; }
  bool is_cancelled() const noexcept override;
  std::stop_token cancellation() override;
  std::stop_token server_stopping() const override { return host_->shared().stopping(); }
  std::stop_token ending() override;
  void add_header(std::string_view key, std::string_view value) override;
  void add_trailer(std::string_view key, std::string_view value) override;
  void send_headers() override;
  void set_compression(const Codec& codec) override;
  google::protobuf::Arena& arena() override;

  // HandlerCall

  ServerContext& context() noexcept override { return context_; }
  MessageStream& stream() noexcept override { return messages_; }
  bool take_request(google::protobuf::MessageLite& into) override;
  void finish(google::protobuf::MessageLite& reply, MoveReply* move) override;
  void finish(const Status& status) override;
  void finish_thrown() noexcept override;
  void handler_returned() noexcept override;
  void continue_on_loop(void (*next)(HandlerCall&) noexcept) noexcept override;

 private:
  enum class Handler : std::uint8_t {
    asking,
    intercepted,
    waiting,
    ready,
    held,
    running,
    returned
  };
  enum class Answer : std::uint8_t { open, begun, over };

  // StreamHandler. Each may release the call.

  /// Trailers say nothing but that the request has ended.
  void on_headers(const http2::HeadersEvent& event) override {
    if (event.end_stream) on_data({}, /*end_stream=*/true);
  }
  void on_data(ByteSpan bytes, bool end_stream) override;
  MutableByteSpan direct_tail() override { return messages_.in().direct_tail(); }
  void on_direct_data(std::size_t count, bool end_stream) override;
  void on_writable() override;
  void on_reset(const http2::ResetEvent& event) override;
  void on_connection_end(const Status& why, bool is_ours) override;

  // MessageOwner

  void on_bad_message(Status why) override { fail(why); }
  void before_message(const grpc::OutgoingMessage& /*message*/) override {
    send_headers();
    if (!has_one_reply()) host_->note_load();
  }
  void on_message_kept() override { host_->note_load(); }
  void on_message_sent(const Observer::Message& message) override {
    if (observed_ != nullptr) observed_->note_sent(message);
  }
  void on_message_received(const Observer::Message& message) override {
    if (observed_ != nullptr) observed_->note_received(message);
  }
  void on_held(std::size_t before, std::size_t after) override;
  std::string_view receive_limit() const noexcept override {
    return "the server's ServerOptions::max_receive_message_size";
  }
  std::string_view send_limit() const noexcept override {
    return "the server's ServerOptions::max_send_message_size";
  }
  void on_output() override;
  TurnQueue* turn_queue() noexcept override { return &host_->turn_queue(); }

  // TicketOwner. Each may release the call.

  void on_admitted() override { begin_handler(); }
  void on_refused(const Status& why) override;

  void on_input();
  void take_encoding(std::string_view encoding);
  void compress_replies(const Codec& codec);
  /// Stops when the call is cancelled or the server stops.
  class Ending {
   public:
    Ending(const std::stop_token& cancelled, const std::stop_token& stopping)
        : on_cancel_(cancelled, Stop(source_)), on_stopping_(stopping, Stop(source_)) {}
    std::stop_token token() const noexcept { return source_.get_token(); }

   private:
    class Stop {
     public:
      explicit Stop(std::stop_source& source) noexcept : source_(&source) {}
      void operator()() const noexcept { source_->request_stop(); }

     private:
      std::stop_source* source_;
    };

    std::stop_source source_;
    std::stop_callback<Stop> on_cancel_;
    std::stop_callback<Stop> on_stopping_;
  };

  /// What few calls have.
  struct Rare {
    /// Of a method that is a GenericService's.
    std::string path;
    /// Null: nobody has asked for it.
    CallArena::Ptr arena;
    std::optional<Ending> ending;

    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* memory, std::size_t size) noexcept {
      free_frame(memory, size);
    }
  };
  Rare& rare() {
    if (rare_ == nullptr) rare_ = std::make_unique<Rare>();
    return *rare_;
  }

  // ServerChain::Owner

  LoopCore& loop_core() const noexcept override { return host_->loop_core(); }
  MethodKind kind() const noexcept override { return method_.handler->method.kind; }
  Metadata& request_metadata() noexcept override { return metadata_; }
  void set_deadline(TimePoint when) override;
  bool is_answered() const noexcept override { return answer_ == Answer::over; }
  void proceed() override;
  void write_reply(const google::protobuf::MessageLite& reply) override;
  void on_chain_done(const Status& status) override;

  static void on_deadline(void* self) noexcept;
  /// Its method as whoever counts or times calls knows it: text that outlives it.
  std::string_view label() const noexcept { return method_.handler->method.path; }
  /// REQUIRES: on the loop's thread; ends the program elsewhere, with a message for users.
  void require_loop() const noexcept;
  /// Those before the handler are asked, while what came behind the headers is where it came.
  void begin_asked(http2::Stream& stream, bool end_stream);
  void ask();
  void ask_stage(CallStage& stage);
  /// The stage has answered. May release the call.
  void on_stage_done(const Status& answered);
  /// The stage lets it go on. May release the call.
  void go_on_from_stage();
  void intercept();
  /// Interceptors that wait for the handler go on: there is none.
  void go_on_in_chain();
  bool is_at_work() const noexcept {
    return handler_ == Handler::running || handler_ == Handler::asking ||
           (chain_ != nullptr && !chain_->is_done());
  }
  /// Remembers the handler's first mistake.
  void note_mistake(const char* where, std::string_view key, const Status& what);
  /// Answers with the handler's mistake, if it made one.
  bool answer_mistake();
  bool has_one_request() const noexcept;
  bool has_one_reply() const noexcept;
  /// The request is here: begins now, or when there is room. May release the call.
  void begin_handler();
  /// Whether the handler may begin; else it waits for its turn, or the call is over.
  bool enter_limits(const CallLimits& limits);
  /// It waits for its own client: others have its place among those that are limited.
  void hold(CallHost::Room lacking);
  void run_handler();
  void end_handler(const Status& status);
  void answer(const Status& status);
  bool try_send_headers();
  bool is_plain_answer(const grpc::OutgoingMessage& reply);
  bool answer_whole(const grpc::OutgoingMessage& message);
  void finish_intercepted(google::protobuf::MessageLite& reply, MoveReply* move);
  void answer_with(const GivenReply& given);
  bool send_reply(const GivenReply& given);
  MessageOutbox::Write write_large(const GivenReply& given);
  void send_trailers(const Status& status);
  /// How large a header list may be.
  std::size_t most_metadata() const noexcept;
  Status headers_too_large() const;
  void begin_observed(const Observed& observed);
  void end_observed(const Status& how);
  /// No answer can be given any more.
  void close_answer(const Status& how) {
    if (observed_ != nullptr) [[unlikely]]
      end_observed(how);
    close_observed_answer(how);
  }
  /// The same where observers have been told.
  void close_observed_answer(const Status& how);
  void cancel();
  void go_on() noexcept { std::exchange(go_on_, nullptr)(*this); }
  void go_if_done();

  CallHost* host_;
  ServedMethod method_;
  MessageStream messages_;
  ServerContext context_ = Access::make<ServerContext>(*this);
  Handler handler_ = Handler::waiting;
  Answer answer_ = Answer::open;
  bool is_cancelled_ = false;
  /// The client has named an encoding that is not known.
  bool is_encoding_unknown_ = false;
  /// What the client takes.
  grpc::CodecSet::Mask accepted_ = 0;
  /// What the headers have named.
  const Codec* sent_codec_ = nullptr;
  /// Inside a function that still needs the call: it goes when that returns.
  bool is_held_ = false;
  TimePoint deadline_ = no_deadline;
  Timer timer_;
  /// What a handler that ended on another thread still has to do on the loop.
  void (*go_on_)(HandlerCall&) noexcept = nullptr;
  RunMember<&ServerCall::go_on> continuation_{*this};
  std::string authority_;
  Metadata metadata_;
  Metadata headers_;
  Metadata trailers_;
  Status mistake_;
  std::stop_source cancellation_{std::nostopstate};
  /// Null: it has none of them.
  std::unique_ptr<Rare> rare_;
  /// Where the server limits calls.
  std::unique_ptr<CallTicket> ticket_;
  std::unique_ptr<ServerChain> chain_;
  /// Null: nobody observes it, or it is answered.
  std::unique_ptr<ObservedCall> observed_;
};

}  // namespace nearcall::inline v0::detail
