// SPDX-License-Identifier: Apache-2.0
// The steps of a simulation, and what has to hold after each.
#include "simulation/simulation.hpp"

#include "client/channel_core.hpp"
#include "support/live_memory.hpp"

#include <nearcall/spawn.hpp>
#include <nearcall/wait.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_running_calls = 24;
constexpr std::size_t wide = std::size_t{64} * 1024;
constexpr int client_count = 3;
constexpr std::size_t most_servers = 4;
constexpr std::chrono::seconds drain_timeout = 2s;
/// What the budgets below allow for all links together, with room for what calls themselves need.
constexpr std::size_t most_memory = std::size_t{2} * 1024 * 1024;

ConnectionLimits small_limits() {
  ConnectionLimits limits;
  limits.max_concurrent_streams = 8;
  limits.max_buffered_input = 128 * 1024;
  limits.max_buffered_output_stream = 16 * 1024;
  limits.max_buffered_output = 64 * 1024;
  return limits;
}

/// The end that a server gets, with the user who is on the other side. Tells when it is closed
/// though the link did not take all that was written last.
class EndOfUser final : public ForwardingTransport {
 public:
  EndOfUser(std::unique_ptr<Transport> inner, uid_t uid, std::function<void()> on_cut_short)
      : ForwardingTransport(std::move(inner)),
        peer_("link:", uid, /*gid=*/1, /*pid=*/1),
        on_cut_short_(std::move(on_cut_short)) {}
  EndOfUser(const EndOfUser&) = delete;
  EndOfUser& operator=(const EndOfUser&) = delete;
  ~EndOfUser() override { tell(); }

  IoResult try_write(std::span<const iovec> from) override {
    std::size_t size = 0;
    for (const iovec& piece : from)
      size += piece.iov_len;
    const IoResult result = inner().try_write(from);
    is_cut_short_ = result.kind() != IoResult::Kind::bytes || result.count() < size;
    return result;
  }
  void abort(std::error_code reason) noexcept override {
    tell();
    inner().abort(reason);
  }
  const PeerIdentity& peer() const noexcept override { return peer_; }

 private:
  void tell() {
    if (std::exchange(is_cut_short_, false)) on_cut_short_();
  }

  const PeerIdentity peer_;
  const std::function<void()> on_cut_short_;
  bool is_cut_short_ = false;
};

}  // namespace

Simulation::Client::Client(Simulation& simulation)
    : channel("http://localhost",
              ChannelOptions()
                  .limits(small_limits())
                  .connect_timeout(3s)
                  .observer(repeats)
                  .connector([this, &simulation](ConnectContext context) {
                    return simulation.connect(std::move(context), *this);
                  })),
      stub(channel, SimulatedService::methods) {
}

Simulation::Simulation(Choices& choices)
    : choices_(choices),
      max_connections_(choices.one_in(2) ? client_count - 1 : 1024),
      has_strangers_(choices.one_in(2)) {
  log_.allow("");
  memory_before_ = live_memory();
  start_server();
  for (int i = 0; i < client_count; ++i)
    clients_.emplace_back(*this);
  settle();
}

Simulation::~Simulation() {
  hosts_.clear();  // whose connections know their clients
  clients_.clear();
}

void Simulation::start_server() {
  ServerOptions options;
  options.limits(small_limits()).drain_timeout(drain_timeout).max_connections(max_connections_);
  Host& host = hosts_.emplace_back(loop_, std::move(options));
  host.server.add_service(service_);
  host.server.listen(std::make_unique<QueueListener>(host.queue, /*knows_credentials=*/true),
                     PeerPolicy::same_user());
  EXPECT_TRUE(host.server.start().ok());
  ++seen_.servers;
}

void Simulation::restart_server() {
  if (hosts_.size() == most_servers) return;
  hosts_.back().server.stop();
  hosts_.back().cancels_at = clock_.now() + drain_timeout;
  start_server();
}

