// SPDX-License-Identifier: Apache-2.0
// DnsSource: the backends that a host's name stands for.
#pragma once

#include "client/backend_source.hpp"
#include "client/look_up.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {

/// `dns:host:port`: looked up when the first call comes, and again, in the order of gRPC's
/// resolvers, after a backend could not be reached: 30 s after the last time, or later. Where there
/// was no answer, a second later, then 1.6 s, up to two minutes; calls fail at once meanwhile, and
/// say what the resolver said. What was known is not forgotten for that.
class DnsSource final : public BackendSource {
 public:
  /// `on_answer`: look() has something new. From any thread.
  DnsSource(std::string host,
            unsigned port,
            HostResolver resolver,
            std::function<void()> on_answer);

  bool look(TimePoint now) override;
  const std::vector<std::string>& targets() const noexcept override { return targets_; }
  bool is_looking() const noexcept override { return look_up_ != nullptr && targets_.empty(); }
  const Status& failure() const noexcept override { return failure_; }
  TimePoint next_look() const noexcept override { return is_wanted_ ? next_ : no_deadline; }
  void note_failure() override { is_wanted_ = true; }
  void note_change() override {}
  std::string path() const override { return {}; }

 private:
  bool take_answer(TimePoint now);
  void fail(Status why, TimePoint now);

  const std::string host_;
  const unsigned port_;
  const HostResolver resolver_;
  const std::function<void()> on_answer_;
  std::vector<std::string> targets_;
  Status failure_;
  /// Null: none is under way.
  std::shared_ptr<LookUp> look_up_;
  bool is_wanted_ = true;
  /// Not before that.
  TimePoint next_{};
  Duration pause_{};
};

}  // namespace nearcall::inline v0::detail
