// SPDX-License-Identifier: Apache-2.0
// The pickers that every implementation of gRPC has.
#include <nearcall/picker.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>

namespace nearcall::inline v0 {
namespace {

class PickFirst final : public Picker {
 public:
  std::size_t pick(const PickRequest& /*request*/,
                   std::span<const PickableBackend> candidates) noexcept override {
    const auto ready = std::ranges::find(candidates, ConnectivityState::ready,
                                         [](const PickableBackend& one) { return one.state(); });
    return ready == candidates.end() ? 0 : static_cast<std::size_t>(ready - candidates.begin());
  }
  bool heeds_health() const noexcept override { return false; }
};

/// Not all clients begin with the same one.
class RoundRobin final : public Picker {
 public:
  std::size_t pick(const PickRequest& /*request*/,
                   std::span<const PickableBackend> candidates) noexcept override {
    return next_.fetch_add(1, std::memory_order_relaxed) % candidates.size();
  }

 private:
  static std::size_t some_number() noexcept {
    constexpr std::size_t many = 1'000'003;
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    return static_cast<std::size_t>(now) % many;
  }

  std::atomic<std::size_t> next_{some_number()};
};

}  // namespace

std::shared_ptr<Picker> Picker::pick_first() {
  return std::make_shared<PickFirst>();
}

std::shared_ptr<Picker> Picker::round_robin() {
  return std::make_shared<RoundRobin>();
}

}  // namespace nearcall::inline v0
