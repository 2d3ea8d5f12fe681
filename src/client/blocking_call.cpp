// SPDX-License-Identifier: Apache-2.0
// Starting, driving and ending a call that threads wait for.
#include "client/blocking_call.hpp"

#include <nearcall/event_loop.hpp>

#include <utility>

namespace nearcall::detail {
namespace {

Status late() {
  return Status(StatusCode::deadline_exceeded, "the deadline passed");
}

/// Why a thread may not wait here, or OK.
Status check_thread(const BoundMethod& method) {
  if (EventLoop::current() == nullptr) return Status();
  return Status(StatusCode::failed_precondition,
                std::string(method.method.path) +
                    ": a blocking call on a thread that runs an EventLoop would wait for itself; "
                    "use the Async form and co_await it");
}

}  // namespace

BlockingCall::BlockingCall(const BoundMethod& method,
                           const CallOptions& options,
                           std::size_t max_message_size)
    : ClientCall(method, options, max_message_size) {
}

BlockingCall::~BlockingCall() {
  cancellation_.reset();
  if (connection_ == nullptr) return;
  {
    Lock lock = connection_->lock();
    messages().set_blocking_reader(nullptr);
    ClientCall::finish(Status(StatusCode::cancelled, "the call was dropped"));
    connection_->flush();
  }
  give_back();
}

void BlockingCall::give_back() {
  channel_->put_back(std::move(connection_));
}

void BlockingCall::start(ChannelCore& channel,
                         const google::protobuf::MessageLite* request,
                         const CallOptions& options) {
  channel_ = &channel;
  Status refused = check_thread(method());
  if (refused.ok()) refused = options.misuse();
  if (refused.ok()) refused = channel.misuse();
  if (!refused.ok()) return ClientCall::finish(std::move(refused));
  open(channel, request);
  if (is_over() && is_unprocessed()) return;
  if (options.cancellation().stop_possible()) {
    cancellation_.emplace(options.cancellation(), Cancel{this});
  }
}

void BlockingCall::open(ChannelCore& channel, const google::protobuf::MessageLite* request) {
  Result<std::shared_ptr<BlockingConnection>> acquired =
      channel.acquire(deadline(), std::stop_token());
  if (!acquired) {
    return ClientCall::finish(SteadyClock::now() >= deadline() ? late()
                                                               : std::move(acquired).error());
  }
  connection_ = *std::move(acquired);
  Lock lock = connection_->lock();
  ClientConnection& client = connection_->client();
  if (!connection_->wait_for_room(lock, reader_, deadline())) return ClientCall::finish(late());
  if (client.open_state() != http2::Session::OpenState::ready) {
    return on_unprocessed(client.lost_status());
  }
  ClientCall::open(client, /*loop=*/nullptr, /*end_stream=*/false);
  if (request != nullptr) messages().try_write(*request, /*end_stream=*/true);
  connection_->flush();
}

template <class Done>
void BlockingCall::wait(Lock& lock, BlockedThread& thread, const Done& is_done) {
  if (!connection_->wait(lock, thread, deadline(), is_done)) {
    ClientCall::finish(late());
    connection_->flush();
  }
}

Status BlockingCall::run_unary(ChannelCore& channel,
                               const google::protobuf::MessageLite& request,
                               const CallOptions& options,
                               google::protobuf::MessageLite& reply) {
  messages().expect_one();
  messages().set_blocking_reader(&reply);
  start(channel, &request, options);
  if (connection_ == nullptr) return status();
  Lock lock = connection_->lock();
  wait(lock, reader_, [this] { return is_over(); });
  if (!status().ok()) return status();
  if (!messages().take_blocking_read()) {
    return Status(StatusCode::unimplemented, "the server sent no reply message");
  }
  if (messages().has_unread()) {
    return Status(StatusCode::unimplemented, "the server sent more than one reply message");
  }
  return Status();
}

bool BlockingCall::read(google::protobuf::MessageLite& into) {
  if (connection_ == nullptr) return false;
  Lock lock = connection_->lock();
  using Read = MessageStream::Read;
  Read outcome = messages().try_read(into);
  if (outcome != Read::pending) return outcome == Read::message;
  messages().set_blocking_reader(&into);
  wait(lock, reader_, [this] { return !messages().has_blocking_reader(); });
  messages().set_blocking_reader(nullptr);
  return messages().take_blocking_read();
}

bool BlockingCall::write(const google::protobuf::MessageLite& message) {
  if (connection_ == nullptr) return false;
  Lock lock = connection_->lock();
  wait(lock, writer_, [this] { return is_over() || messages().is_writable(); });
  if (messages().try_write(message) != MessageStream::Write::taken) return false;
  connection_->exchange(lock);
  return true;
}

bool BlockingCall::half_close() {
  if (connection_ == nullptr) return false;
  Lock lock = connection_->lock();
  const bool was_open = ClientCall::half_close();
  connection_->flush();
  return was_open;
}

Status BlockingCall::finish() {
  if (connection_ == nullptr) return status();
  Lock lock = connection_->lock();
  if (!is_over()) {
    messages().discard_input();
    connection_->flush();
    wait(lock, reader_, [this] { return is_over(); });
  }
  return status();
}

const Metadata& BlockingCall::headers() {
  if (connection_ == nullptr) return ClientCall::headers();
  Lock lock = connection_->lock();
  wait(lock, reader_, [this] { return has_headers(); });
  return ClientCall::headers();
}

const Metadata& BlockingCall::trailers() {
  if (connection_ == nullptr) return ClientCall::trailers();
  const Lock lock = connection_->lock();
  return ClientCall::trailers();
}

void BlockingCall::cancel() noexcept {
  if (connection_ == nullptr) return;
  const Lock lock = connection_->lock();
  if (is_over()) return;
  ClientCall::finish(Status(StatusCode::cancelled, "the call was cancelled"));
  connection_->flush();
}

void BlockingCall::on_ready() {
  if (connection_ == nullptr) return;
  connection_->notify(reader_);
  if (writer_.is_linked()) connection_->notify(writer_);
}

}  // namespace nearcall::detail
