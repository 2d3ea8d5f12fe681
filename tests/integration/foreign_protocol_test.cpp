// SPDX-License-Identifier: Apache-2.0
// Peers that speak something else than HTTP/2: closed, named in the log, and nobody else is
// disturbed.
#include "integration/echo_frames.hpp"
#include "integration/server_process.hpp"
#include "support/rounds.hpp"

#include <random>

namespace nearcall::test {
namespace {

class ForeignProtocol : public ServerProcessTest {
 protected:
  /// What the server answers to these bytes before it closes.
  std::size_t bytes_of_answer_to(std::string_view bytes) {
    FramePeer peer(server_.path());
    peer.say(bytes);
    EXPECT_TRUE(peer.hear_end());
    return peer.bytes_heard();
  }
};

TEST_F(ForeignProtocol, ARequestOfHttp1IsClosedAndTheLogSaysWhatCame) {
  EXPECT_EQ(bytes_of_answer_to("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n"), 0U);

  EXPECT_TRUE(serves());
  EXPECT_TRUE(server_.has_logged("HTTP/1.1 request")) << server_.log();
}

TEST_F(ForeignProtocol, AHelloOfTlsIsClosedAndTheLogSaysWhatCame) {
  const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);

  EXPECT_EQ(bytes_of_answer_to(hello + std::string(500, 'x')), 0U);

  EXPECT_TRUE(serves());
  EXPECT_TRUE(server_.has_logged("TLS")) << server_.log();
}

TEST_F(ForeignProtocol, RandomBytesAreClosedAndTheLogSaysFromWhom) {
  std::minstd_rand random(20261124);
  std::string bytes(4096, '\0');
  for (char& byte : bytes)
    byte = static_cast<char>(random());

  EXPECT_EQ(bytes_of_answer_to(bytes), 0U);

  EXPECT_TRUE(serves());
  EXPECT_TRUE(server_.has_logged("not HTTP/2")) << server_.log();
  EXPECT_TRUE(server_.has_logged("pid=" + std::to_string(::getpid()))) << server_.log();
}

TEST_F(ForeignProtocol, RandomBytesBehindARightPrefaceAreAnsweredWithGoaway) {
  std::minstd_rand random(7);
  for (int round = 0; round < rounds(/*usual=*/100, /*soak=*/5000); ++round) {
    std::string bytes = frames::preface() + frames::settings();
    for (int i = 0; i < 2000; ++i)
      bytes += static_cast<char>(random());
    FramePeer peer(server_.path());
    peer.say(bytes);
    if (peer.has_ended()) continue;
    // What came may be the beginning of a long frame of a type that nobody knows.
    peer.say(std::string(17'000'000, '\xff'));
    EXPECT_TRUE(peer.hear_end()) << round;
  }

  EXPECT_TRUE(serves());
}

TEST_F(ForeignProtocol, ManyOfThemAtOnceAreNotOneLogLineEach) {
  for (int i = 0; i < 200; ++i)
    bytes_of_answer_to("POST /rpc HTTP/1.1\r\n\r\n");

  EXPECT_TRUE(serves());
  const std::string log = server_.log();
  EXPECT_LT(std::count(log.begin(), log.end(), '\n'), 20) << log;
}

TEST_F(ForeignProtocol, APeerThatLeavesInTheMiddleOfThePrefaceIsForgotten) {
  ASSERT_TRUE(serves()) << "after this the server has what it needs itself";
  const std::size_t before = open_descriptors(server_.pid());
  for (const std::size_t cut : {0U, 1U, 10U, 23U, 24U, 30U}) {
    FramePeer peer(server_.path());
    EXPECT_TRUE(peer.say((frames::preface() + frames::settings()).substr(0, cut)));
  }

  bool are_closed = false;
  for (int i = 0; i < 1000 && !are_closed; ++i)  // that of serves() may still be open
    are_closed = serves() && open_descriptors(server_.pid()) <= before + 1;
  EXPECT_TRUE(are_closed);
}

}  // namespace
}  // namespace nearcall::test
