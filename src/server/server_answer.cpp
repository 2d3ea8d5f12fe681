// SPDX-License-Identifier: Apache-2.0
// The answer of a call at the server: its headers, its one reply, its status.
#include "base/log.hpp"
#include "base/owned_bytes.hpp"
#include "base/quote.hpp"
#include "connection/outgoing_fields.hpp"
#include "grpc/message_pieces.hpp"
#include "grpc/metadata_codec.hpp"
#include "grpc/response_head.hpp"
#include "grpc/status_codec.hpp"
#include "grpc/trailer_limit.hpp"
#include "server/server_call.hpp"

#include <algorithm>
#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

const http2::HeaderTemplate& ok_trailers() {
  static const http2::HeaderTemplate fields{{"grpc-status", "0"}};
  return fields;
}

/// A reply that stays until it is sent.
class KeptReply final : public BytesOwner {
 public:
  explicit KeptReply(std::unique_ptr<google::protobuf::MessageLite> reply) noexcept
      : reply_(std::move(reply)) {}
  const google::protobuf::MessageLite& reply() const noexcept { return *reply_; }

 private:
  void on_unreferenced() noexcept override { delete this; }

  const std::unique_ptr<google::protobuf::MessageLite> reply_;
};

}  // namespace

void ServerCall::add_header(std::string_view key, std::string_view value) {
  require_loop();
  if (answer_ == Answer::over) return;  // cancelled: nobody sees it
  if (answer_ == Answer::begun) {
    return note_mistake("add_header", key,
                        Status::internal("the headers were sent already, with send_headers() or "
                                         "the first message"));
  }
  const Result<void> added = headers_.add(key, value);
  if (!added) note_mistake("add_header", key, added.error());
}

void ServerCall::add_trailer(std::string_view key, std::string_view value) {
  require_loop();
  const Result<void> added = trailers_.add(key, value);
  if (!added) note_mistake("add_trailer", key, added.error());
}

void ServerCall::note_mistake(const char* where, std::string_view key, const Status& what) {
  if (!mistake_.ok()) return;
  mistake_ =
      Status::internal("the handler's " + quote(where, key) + ": " + std::string(what.message()));
}

bool ServerCall::answer_mistake() {
  if (mistake_.ok() || answer_ == Answer::over) return false;
  log(LogLevel::error, method(), ": ", mistake_.message());
  answer(mistake_);
  return true;
}

void ServerCall::send_headers() {
  require_loop();
  if (answer_ == Answer::open && !try_send_headers()) fail(headers_too_large());
}

/// False, and they are left out from now on, if they are too large.
bool ServerCall::try_send_headers() {
  const http2::HeaderTemplate& head = host_->shared().response_head();
  const Codec* const codec = messages_.out().codec();
  std::span<const http2::HeaderField> fields;
  if (!headers_.empty() || codec != nullptr) {
    OutgoingFields& outgoing = OutgoingFields::fresh();
    if (codec != nullptr) outgoing.block().add("grpc-encoding", codec->name());
    grpc::append_metadata(outgoing.block(), headers_);
    if (head.list_size() + outgoing.block().list_size() > most_metadata()) {
      headers_ = Metadata();
      return false;
    }
    fields = outgoing.fields();
  }
  answer_ = Answer::begun;
  sent_codec_ = codec;
  host_->commands()->send_headers(messages_.stream(), head, fields, /*end_stream=*/false);
  return true;
}

void ServerCall::set_compression(const Codec& codec) {
  require_loop();
  if (answer_ == Answer::over) return;  // cancelled: nobody sees it
  const bool may_name_it = answer_ == Answer::open || &codec == sent_codec_;
  if (may_name_it || &codec == &Codec::identity()) return compress_replies(codec);
  if (!host_->shared().codecs().is_in(accepted_, codec)) return compress_replies(codec);
  note_mistake("set_compression", codec.name(),
               Status::internal("the headers were sent already, without it"));
}

