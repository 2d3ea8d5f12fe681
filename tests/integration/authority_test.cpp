// SPDX-License-Identifier: Apache-2.0
// What clients call a server that listens on a Unix socket: everything is served, and shown as it
// came.
#include "integration/echo_frames.hpp"
#include "integration/server_process.hpp"

#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using Fields = std::vector<http2::HeaderField>;
namespace flag = http2::frame_flag;

class Authority : public ServerProcessTest {
 protected:
  void SetUp() override {
    ServerProcessTest::SetUp();
    ASSERT_TRUE(peer_.greet());
  }
  /// What a handler sees of a request with these fields in addition.
  std::string seen(std::string_view scheme, const Fields& named) {
    Fields fields = {{":method", "POST"}, {":scheme", scheme}, {":path", unary_path}};
    fields.insert(fields.end(), named.begin(), named.end());
    fields.push_back({"te", "trailers"});
    fields.push_back({"content-type", "application/grpc"});
    for (http2::HeaderField& field : fields)
      field.indexing = http2::Indexing::without;
    std::vector<std::byte> block;
    http2::HpackEncoder().encode(fields, block);
    EchoRequest request;
    request.set_show_authority(true);
    peer_.say(frames::headers(next_, detail::as_text(block)) +
              frames::data(next_, framed(request.SerializeAsString()), flag::end_stream));
    const HeardStream answer = peer_.hear(next_);
    next_ += 2;
    EXPECT_EQ(answer.field("grpc-status"), "0") << answer.field("grpc-message");
    EchoReply reply;
    EXPECT_GE(answer.body.size(), 5U);
    if (answer.body.size() < 5) return "no answer";
    EXPECT_TRUE(reply.ParseFromString(answer.body.substr(5)));
    return reply.payload();
  }

  FramePeer peer_{server_.path()};
  http2::StreamId next_ = 1;
};

TEST_F(Authority, OfMostClientsIsLocalhost) {
  EXPECT_EQ(seen("http", {{":authority", "localhost"}}), "localhost");
}

TEST_F(Authority, OfNewGrpcCoreIsThePercentEncodedPath) {
  EXPECT_EQ(seen("http", {{":authority", "%2Ftmp%2Fa.sock"}}), "%2Ftmp%2Fa.sock");
}

TEST_F(Authority, OfGrpcJavaIsTheRawPath) {
  EXPECT_EQ(seen("http", {{":authority", "/tmp/a.sock"}}), "/tmp/a.sock");
}

TEST_F(Authority, OfTonicIsItsName) {
  EXPECT_EQ(seen("http", {{":authority", "tonic"}}), "tonic");
}

TEST_F(Authority, MayBeEmpty) {
  EXPECT_EQ(seen("http", {{":authority", ""}}), "");
}

TEST_F(Authority, MayBeMissing) {
  EXPECT_EQ(seen("http", {}), "");
}

TEST_F(Authority, MayComeAsHost) {
  EXPECT_EQ(seen("http", {{"host", "from.host"}}), "from.host");
}

TEST_F(Authority, CountsMoreThanHost) {
  EXPECT_EQ(seen("http", {{":authority", "localhost"}, {"host", "localhost"}}), "localhost");
}

TEST_F(Authority, GoesWithEitherScheme) {
  EXPECT_EQ(seen("https", {{":authority", "localhost"}}), "localhost");
}

}  // namespace
}  // namespace nearcall::test
