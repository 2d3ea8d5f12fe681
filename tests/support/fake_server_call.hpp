// SPDX-License-Identifier: Apache-2.0
// FakeServerCall: a ServerContext without a server, for handlers that are tested by themselves.
#pragma once

#include <nearcall/metadata.hpp>
#include <nearcall/peer.hpp>
#include <nearcall/server_context.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

namespace nearcall::test {

/// A call that is what the test says, and keeps what the handler says. Mistakes of the handler fail
/// the test.
class FakeServerCall final : private detail::ServerCallView {
 public:
  ServerContext& context() noexcept { return context_; }

  void set_peer(PeerIdentity peer) { peer_ = std::move(peer); }
  void set_method(std::string method) { method_ = std::move(method); }
  void set_deadline(std::chrono::steady_clock::time_point deadline) { deadline_ = deadline; }
  Metadata& client_metadata() noexcept { return metadata_; }
  void cancel() {
    cancelled_.request_stop();
    ending_.request_stop();
  }
  void stop_server() {
    stopping_.request_stop();
    ending_.request_stop();
  }

  const Metadata& headers() const noexcept { return headers_; }
  const Metadata& trailers() const noexcept { return trailers_; }
  bool were_headers_sent() const noexcept { return were_headers_sent_; }

 private:
  const PeerIdentity& peer() const noexcept override { return peer_; }
  std::string_view method() const noexcept override { return method_; }
  std::string_view authority() const noexcept override { return "localhost"; }
  const Metadata& metadata() const noexcept override { return metadata_; }
  std::chrono::steady_clock::time_point deadline() const noexcept override { return deadline_; }
  bool is_cancelled() const noexcept override { return cancelled_.stop_requested(); }
  std::stop_token cancellation() override { return cancelled_.get_token(); }
  std::stop_token server_stopping() const override { return stopping_.get_token(); }
  std::stop_token ending() override { return ending_.get_token(); }
  void add_header(std::string_view key, std::string_view value) override {
    EXPECT_FALSE(were_headers_sent_) << key;
    EXPECT_TRUE(headers_.add(key, value)) << key;
  }
  void add_trailer(std::string_view key, std::string_view value) override {
    EXPECT_TRUE(trailers_.add(key, value)) << key;
  }
  void send_headers() override { were_headers_sent_ = true; }

  PeerIdentity peer_;
  std::string method_ = "/test.Service/Method";
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
  Metadata metadata_;
  Metadata headers_;
  Metadata trailers_;
  bool were_headers_sent_ = false;
  std::stop_source cancelled_;
  std::stop_source stopping_;
  std::stop_source ending_;
  ServerContext context_ =
      detail::Access::make<ServerContext>(static_cast<detail::ServerCallView&>(*this));
};

}  // namespace nearcall::test