Task<Result<std::unique_ptr<Transport>>> Simulation::connect(ConnectContext context,
                                                             Client& client) {
  if (!is_healed_) {
    if (choices_.one_in(8)) {
      fail(client);
      co_return Failure{Status(StatusCode::unavailable, "refused by choice")};
    }
    const bool drags_on = choices_.one_in(8);
    const std::chrono::milliseconds delay(choices_.below(drags_on ? 4000 : 20));
    if (drags_on) fail(client);
    const bool slept = co_await sleep_for(delay, context.cancellation());
    if (!slept) co_return Failure{Status(StatusCode::cancelled, "nobody wants it")};
  }
  co_return make_link(client);
}

std::unique_ptr<Transport> Simulation::make_link(Client& client) {
  const bool is_narrow = !is_healed_ && choices_.one_in(4);
  const std::size_t capacity = is_narrow ? choices_.between(1, 64) : wide;
  auto link = std::make_shared<Link>(Link::Manner::by_hand, capacity);
  auto ends = Link::ends(link);
  // An end that has gone may still have its place: the server does not know yet.
  const auto is_open = [](const Connection& one) { return one.link.use_count() > 1; };
  const auto open = static_cast<std::size_t>(std::ranges::count_if(connections_, is_open));
  const bool is_stranger = !is_healed_ && has_strangers_ && choices_.one_in(8);
  if (open >= max_connections_) fail(client);  // closed without a word, if nobody gives way
  if (is_stranger) client.refused_at = ++events_;
  connections_.push_back({std::move(link), &client});
  hosts_.back().queue->push(std::make_unique<EndOfUser>(std::move(ends.second),
                                                        ::geteuid() + (is_stranger ? 1 : 0),
                                                        [this, &client] { fail(client); }));
  return std::move(ends.first);
}

// ---- steps --------------------------------------------------------------------------------------

void Simulation::step() {
  switch (choices_.below(16)) {
    case 0:
    case 1:
    case 2:
      begin_call();
      break;
    case 3:
      cancel_a_call();
      break;
    case 4:
      if (choices_.one_in(3)) cut_a_link();
      break;
    case 5:
      pass_time(std::chrono::milliseconds(choices_.below(50)));
      break;
    case 6:
      if (choices_.one_in(8)) pass_time(std::chrono::seconds(choices_.below(40)));
      if (choices_.one_in(16)) restart_server();
      break;
    case 7:
      deliver_all();
      break;
    default:
      deliver_some();
      break;
  }
  if (!choices_.one_in(4)) loop_.poll();
  look();
}

