// SPDX-License-Identifier: Apache-2.0
// BoundMethod: one method on one channel, with the headers that its calls share.
#pragma once

#include "client/call_retries.hpp"
#include "client/service_config.hpp"
#include "connection/observed.hpp"
#include "grpc/codec_set.hpp"
#include "http2/header_template.hpp"

#include <nearcall/method.hpp>

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

/// One method on one channel.
struct BoundMethod {
  Method method;
  http2::HeaderTemplate head;
  /// What replies may be compressed with.
  const grpc::CodecSet* codecs = &grpc::CodecSet::usual();
  /// Of its calls; null: nobody.
  const Observed* observed = nullptr;
  /// What the channel's service config says of it; null: nothing.
  const MethodConfig* config = nullptr;
  /// Where that limits responses: in bytes, or what the channel's own options say if it is less.
  std::size_t max_response_size = 0;
  /// What it shares with other methods; null: the channel has no service config.
  ChannelRetries* retries = nullptr;
  /// It was named at run time.
  bool is_named = false;
};

/// One that was named at run time: it lives as long as whoever has it.
using NamedMethod = std::shared_ptr<const BoundMethod>;

/// `authority`: what is sent as that. The codecs outlive it.
BoundMethod bind_method(const Method& method,
                        std::string_view authority,
                        const grpc::CodecSet& codecs = grpc::CodecSet::usual(),
                        const Observed* observed = nullptr);

/// The methods that the clients of one channel call. What it gives stays as long as it lives.
///
/// Thread safety: any thread.
class MethodTable {
 public:
  /// `authority`: as for bind_method().
  explicit MethodTable(std::string authority, std::span<const Codec* const> codecs = {})
      : authority_(std::move(authority)), codecs_(codecs) {}

  /// What calls are ruled by, if it is not null. `max_response_size` and the others are what the
  /// channel's own options say. REQUIRES: nothing is bound yet.
  void set_config(std::shared_ptr<const ServiceConfig> config,
                  std::optional<std::size_t> max_response_size,
                  std::size_t max_call_buffer,
                  std::size_t max_buffer);
  /// Whom calls tell what happens to them. REQUIRES: nothing is bound yet.
  void set_observed(std::shared_ptr<const Observed> observed) noexcept {
    observed_ = std::move(observed);
  }
  const Observed* observed() const noexcept { return observed_.get(); }
  /// Clients of one service share its methods, however many there are. REQUIRES: constants that
  /// live for ever.
  std::span<const BoundMethod> bind(std::span<const Method> methods);
  /// A method that is named at run time. Whoever has it may not outlive the table, which keeps the
  /// last few for the next call.
  NamedMethod bind_named(std::string_view path, MethodKind kind);
  /// How many it keeps of those, and how long their names may be: of what peers name, as through a
  /// proxy, there is no end.
  static constexpr std::size_t most_named = 1024;
  static constexpr std::size_t most_name = 256;

 private:
  struct Bound {
    std::span<const Method> methods;
    std::vector<BoundMethod> here;
  };

  struct Named;

  BoundMethod bind_one(const Method& method);

  const std::string authority_;
  std::shared_ptr<const ServiceConfig> config_;
  std::optional<std::size_t> max_response_size_;
  const grpc::CodecSet codecs_;
  std::optional<ChannelRetries> retries_;
  std::shared_ptr<const Observed> observed_;
  std::mutex mutex_;
  std::list<Bound> bound_;
  /// By the name, behind the kind.
  std::unordered_map<std::string_view, std::shared_ptr<const Named>> named_;
};

}  // namespace nearcall::inline v0::detail
