// SPDX-License-Identifier: Apache-2.0
// MessageTest: the messages of one stream at a server, of which the test plays the client.
#pragma once

#include "connection/message_stream.hpp"
#include "connection/test_stream.hpp"
#include "support/messages.hpp"
#include "support/session_pair.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/task.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

/// The server's end of one stream; the test plays the client.
class MessageTest : public testing::Test, public MessageOwner {
 protected:
  static constexpr std::size_t max_size = 1000 * 1000;

  MessageTest() { connect(http2::SessionOptions()); }

  void connect(const http2::SessionOptions& options) {
    sessions_.emplace(http2::SessionOptions(), options);
    messages_.emplace(*this, max_size);
    sessions_->on_server = [this](const http2::Event& event) { take(event); };
    sessions_->on_client = [this](const http2::Event& event) {
      const auto* const data = std::get_if<http2::DataEvent>(&event);
      if (data == nullptr) return;
      answered_ += as_text(data->bytes);
      answer_has_ended_ |= data->end_stream;
      if (client_reads_) sessions_->client.consumed(*data->stream, data->bytes.size());
    };
    request_ = &sessions_->open();
    sessions_->run();
    ASSERT_TRUE(messages_->is_attached());
  }
  void take(const http2::Event& event) {
    if (const auto* const headers = std::get_if<http2::HeadersEvent>(&event)) {
      sessions_->server.send_headers(*headers->stream, test::response_head(), {},
                                     /*end_stream=*/false);
      messages_->attach(sessions_->server, *headers->stream, &Access::core(loop_));
    } else if (const auto* const data = std::get_if<http2::DataEvent>(&event)) {
      messages_->in().arrive(data->bytes, data->end_stream);
      messages_->in().keep_rest();
    } else if (std::holds_alternative<http2::WritableEvent>(event)) {
      messages_->on_writable();
    }
  }
  void send(std::string_view bytes, bool end_stream = false) {
    test::send_text(sessions_->client, *request_, bytes, end_stream);
    sessions_->run();
  }
  /// The next message, if it is there.
  std::optional<std::string> read() {
    test::Text text;
    if (messages_->in().try_read(text) != MessageInbox::Read::message) return std::nullopt;
    return text.value();
  }
  MessageInbox::Read read_outcome() {
    test::Text text;
    return messages_->in().try_read(text);
  }

  /// Whether there is room or not.
  MessageOutbox::Write write(const test::Text& message,
                             bool end_stream,
                             BytesOwner* keeper = nullptr) {
    return messages_->out().write(grpc::OutgoingMessage(message), keeper, end_stream);
  }

  void on_message_sent(const Observer::Message& message) override { observed_.push_back(message); }
  void on_message_received(const Observer::Message& message) override {
    observed_.push_back(message);
  }
  /// Sizes of the messages that it was told of since the last time: "3/3 5/2".
  std::string take_observed() {
    std::string words;
    for (const Observer::Message& message : std::exchange(observed_, {})) {
      if (!words.empty()) words += ' ';
      words += std::to_string(message.size) + "/" + std::to_string(message.compressed_size);
    }
    return words;
  }
  void on_bad_message(Status why) override { bad_message_ = std::move(why); }
  void before_message(const grpc::OutgoingMessage& /*message*/) override {
    if (ended_by_message_ != nullptr) ended_by_message_->out().close();
  }
  void on_held(std::size_t before, std::size_t after) override {
    EXPECT_EQ(before, held_.value_or(0));
    held_ = after;
  }
  void on_output() override { ++outputs_; }

  EventLoop loop_{SpinPolicy::off()};
  EventLoop::Binding binding_{loop_};
  std::optional<test::SessionPair> sessions_;
  std::optional<MessageStream> messages_;
  http2::Stream* request_ = nullptr;
  bool client_reads_ = true;
  std::string answered_;
  bool answer_has_ended_ = false;
  int outputs_ = 0;
  /// How much memory the reader's messages take, as far as that was told.
  std::optional<std::size_t> held_;
  /// What cannot go out before a message ends this one's output.
  MessageStream* ended_by_message_ = nullptr;
  std::vector<Observer::Message> observed_;
  Status bad_message_;
};

}  // namespace nearcall::inline v0::detail
