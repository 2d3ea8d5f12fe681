// SPDX-License-Identifier: Apache-2.0
// What the attacked side keeps, and that it goes on to work.
#include "simulation/attack.hpp"

#include "support/live_memory.hpp"

#include <nearcall/spawn.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_memory_attacked = std::size_t{3} * 1024 * 1024;

ConnectionLimits attacked_limits() {
  ConnectionLimits limits;
  limits.max_concurrent_streams = 16;
  limits.max_resets_outstanding = 16;
  limits.max_buffered_input = 256 * 1024;
  limits.max_buffered_output_stream = 32 * 1024;
  limits.max_buffered_output = 128 * 1024;
  limits.max_buffered_output_of_new_calls = 256 * 1024;
  return limits;
}

}  // namespace

Attack::Attack(Choices& choices) : choices_(choices) {
  log_.allow("");
  memory_before_ = live_memory();
}

bool Attack::say(std::string_view bytes) {
  for (int waits = 0; !bytes.empty();) {
    const std::size_t chosen = choices_.one_in(4) ? choices_.below(50) + 1 : bytes.size();
    const std::size_t size = std::min(chosen, bytes.size());
    const iovec piece{const_cast<char*>(bytes.data()), size};
    const IoResult result = theirs_->try_write({&piece, 1});
    if (result.kind() == IoResult::Kind::failed) return false;
    if (result.kind() != IoResult::Kind::bytes) {  // we read no more before the peer does
      hear();
      link_->deliver_all();
      loop_.poll();
      clock_.advance(1s);
      if (++waits < 200) continue;
      ADD_FAILURE() << "nothing is read, and the connection does not end";
      return false;
    }
    waits = 0;
    bytes.remove_prefix(result.count());
    link_->deliver_all();
    loop_.poll();
    expect_little_memory(most_memory_attacked);
  }
  return true;
}

void Attack::hear() {
  std::array<std::byte, 4096> into;
  while (theirs_->try_read(into).kind() == IoResult::Kind::bytes) {
  }
}

void Attack::expect_little_memory(std::size_t most) const {
  const std::size_t kept = live_memory() - std::min(live_memory(), memory_before_ + link_->size());
  EXPECT_LE(kept, most);
}

// ---- a server -----------------------------------------------------------------------------------

AttackOnServer::AttackOnServer(Choices& choices) : Attack(choices) {
  server_.emplace(loop_, ServerOptions()
                             .limits(attacked_limits())
                             .max_receive_message_size(64 * 1024)
                             .drain_timeout(1s));
  server_->add_service(service_);
  server_->listen(std::make_unique<QueueListener>(queue_), untrusted::anyone());
  EXPECT_TRUE(server_->start().ok());
  auto ends = Link::ends(link_);
  theirs_ = std::move(ends.first);
  queue_->push(std::move(ends.second));
  settle();
}

AttackOnServer::~AttackOnServer() {
  server_.reset();
}

bool AttackOnServer::feed(std::string_view bytes) {
  return say(bytes);
}

int AttackOnServer::run(int steps) {
  HostilePeer peer(choices_, http2::Role::client);
  if (!say(peer.hello())) return 0;
  for (int step = 0; step < steps; ++step) {
    if (choices_.one_in(4)) hear();
    if (choices_.one_in(16)) clock_.advance(std::chrono::milliseconds(choices_.below(256)));
    if (!say(peer.next())) return step;
  }
  return steps;
}

