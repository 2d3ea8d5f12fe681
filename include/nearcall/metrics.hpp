// SPDX-License-Identifier: Apache-2.0
// Metrics: counts and times calls, and shows that as Prometheus' text. Link nearcall::metrics.
#pragma once

#include <nearcall/call_options.hpp>
#include <nearcall/channel.hpp>
#include <nearcall/observer.hpp>
#include <nearcall/result.hpp>
#include <nearcall/server.hpp>

#include <cstddef>
#include <memory>
#include <string>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

namespace detail {
class MetricBook;
}

/// What gRFC A66 has each gRPC program count, of all channels and servers that name it:
///
///     const auto metrics = std::make_shared<Metrics>();
///     Server server(ServerOptions().observer(metrics));
///     add_metrics(server, metrics);             // for who calls it; or metrics->text()
///
/// At a client: attempts begun, and of each that ended its time and the bytes of its messages; the
/// time of each call. At a server: calls begun, and of each that ended its time and bytes. By
/// method, target and status; a request for what the server does not have counts as "other".
///
/// Thread safety: any thread.
class Metrics final : public Observer {
 public:
  /// `max_series`: so many combinations of method, target and status, from 1, are counted by
  /// themselves, 1,000 by default; the rest as those of a method "other" at a target "other". One
  /// takes 1.3 KiB of memory, and up to 20 KiB of text.
  explicit Metrics(std::size_t max_series = 1000);
  ~Metrics() override;

  /// In Prometheus' text format 0.0.4 ("text/plain; version=0.0.4"): A66's names, with `_` for `.`
  /// and the unit behind.
  std::string text() const;

  void on_call_begun(const Call& call) noexcept override;
  void on_call_refused(const Origin& server, const Status& how) noexcept override;
  void on_attempt_begun(const Call& call, const Attempt& attempt) noexcept override;
  void on_attempt_ended(const Call& call,
                        const Attempt& attempt,
                        const Status& how,
                        AttemptEnd then) noexcept override;
  void on_call_ended(const Call& call, const Status& how) noexcept override;

 private:
  std::unique_ptr<detail::MetricBook> book_;
};

/// Has `server` serve nearcall.metrics.v1.Metrics, whose Get() gives the text to whoever may call
/// the server. REQUIRES: it was not started; once a server.
void add_metrics(Server& server, std::shared_ptr<const Metrics> metrics);

/// Asks a server for its text. UNIMPLEMENTED if it has no such service, RESOURCE_EXHAUSTED where
/// the text is longer than the channel takes.
Result<std::string> get_metrics(const Channel& channel, const CallOptions& options = {});

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
