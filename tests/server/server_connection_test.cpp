// SPDX-License-Identifier: Apache-2.0
// ServerConnection: requests that name nothing, peers that speak something else, and the drain.
#include "server/server_connection.hpp"

#include "server/raw_client.hpp"
#include "server/wrapper_service.hpp"

namespace nearcall::test {
namespace {

constexpr const char* unimplemented = "12";

class ServerConnectionTest : public WrapperServerTest {
 protected:
  ServerConnectionTest() { start(); }

  /// What the server answers to bytes that are no HTTP/2, until it closes.
  std::string answer_to_bytes(std::string_view bytes) {
    const std::unique_ptr<Connection> peer = connect_raw(path());
    EXPECT_TRUE(write_all(*peer, bytes));
    return read_exactly(*peer, 1'000'000);
  }
};

TEST_F(ServerConnectionTest, ARequestIsAnswered) {
  RawClient client(path());

  const auto answer =
      client.call(RawClient::request_to("/test.Wrapper/Echo"), framed(text_of("a")));

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at(":status"), "200");
  EXPECT_EQ(answer->fields.at("content-type"), "application/grpc");
  EXPECT_EQ(answer->fields.at("grpc-status"), "0");
  EXPECT_EQ(answer->body, framed(text_of("a")));
}

TEST_F(ServerConnectionTest, AnUnknownServiceIsNamed) {
  RawClient client(path());

  const auto answer = client.call(RawClient::request_to("/test.Nothing/Echo"), framed(Text()));

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at(":status"), "200");
  EXPECT_EQ(answer->fields.at("grpc-status"), unimplemented);
  EXPECT_EQ(answer->fields.at("grpc-message"), "unknown service test.Nothing");
}

TEST_F(ServerConnectionTest, AnUnknownMethodIsNamed) {
  RawClient client(path());

  const auto answer = client.call(RawClient::request_to("/test.Wrapper/Nothing"), framed(Text()));

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at("grpc-status"), unimplemented);
  EXPECT_EQ(answer->fields.at("grpc-message"), "unknown method /test.Wrapper/Nothing");
}

TEST_F(ServerConnectionTest, APathThatIsNoneIsUnimplementedToo) {
  RawClient client(path());
  for (const char* bad_path : {"/", "/Echo", "//", "/test.Wrapper/", "/a/b/c"}) {
    const auto answer = client.call(RawClient::request_to(bad_path), framed(Text()));

    ASSERT_TRUE(answer) << bad_path;
    EXPECT_EQ(answer->fields.at("grpc-status"), unimplemented) << bad_path;
  }
  EXPECT_TRUE(is_serving());
}

TEST_F(ServerConnectionTest, WhatIsNoCallOfGrpcGetsAnHttpStatus) {
  RawClient client(path());
  RawClient::Fields get = RawClient::request_to("/test.Wrapper/Echo");
  get[0].value = "GET";
  RawClient::Fields json = RawClient::request_to("/test.Wrapper/Echo");
  json.back().value = "application/json";

  const auto to_get = client.call(get, "");
  const auto to_json = client.call(json, "{}");

  ASSERT_TRUE(to_get && to_json);
  EXPECT_EQ(to_get->fields.at(":status"), "405");
  EXPECT_EQ(to_json->fields.at(":status"), "415");
}

TEST_F(ServerConnectionTest, TheSameConnectionServesOnAfterARejection) {
  RawClient client(path());
  ASSERT_TRUE(client.call(RawClient::request_to("/no/such"), framed(Text())));

  const auto answer =
      client.call(RawClient::request_to("/test.Wrapper/Echo"), framed(text_of("b")));

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, framed(text_of("b")));
}

TEST_F(ServerConnectionTest, ARequestOfHttp1IsClosedWithoutAByteAndNamedInTheLog) {
  EXPECT_EQ(answer_to_bytes("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), "");

  EXPECT_TRUE(is_serving());
  EXPECT_TRUE(log_capture().take("HTTP/1.1 request"));
}

TEST_F(ServerConnectionTest, AHelloOfTlsIsClosedWithoutAByteAndNamedInTheLog) {
  EXPECT_EQ(answer_to_bytes({"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", 11}), "");

  EXPECT_TRUE(is_serving());
  EXPECT_TRUE(log_capture().take("TLS ClientHello"));
}

TEST_F(ServerConnectionTest, RandomBytesAreClosedAndTheLogSaysFromWhom) {
  EXPECT_EQ(answer_to_bytes("\xde\xad\xbe\xef and whatever follows it"), "");

  EXPECT_TRUE(is_serving());
  EXPECT_TRUE(log_capture().take("pid=" + std::to_string(::getpid()) + ": "));
}

TEST_F(ServerConnectionTest, AFrameThatBreaksTheRulesIsAnsweredWithGoaway) {
  const std::string settings("\0\0\0\4\0\0\0\0\0", 9);
  const std::string data_on_stream_0("\0\0\1\0\0\0\0\0\0x", 10);

  const std::string answer =
      answer_to_bytes(std::string(http2::client_preface) + settings + data_on_stream_0);

  const std::string goaway_header("\7\0\0\0\0\0", 6);  // type, flags, stream
  EXPECT_NE(answer.find(goaway_header), std::string::npos);
  EXPECT_TRUE(is_serving());
  EXPECT_TRUE(log_capture().take("pid="));
}

TEST_F(ServerConnectionTest, APeerThatLeavesInTheMiddleOfAMessageCancelsItsCall) {
  {
    RawClient client(path());
    http2::Stream& call = client.open(RawClient::request_to("/test.Wrapper/Chat"));
    client.send(call, framed(text_of("half")).substr(0, 7), /*end_stream=*/false);
    ASSERT_TRUE(service_.started.wait_for(1));
  }
  EXPECT_TRUE(service_.cancelled.wait_for(1));
  EXPECT_TRUE(is_serving());
}

TEST_F(ServerConnectionTest, AResetCancelsItsCallAndNoOther) {
  RawClient client(path());
  http2::Stream& dropped = client.open(RawClient::request_to("/test.Wrapper/Chat"));
  http2::Stream& kept = client.open(RawClient::request_to("/test.Wrapper/Chat"));
  ASSERT_TRUE(service_.started.wait_for(2));

  client.reset(dropped);
  EXPECT_TRUE(service_.cancelled.wait_for(1));
  client.send(kept, framed(text_of("on")), /*end_stream=*/true);

  const auto answer = client.answer_to(kept);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, framed(text_of("on")));
}

TEST_F(ServerConnectionTest, AnIdleConnectionIsToldAndClosedAtStop) {
  RawClient client(path());
  ASSERT_TRUE(client.call(RawClient::request_to("/test.Wrapper/Echo"), framed(Text())));

  server_->stop();

  EXPECT_EQ(client.read_to_the_end(), http2::ErrorCode::no_error);
  server_->wait();
}

TEST_F(ServerConnectionTest, AConnectionThatNeverSaidAnythingDoesNotHoldUpTheStop) {
  const std::unique_ptr<Connection> silent = connect_raw(path());
  ASSERT_TRUE(is_serving()) << "it was accepted before";

  stop();

  EXPECT_EQ(read_exactly(*silent, 100), "");
}

}  // namespace
}  // namespace nearcall::test