Task<void> AttackOnServer::call_honestly() {
  const std::shared_ptr<ConnectionQueue> queue = queue_;
  auto link = std::make_shared<Link>(Link::Manner::by_hand, std::size_t{64} * 1024);
  link_ = link;
  auto ends = Link::ends(link);
  queue->push(std::move(ends.second));
  auto connector = std::make_shared<std::unique_ptr<Transport>>(std::move(ends.first));
  Channel channel(
      "http://localhost", ChannelOptions().connector([connector](const ConnectContext&) {
        return [](std::unique_ptr<Transport> end) -> Task<Result<std::unique_ptr<Transport>>> {
          co_return end;
        }(std::move(*connector));
      }));
  const ClientStub stub(channel, SimulatedService::methods);
  Text request;
  request.set_value(Wish{.call = 7, .size = 100}.to_text());
  auto call = stub.unary_async<Text>(SimulatedService::unary, request, CallOptions());
  const Result<Text> reply = co_await call;
  is_served_ = reply.ok() && is_numbered(*reply, 7, 100);
}

void AttackOnServer::finish() {
  theirs_.reset();
  settle();
  spawn(loop_, call_honestly());
  const auto go_on = [this] {
    loop_.poll();
    link_->deliver_all();
  };
  for (int round = 0; round < 200 && !is_served_; ++round)
    go_on();
  EXPECT_TRUE(is_served_) << "an honest client, after the attack";
  server_->stop();
  for (int round = 0; round < 100; ++round) {
    go_on();
    clock_.advance(50ms);
  }
  EXPECT_EQ(service_.running(), 0) << "handlers that never return";
}

// ---- a client -----------------------------------------------------------------------------------

AttackOnClient::AttackOnClient(Choices& choices) : Attack(choices) {
  auto ends = Link::ends(link_);
  ours_ = std::move(ends.first);
  theirs_ = std::move(ends.second);
  channel_.emplace("http://localhost",
                   ChannelOptions()
                       .limits(attacked_limits())
                       .max_receive_message_size(64 * 1024)
                       .connector([this](const ConnectContext&) { return connect(); }));
  stub_.emplace(*channel_, SimulatedService::methods);
  for (int i = 0; i < 4; ++i) {
    spawn(loop_, call_unary());
    spawn(loop_, call_chat());
  }
  settle();
}

AttackOnClient::~AttackOnClient() {
  stub_.reset();
  channel_.reset();
}

Task<Result<std::unique_ptr<Transport>>> AttackOnClient::connect() {
  if (ours_ == nullptr) co_return Failure{Status(StatusCode::unavailable, "one is enough")};
  co_return std::move(ours_);
}

Task<void> AttackOnClient::call_unary() {
  ++running_;
  Text request;
  request.set_value("a request");
  auto call = stub_->unary_async<Text>(SimulatedService::unary, request,
                                       CallOptions().deadline(clock_.now() + 20s));
  const Result<Text> reply = co_await call;
  static_cast<void>(reply);  // whatever the server said
  --running_;
}

Task<void> AttackOnClient::call_chat() {
  ++running_;
  auto call = stub_->bidi_streaming_async<Text, Text>(SimulatedService::chat,
                                                      CallOptions().deadline(clock_.now() + 20s));
  Text message;
  message.set_value("a request");
  while (co_await call.write(message)) {
    if (!co_await call.read(message)) break;
    if (message.value().size() > 1000) message.set_value("shorter");
  }
  const Status status = co_await call.finish();
  static_cast<void>(status);
  --running_;
}

bool AttackOnClient::feed(std::string_view bytes) {
  return say(bytes);
}

int AttackOnClient::run(int steps) {
  HostilePeer peer(choices_, http2::Role::server);
  if (!say(peer.hello())) return 0;
  for (int step = 0; step < steps; ++step) {
    if (!choices_.one_in(4)) hear();
    if (choices_.one_in(16)) clock_.advance(std::chrono::milliseconds(choices_.below(256)));
    if (!say(peer.next())) return step;
  }
  return steps;
}

void AttackOnClient::finish() {
  for (int round = 0; round < 300 && running_ > 0; ++round) {
    hear();
    link_->deliver(0, link_->on_its_way(0));
    loop_.poll();
    clock_.advance(100ms);
  }
  EXPECT_EQ(running_, 0) << "calls that outlive their deadline";
}

}  // namespace nearcall::test