void Simulation::begin_call() {
  std::erase_if(calls_, [](const Call& call) { return call.is_over; });
  if (calls_.size() >= most_running_calls) return;
  Call& call = calls_.emplace_back();
  auto client = clients_.begin();
  std::advance(client, choices_.below(client_count));
  call.client = &*client;
  call.began_at = ++events_;
  call.well_since = client->well_since;
  call.repeats_before = client->repeats->count();
  call.wish.call = ++next_call_;
  call.wish.size = choices_.one_in(4) ? choices_.below(60'000) : choices_.below(40);
  call.wish.replies = choices_.below(8);
  call.wish.delay_ms = choices_.one_in(3) ? choices_.below(200) : 0;
  call.wish.fails = choices_.one_in(8);
  call.requests = choices_.below(6);
  if (choices_.one_in(3)) {
    call.deadline = clock_.now() + std::chrono::milliseconds(choices_.below(3000) + 1);
  }
  const std::uint32_t kind = choices_.below(4);
  call.is_streamed = kind >= 2;
  switch (kind) {
    case 0:
      spawn(loop_, call_unary(call));
      break;
    case 1:
      spawn(loop_, call_expand(call));
      break;
    case 2:
      spawn(loop_, call_collect(call));
      break;
    default:
      spawn(loop_, call_chat(call));
  }
}

void Simulation::cancel_a_call() {
  if (calls_.empty()) return;
  auto chosen = calls_.begin();
  std::advance(chosen, choices_.below(static_cast<std::uint32_t>(calls_.size())));
  chosen->cancel.request_stop();
}

void Simulation::deliver_some() {
  std::erase_if(connections_, [](const Connection& one) {
    return one.link->is_over() && one.link.use_count() == 1;
  });
  if (connections_.empty()) return;
  const auto count = static_cast<std::uint32_t>(connections_.size());
  Link& link = *connections_[choices_.below(count)].link;
  const int side = static_cast<int>(choices_.below(2));
  link.deliver(side, choices_.one_in(2) ? choices_.below(30) : choices_.below(20'000));
}

void Simulation::deliver_all() {
  for (const Connection& one : connections_) {
    one.link->deliver_all();
  }
}

void Simulation::cut_a_link() {
  if (connections_.empty()) return;
  const auto count = static_cast<std::uint32_t>(connections_.size());
  const Connection& chosen = connections_[choices_.below(count)];
  fail(*chosen.client);
  chosen.link->cut(choices_.one_in(2) ? Link::Cut::reset : Link::Cut::end_of_stream);
}

void Simulation::pass_time(detail::Duration duration) {
  if (duration >= 1s) fail_all();  // time-outs of connections that nobody serves meanwhile
  clock_.advance(duration);
  for (Host& host : hosts_) {
    if (clock_.now() < host.cancels_at) continue;
    host.cancels_at = detail::no_deadline;
    fail_all();
  }
}

void Simulation::fail_all() noexcept {
  for (Client& client : clients_)
    fail(client);
}

void Simulation::look() {
  std::size_t links = 0;
  for (const Connection& one : connections_)
    links += one.link->size();
  const std::size_t now = live_memory();
  const std::size_t used = now - std::min(now, memory_before_ + links);
  EXPECT_LE(used, most_memory) << calls_.size() << " calls, " << connections_.size() << " links";
  while (log_.take("idle for longest"))
    ++seen_.evictions;
}

void Simulation::finish() {
  is_healed_ = true;
  for (const Connection& one : connections_)
    one.link->set_capacity(wide);
  const auto is_running = [this] {
    return std::ranges::any_of(calls_, [](const Call& call) { return !call.is_over; });
  };
  for (int round = 0; round < 2000 && is_running(); ++round) {
    deliver_all();
    loop_.poll();
    if (round % 8 == 7) pass_time(100ms);
  }
  for (const Call& call : calls_)
    EXPECT_TRUE(call.is_over) << "call " << call.wish.call << " hangs: " << call.wish.to_text();
  hosts_.back().server.stop();
  for (int round = 0; round < 400 && (service_.running() > 0 || round < 100); ++round) {
    deliver_all();
    loop_.poll();
    if (round % 8 == 7) clock_.advance(100ms);
  }
  EXPECT_EQ(service_.running(), 0) << "handlers that never return";
  for (const Connection& one : connections_)
    EXPECT_TRUE(one.link->is_over()) << "a connection that no server has any more";
}

// ---- calls --------------------------------------------------------------------------------------

CallOptions Simulation::options_of(const Call& call) const {
  CallOptions options;
  options.cancellation(call.cancel.get_token());
  if (call.deadline) options.deadline(*call.deadline);
  return options;
}

Task<void> Simulation::call_unary(Call& call) {
  Text request;
  request.set_value(call.wish.to_text());
  auto started =
      call.client->stub.unary_async<Text>(SimulatedService::unary, request, options_of(call));
  const Result<Text> reply = co_await started;
  if (reply.ok()) {
    EXPECT_TRUE(is_numbered(*reply, call.wish.call, call.wish.size)) << call.wish.to_text();
  }
  end(call, reply.status());
}

Task<void> Simulation::call_expand(Call& call) {
  Text request;
  request.set_value(call.wish.to_text());
  auto started = call.client->stub.server_streaming_async<Text>(SimulatedService::expand, request,
                                                                options_of(call));
  Text reply;
  std::uint32_t count = 0;
  while (co_await started.read(reply)) {
    EXPECT_TRUE(is_numbered(reply, count, call.wish.size)) << call.wish.to_text();
    ++count;
  }
  const Status status = co_await started.finish();
  EXPECT_TRUE(!status.ok() || count == call.wish.replies) << call.wish.to_text();
  end(call, status);
}

Task<void> Simulation::call_collect(Call& call) {
  auto started = call.client->stub.client_streaming_async<Text, Text>(SimulatedService::collect,
                                                                      options_of(call));
  Text request;
  std::uint32_t taken = 0;
  for (; taken < call.requests; ++taken) {
    request.set_value(call.wish.to_text());
    const bool is_taken = co_await started.write(request);
    if (!is_taken) break;
  }
  const Result<Text> reply = co_await started.finish();
  if (reply.ok()) {
    EXPECT_EQ(taken, call.requests) << call.wish.to_text();
    EXPECT_TRUE(is_numbered(*reply, taken, 0)) << call.wish.to_text();
  }
  if (call.requests == 0) call.wish.call = 0;  // whose handler does not know it
  end(call, reply.status());
}

Task<void> Simulation::call_chat(Call& call) {
  auto started =
      call.client->stub.bidi_streaming_async<Text, Text>(SimulatedService::chat, options_of(call));
  Text request;
  Text reply;
  std::uint32_t count = 0;
  for (; count < call.requests; ++count) {
    request.set_value(call.wish.to_text());
    const bool is_taken = co_await started.write(request);
    if (!is_taken) break;
    const bool has_reply = co_await started.read(reply);
    if (!has_reply) break;
    EXPECT_TRUE(is_numbered(reply, count, call.wish.size)) << call.wish.to_text();
  }
  started.writes_done();
  const Status status = co_await started.finish();
  EXPECT_TRUE(!status.ok() || count == call.requests) << call.wish.to_text();
  if (call.requests == 0) call.wish.call = 0;
  end(call, status);
}

void Simulation::end(Call& call, const Status& status) {
  call.is_over = true;
  ++seen_.calls;
  const int runs = call.wish.call == 0 ? 1 : service_.runs_of(call.wish.call);
  EXPECT_LE(runs, 1) << "one call was handled twice: " << call.wish.to_text();
  switch (status.code()) {
    case StatusCode::ok:
      ++seen_.ok;
      if (call.began_at > std::max(call.client->failed_at, call.client->refused_at))
        call.client->well_since = ++events_;
      EXPECT_EQ(runs, 1) << call.wish.to_text();
      EXPECT_FALSE(call.wish.fails && call.wish.call != 0) << call.wish.to_text();
      return;
    case StatusCode::aborted:
      EXPECT_TRUE(call.wish.fails) << status.to_string();
      return;
    case StatusCode::cancelled:
      EXPECT_TRUE(call.cancel.stop_requested()) << status.to_string();
      return;
    case StatusCode::deadline_exceeded:
      EXPECT_TRUE(call.deadline && clock_.now() >= *call.deadline) << status.to_string();
      return;
    case StatusCode::permission_denied:
      ++seen_.refused_by_policy;
      EXPECT_GT(call.client->refused_at, call.well_since) << status.to_string();
      return;
    case StatusCode::unavailable:
      // More were begun than the server takes, before its SETTINGS could say how many those are.
      if (status.message().find("did not take the call") != std::string::npos) return;
      // A server that stopped, or gave its place to another client, did not take it.
      if (status.message().find("requests that are streamed are not kept") != std::string::npos) {
        EXPECT_TRUE(call.is_streamed) << status.to_string();
        return;
      }
      // That happened twice: a call is repeated once.
      if (status.reason() == StatusReason::server_stopping &&
          call.client->repeats->count() > call.repeats_before) {
        return;
      }
      EXPECT_GT(call.client->failed_at, call.well_since) << status.to_string();
      return;
    default:
      ADD_FAILURE() << "no call can end so: " << status.to_string();
  }
}

}  // namespace nearcall::test