std::size_t ServerCall::most_metadata() const noexcept {
  return host_->session().max_sent_header_list_size();
}

Status ServerCall::headers_too_large() const {
  return Status::resource_exhausted("the response headers are larger than the " +
                                    std::to_string(most_metadata()) +
                                    " bytes that may be sent (max_sent_header_list_size, or the "
                                    "client's limit)");
}

void ServerCall::finish(google::protobuf::MessageLite& reply, MoveReply* move) {
  if (answer_ == Answer::over || answer_mistake()) return;
  if (chain_ != nullptr) [[unlikely]]
    return finish_intercepted(reply, move);
  answer_with({reply, move});
}

/// Interceptors that do not wait return while the reply is here, so that all goes in one step.
void ServerCall::finish_intercepted(google::protobuf::MessageLite& reply, MoveReply* move) {
  if (chain_->has_outgoing()) {
    if (const Status passed = chain_->pass_outgoing(reply); !passed.ok())
      return chain_->note_end(passed, /*has_reply=*/false);
  }
  const GivenReply given{reply, move};
  if (messages_.out().takes(given.message)) {
    const bool was_held = std::exchange(is_held_, true);
    chain_->go_on_with(given);
    is_held_ = was_held;
  }
  if (answer_ != Answer::over) send_reply(given);
}

void ServerCall::answer_with(const GivenReply& given) {
  if (!answer_whole(given.message) && send_reply(given)) answer(Status());
}

/// A reply of any size goes: nothing else waits on this stream.
bool ServerCall::send_reply(const GivenReply& given) {
  send_headers();
  const MessageOutbox::Write written =
      grpc::MessagePieces::suit(given.message)
          ? write_large(given)
          : messages_.out().write(given.message, /*keeper=*/nullptr, /*end_stream=*/false);
  return written == MessageOutbox::Write::taken;
}

/// A reply on the call's arena keeps all of that, which is not to be kept for little: budgets know
/// of the reply's bytes. Not inlined, so that small replies do not pay for it.
[[gnu::noinline]] MessageOutbox::Write ServerCall::write_large(const GivenReply& given) {
  MessageOutbox& out = messages_.out();
  if (given.move == nullptr) {
    CallArena& arena = *rare_->arena;
    const bool is_worth_it = arena.arena().SpaceAllocated() <= 2 * given.message.size();
    return out.write(given.message, is_worth_it ? &arena : nullptr, /*end_stream=*/false);
  }
  auto* const kept = new KeptReply(given.move(given.reply));
  const MessageOutbox::Write written = out.write(grpc::OutgoingMessage(kept->reply()),
                                                 /*keeper=*/kept, /*end_stream=*/false);
  kept->release_reference();
  return written;
}

void ServerCall::write_reply(const google::protobuf::MessageLite& reply) {
  if (answer_ == Answer::over) return;
  messages_.out().write(grpc::OutgoingMessage(reply), /*keeper=*/nullptr, /*end_stream=*/false);
}

/// Whether the answer is the usual headers, that reply as it is, and OK: nobody has sent or added
/// anything, and nothing stands between the reply and its frame.
bool ServerCall::is_plain_answer(const grpc::OutgoingMessage& reply) {
  const bool is_plain = answer_ == Answer::open && headers_.empty() && trailers_.empty() &&
                        messages_.out().codec() == nullptr && !grpc::MessagePieces::suit(reply);
  return is_plain && messages_.out().takes(reply);
}

