// SPDX-License-Identifier: Apache-2.0
// A service of all four kinds that does what each request says, and knows who called it how often.
#pragma once

#include <nearcall/server.hpp>
#include <nearcall/service.hpp>
#include <nearcall/task.hpp>

#include <google/protobuf/wrappers.pb.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace nearcall::test {

using Text = google::protobuf::StringValue;

/// What a request asks for, as text on the wire.
struct Wish {
  std::uint32_t call = 0;      // which call of the simulation it is
  std::uint32_t size = 0;      // bytes of each reply
  std::uint32_t replies = 1;   // of Expand
  std::uint32_t delay_ms = 0;  // before each reply
  bool fails = false;          // answer with ABORTED

  std::string to_text() const;
  static Wish of(const std::string& text);
};

/// The `number`th message of a call: the number, and filling that can be checked.
Text numbered(std::uint32_t number, std::uint32_t size);
/// Whether `text` is that.
bool is_numbered(const Text& text, std::uint32_t number, std::uint32_t size);

class SimulatedService final : public Service {
 public:
  enum MethodIndex : std::size_t { unary, expand, collect, chat };
  static constexpr std::array<Method, 4> methods = {{
      {"/test.Simulated/Unary", MethodKind::unary},
      {"/test.Simulated/Expand", MethodKind::server_streaming},
      {"/test.Simulated/Collect", MethodKind::client_streaming},
      {"/test.Simulated/Chat", MethodKind::bidi_streaming},
  }};

  SimulatedService();

  /// How often a handler was run for the call of that number.
  int runs_of(std::uint32_t call) const;
  /// Handlers that have begun and not returned.
  int running() const noexcept { return running_; }

 private:
  /// Counts a handler as long as it lives.
  class Presence {
   public:
    explicit Presence(SimulatedService& service) noexcept : service_(&service) {
      ++service_->running_;
    }
    Presence(const Presence&) = delete;
    Presence& operator=(const Presence&) = delete;
    ~Presence() { --service_->running_; }

   private:
    SimulatedService* service_;
  };

  Task<Result<Text>> Unary(ServerContext& call, Text request);
  Task<Status> Expand(ServerContext& call, Text request, ServerWriter<Text>& replies);
  Task<Result<Text>> Collect(ServerContext& call, ServerReader<Text>& requests);
  Task<Status> Chat(ServerContext& call, ServerReader<Text>& requests, ServerWriter<Text>& replies);

  std::map<std::uint32_t, int> runs_;
  int running_ = 0;
};

}  // namespace nearcall::test
