// SPDX-License-Identifier: Apache-2.0
// Picker: which of a channel's backends a call goes to.
#pragma once

#include <nearcall/access.hpp>
#include <nearcall/connectivity_state.hpp>
#include <nearcall/metadata.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// One of a channel's backends, as a Picker sees it. A value; what it refers to lives as long as
/// pick() runs.
class PickableBackend {
 public:
  /// Where it is: "unix:/run/app.d/a.sock".
  std::string_view target() const noexcept { return target_; }
  /// Whether it can be reached, as far as calls have told. An idle one is connected by the call
  /// that it is picked for.
  ConnectivityState state() const noexcept { return state_; }

 private:
  friend detail::Access;
  PickableBackend(std::string_view target, ConnectivityState state) noexcept
      : target_(target), state_(state) {}

  std::string_view target_;
  ConnectivityState state_;
};

/// What a backend is picked for. Lives as long as pick() runs.
class PickRequest {
 public:
  /// The method's `:path`: "/greet.Greeter/SayHello"; empty where a connection is wanted without a
  /// call (Channel::connect()).
  std::string_view method() const noexcept { return method_; }
  /// What the call sends; empty without a call.
  const Metadata& metadata() const noexcept { return *metadata_; }

 private:
  friend detail::Access;
  PickRequest(std::string_view method, const Metadata& metadata) noexcept
      : method_(method), metadata_(&metadata) {}

  std::string_view method_;
  const Metadata* metadata_;
};

/// Chooses, on a channel with several backends, the one that an attempt of a call goes to: each
/// retry is picked for once more. An attempt that cannot be connected goes on to the backends that
/// are left, without those that failed since; it has failed when none is.
///
/// Thread safety: pick() is called from any thread, and from several at once; it may not block.
class Picker {
 public:
  virtual ~Picker() = default;
  /// The place in `candidates` of the one to take; a place that is none counts as the first. There
  /// is one at least. They are those worth trying: where one is ready, those that are, and those
  /// that nobody has tried yet or whose pause after a failure is over; else those that may be
  /// tried; and where all have failed just now, all.
  virtual std::size_t pick(const PickRequest& request,
                           std::span<const PickableBackend> candidates) noexcept = 0;

  /// Whether backends are left out whose health service says that they do not serve, where the
  /// service config has a healthCheckConfig (gRFC A17). As there, all but pick_first() do.
  [[nodiscard]] virtual bool heeds_health() const noexcept { return true; }

  /// The one that is ready, for all calls; else the first one in the channel's order that can be
  /// connected. The default, as in gRPC.
  static std::shared_ptr<Picker> pick_first();
  /// One after the other.
  static std::shared_ptr<Picker> round_robin();
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