/// A plain answer in one step, where all of it may go now; else nothing is done.
bool ServerCall::answer_whole(const grpc::OutgoingMessage& message) {
  if (!is_plain_answer(message)) return false;
  const SessionCommands session = host_->commands();
  http2::Stream& stream = messages_.stream();
  const MutableByteSpan room = session->reserve_whole(stream, host_->shared().response_head(),
                                                      message.size(), ok_trailers());
  if (room.empty()) return false;
  messages_.note_written(message.size());
  message.write(room.data());
  session->commit_whole(stream);
  if (observed_ != nullptr) [[unlikely]] {
    const std::size_t size = message.size() - grpc::message_prefix_size;
    observed_->note_sent({size, size});
    end_observed(Status());
  }
  close_observed_answer(Status());
  return true;
}

void ServerCall::finish(const Status& status) {
  if (answer_mistake()) return;
  // What as_error() made of OK, where a reply was due: here it is known whose bug it is.
  if (status.code() == StatusCode::internal && status.reason() == StatusReason::misuse) {
    log(LogLevel::error, method(), ": ", status.message());
  }
  end_handler(status);
}

/// Interceptors have the last word.
void ServerCall::end_handler(const Status& status) {
  if (chain_ != nullptr) [[unlikely]]
    return chain_->note_end(status, /*has_reply=*/false);
  answer(status);
}

void ServerCall::finish_thrown() noexcept {
  try {
    throw;
  } catch (const std::exception& error) {
    log(LogLevel::error, method(), ": the handler threw: ", error.what());
  } catch (...) {
    log(LogLevel::error, method(), ": the handler threw something that is no std::exception");
  }
  end_handler(Status(StatusCode::unknown, "the handler failed"));
}

void ServerCall::answer(const Status& status) {
  if (answer_ == Answer::over) return;
  // An OK answer without messages still has headers: a Trailers-Only answer cannot carry them.
  const bool has_headers = status.ok() || !headers_.empty() || is_encoding_unknown_;
  if (answer_ == Answer::open && has_headers && !try_send_headers()) {
    if (status.ok()) return answer(headers_too_large());
    host_->log_left_out(method(), "headers were");  // the handler's own code matters more
  }
  send_trailers(status);
  close_answer(status);
}

void ServerCall::send_trailers(const Status& status) {
  if (answer_ == Answer::begun && status.ok() && trailers_.empty()) {
    return host_->commands()->send_headers(messages_.stream(), ok_trailers(), {},
                                           /*end_stream=*/true);
  }
  OutgoingFields& outgoing = OutgoingFields::fresh();
  const http2::HeaderTemplate* head = &http2::HeaderTemplate::none();
  if (answer_ == Answer::open) {
    host_->note_failed_answer();
    grpc::append_trailers_only(outgoing.block(), status, trailers_);
  } else if (status.ok()) {
    head = &ok_trailers();
    grpc::append_metadata(outgoing.block(), trailers_);
  } else {
    host_->note_failed_answer();
    grpc::append_trailers(outgoing.block(), status, trailers_);
  }
  const std::size_t most = most_metadata() - std::min(most_metadata(), head->list_size());
  switch (grpc::limit_trailers(outgoing.block(), most)) {
    case grpc::LeftOut::nothing:
      break;
    case grpc::LeftOut::text:
      host_->log_left_out(method(), "a part of the message was");
      break;
    case grpc::LeftOut::metadata:
      host_->log_left_out(method(), "trailers were");
      break;
  }
  host_->commands()->send_headers(messages_.stream(), *head, outgoing.fields(),
                                  /*end_stream=*/true);
}

[[gnu::noinline]] void ServerCall::end_observed(const Status& how) {
  messages_.in().observe(false);
  std::exchange(observed_, nullptr)->end(how, host_->loop_core().clock().now());
}

void ServerCall::close_observed_answer(const Status& how) {
  answer_ = Answer::over;
  timer_.clear();
  if (ticket_ != nullptr && handler_ != Handler::running) [[unlikely]]
    ticket_->leave();
  if (chain_ != nullptr) [[unlikely]]
    chain_->note_end(how, /*has_reply=*/false);
  messages_.out().close();
  messages_.in().drop();
}

}  // namespace nearcall::inline v0::detail
