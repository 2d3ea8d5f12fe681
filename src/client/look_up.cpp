// SPDX-License-Identifier: Apache-2.0
// The resolver's thread, and what getaddrinfo(3) says.
#include "client/look_up.hpp"

#include "transport/system_error.hpp"

#include <netdb.h>
#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <exception>
#include <system_error>
#include <thread>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// What an answer may have; the rest is left out.
constexpr std::size_t most_addresses = 100;

/// How many are under way.
constinit std::atomic<std::size_t> look_ups{0};

struct InfoDeleter {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

/// No signal of the program is handled on the resolver's thread.
class WithoutSignals {
 public:
  WithoutSignals() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  WithoutSignals(const WithoutSignals&) = delete;
  WithoutSignals& operator=(const WithoutSignals&) = delete;
  ~WithoutSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

Status failed(const std::string& host, unsigned port, const std::string& why) {
  return Status(StatusCode::unavailable, "dns:" + host + ":" + std::to_string(port) + ": " + why)
      .with_reason(StatusReason::no_server);
}

/// A link-local address of IPv6 counts for one interface, which a target does not say.
std::string target_of(const addrinfo& info, unsigned port) {
  std::array<char, NI_MAXHOST> address{};
  if (::getnameinfo(info.ai_addr, info.ai_addrlen, address.data(), address.size(), nullptr, 0,
                    NI_NUMERICHOST) != 0) {
    return {};
  }
  const std::string text = address.data();
  if (text.find('%') != std::string::npos) return {};
  if (info.ai_family == AF_INET) return "ipv4:" + text + ":" + std::to_string(port);
  if (info.ai_family == AF_INET6) return "ipv6:[" + text + "]:" + std::to_string(port);
  return {};
}

Result<std::vector<std::string>> ask(const HostResolver& resolver,
                                     const std::string& host,
                                     unsigned port) {
  try {
    return resolver.resolve(host, port);
  } catch (const std::exception& error) {
    return failed(host, port, error.what());
  }
}

}  // namespace

Result<std::vector<std::string>> resolve_host(const std::string& host, unsigned port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error == EAI_SYSTEM) return failed(host, port, system_error(errno).message());
  if (error != 0) return failed(host, port, ::gai_strerror(error));
  const std::unique_ptr<addrinfo, InfoDeleter> owned(found);
  std::vector<std::string> targets;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    if (targets.size() == most_addresses) break;
    if (std::string target = target_of(*info, port); !target.empty()) {
      targets.push_back(std::move(target));
    }
  }
  if (targets.empty()) return failed(host, port, "the name has no address of IPv4 or IPv6");
  return targets;
}

Result<std::shared_ptr<LookUp>> LookUp::begin(HostResolver resolver,
                                              std::string host,
                                              unsigned port,
                                              UniqueFunction<void()> on_done) {
  if (look_ups.fetch_add(1) >= most_at_a_time) {
    --look_ups;
    return failed(host, port,
                  "the resolver has not answered " + std::to_string(most_at_a_time) +
                      " questions of this process yet");
  }
  auto made = std::make_shared<LookUp>();
  try {
    const WithoutSignals quiet;
    std::thread([made, resolver = std::move(resolver), host, port,
                 on_done = std::move(on_done)]() mutable {
      Result<std::vector<std::string>> answer = ask(resolver, host, port);
      {
        const std::lock_guard lock(made->mutex_);
        made->answer_.emplace(std::move(answer));
      }
      --look_ups;
      on_done();
    }).detach();
  } catch (const std::system_error& error) {
    --look_ups;
    return failed(host, port, std::string("no thread for the look-up: ") + error.what());
  }
  return made;
}

std::optional<Result<std::vector<std::string>>> LookUp::take_answer() {
  const std::lock_guard lock(mutex_);
  return std::exchange(answer_, std::nullopt);
}

}  // namespace nearcall::inline v0::detail
