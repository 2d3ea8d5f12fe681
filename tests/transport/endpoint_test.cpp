// SPDX-License-Identifier: Apache-2.0
// Endpoint::parse: every form of target, its canonical spelling, and what is wrong with the others.
#include "transport/endpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using EndpointKind = Endpoint::Kind;
using testing::HasSubstr;

struct Good {
  std::string_view target;
  EndpointKind kind;
  std::string_view name;
  std::uint32_t port;
  std::string_view canonical;
};

TEST(Endpoint, EveryFormOfTargetIsUnderstood) {
  const std::vector<Good> forms{
      {"unix:x.sock", EndpointKind::unix_path, "x.sock", 0, "unix:x.sock"},
      {"unix:../run/x", EndpointKind::unix_path, "../run/x", 0, "unix:../run/x"},
      {"unix:/run/x.sock", EndpointKind::unix_path, "/run/x.sock", 0, "unix:/run/x.sock"},
      {"unix:///run/x.sock", EndpointKind::unix_path, "/run/x.sock", 0, "unix:/run/x.sock"},
      {"unix:/a b%20?#", EndpointKind::unix_path, "/a b%20?#", 0, "unix:/a b%20?#"},
      {"unix-abstract:x:y/z", EndpointKind::unix_abstract, "x:y/z", 0, "unix-abstract:x:y/z"},
      {"unix-abstract:a%20b%3f", EndpointKind::unix_abstract, "a b?", 0, "unix-abstract:a%20b%3F"},
      {"unix-abstract:a b", EndpointKind::unix_abstract, "a b", 0, "unix-abstract:a%20b"},
      {"unix-abstract:%2525", EndpointKind::unix_abstract, "%25", 0, "unix-abstract:%2525"},
      {"unix-abstract:100%", EndpointKind::unix_abstract, "100%", 0, "unix-abstract:100%25"},
      {"npipe:/run/x", EndpointKind::unix_path, "/run/x", 0, "unix:/run/x"},
      {"ipv4:127.0.0.1:50051", EndpointKind::ipv4, "127.0.0.1", 50051, "ipv4:127.0.0.1:50051"},
      {"ipv4:0.0.0.0:0", EndpointKind::ipv4, "0.0.0.0", 0, "ipv4:0.0.0.0:0"},
      {"ipv6:[::1]:65535", EndpointKind::ipv6, "::1", 65535, "ipv6:[::1]:65535"},
      {"ipv6:[0:0:0:0:0:0:0:1]:1", EndpointKind::ipv6, "::1", 1, "ipv6:[::1]:1"},
      {"fd:3", EndpointKind::descriptor, "3", 0, "fd:3"},
      {"fd:0007", EndpointKind::descriptor, "7", 0, "fd:7"},
      {"vsock:2:1234", EndpointKind::vsock, "2", 1234, "vsock:2:1234"},
      {"vsock:4294967295:4294967295", EndpointKind::vsock, "4294967295", 4294967295,
       "vsock:4294967295:4294967295"},
      {"systemd:", EndpointKind::systemd, "", 0, "systemd:"},
      {"systemd:web.socket", EndpointKind::systemd, "web.socket", 0, "systemd:web.socket"},
      {"fifo:run/f", EndpointKind::fifo, "run/f", 0, "fifo:run/f"},
      {"fifo:///run/f", EndpointKind::fifo, "/run/f", 0, "fifo:/run/f"},
      {"unix-dir:run/d", EndpointKind::unix_directory, "run/d", 0, "unix-dir:run/d"},
      {"unix-dir:///run/d", EndpointKind::unix_directory, "/run/d", 0, "unix-dir:/run/d"},
      {"dns:host:7", EndpointKind::dns, "host", 7, "dns:host:7"},
      {"dns:///host.lan:7", EndpointKind::dns, "host.lan", 7, "dns:host.lan:7"},
      {"dns:[::1]:65535", EndpointKind::dns, "::1", 65535, "dns:[::1]:65535"},
      {"inproc:a b%20/:?", EndpointKind::inproc, "a b%20/:?", 0, "inproc:a b%20/:?"},
      {"inherited:", EndpointKind::inherited, "", 0, "inherited:"},
      {"stdio:", EndpointKind::stdio, "", 0, "stdio:"},
      {"exec:ssh 'a b'", EndpointKind::command, "ssh 'a b'", 0, "exec:ssh 'a b'"},
      {"http://localhost", EndpointKind::authority, "localhost", 0, "http://localhost"},
      {"https://host:8443/", EndpointKind::authority, "host:8443", 0, "http://host:8443"},
  };
  for (const Good& form : forms) {
    SCOPED_TRACE(form.target);

    const auto endpoint = Endpoint::parse(form.target);

    ASSERT_TRUE(endpoint) << endpoint.error().to_string();
    EXPECT_EQ(endpoint->kind(), form.kind);
    EXPECT_EQ(endpoint->name(), form.name);
    EXPECT_EQ(endpoint->port(), form.port);
    EXPECT_EQ(endpoint->to_string(), form.canonical);
    EXPECT_EQ(*Endpoint::parse(endpoint->to_string()), *endpoint);
  }
}

struct Bad {
  std::string target;
  std::string_view why;
};

TEST(Endpoint, WhatIsWrongIsNamed) {
  const std::vector<Bad> forms{
      {"", "unknown scheme"},
      {"/run/x.sock", "unknown scheme"},
      {"localhost:50051", "unknown scheme"},
      {"zookeeper:localhost:1", "unknown scheme"},
      {"UNIX:/x", "unknown scheme"},
      {"unix:", "the path is empty"},
      {"unix://", "must be absolute"},
      {"unix://host/x", "must be absolute"},
      {std::string("unix:/a\0b", 9), "NUL"},
      {"unix-abstract:", "the abstract name is empty"},
      {"unix-abstract:a?b", "'?' is written %3F"},
      {"unix-abstract:a#b", "'#' %23"},
      {"npipe:", "the name of the pipe is empty"},
      {"npipe:a/b", "no absolute path"},
      {"npipe://host/x", "write npipe:x"},
      {"x\"\n\xe2\x80\xae", R"(target "x\"\x0a\xe2\x80\xae": unknown scheme)"},
      {"ipv4:127.0.0.1", "address:port"},
      {"ipv4:localhost:1", "literal"},
      {"ipv4:127.1:1", "literal"},
      {"ipv4:1.2.3.4:1,1.2.3.5:1", "literal"},
      {"ipv4:127.0.0.1:", "port"},
      {"ipv4:127.0.0.1:65536", "port"},
      {"ipv4:127.0.0.1:+1", "port"},
      {"ipv4:127.0.0.1:1 ", "port"},
      {"ipv6:::1:1", "[address]:port"},
      {"ipv6:[::1]", "[address]:port"},
      {"ipv6:[127.0.0.1]:1", "literal"},
      {"ipv6:[]:1", "literal"},
      {"vsock:2", "not cid:port"},
      {"vsock:2:", "not numbers"},
      {"vsock::1", "not numbers"},
      {"vsock:host:1", "not numbers"},
      {"vsock:4294967296:1", "not numbers"},
      {"vsock:1:-1", "not numbers"},
      {"fd:", "not a number of one"},
      {"fd:-1", "not a number of one"},
      {"fd:3x", "not a number of one"},
      {"fd:2147483648", "not a number of one"},
      {"systemd:a:b", "no colon"},
      {"fifo:", "the path is empty"},
      {"unix-dir:", "the path is empty"},
      {"dns:", "not host:port"},
      {"dns:host", "not host:port"},
      {"dns::7", "the host has no name"},
      {"dns:host:0", "the port is not a number from 1"},
      {"dns:host:65536", "the port is not a number from 1"},
      {"dns:a b:7", "the host is neither a name nor an address"},
      {"dns:user@host:7", "the host is neither a name nor an address"},
      {"dns:::1:7", "one of IPv6 is written [address]"},
      {"dns:[host]:7", "the host is neither a name nor an address"},
      {"dns://resolver/host:7", "the host is neither a name nor an address"},
      {"inproc:", "the name is empty"},
      {"inherited:3", "nothing may follow the colon"},
      {"stdio:x", "nothing may follow the colon"},
      {"exec:", "the command is empty"},
      {"exec:a 'b", "a ' has no other one that ends it"},
      {"http://", "authority"},
      {"http://host/path", "authority"},
      {"http://user@host", "authority"},
  };
  for (const Bad& form : forms) {
    SCOPED_TRACE(form.target);

    const auto endpoint = Endpoint::parse(form.target);

    ASSERT_FALSE(endpoint);
    EXPECT_EQ(endpoint.error().code(), StatusCode::invalid_argument);
    EXPECT_THAT(endpoint.error().message(), HasSubstr(std::string(form.why)));
  }
}

TEST(Endpoint, LimitOfNamesIs107BytesAndIsTold) {
  const std::string longest = "/" + std::string(106, 'x');
  // 2 bytes a character: bytes count.
  std::string umlauts = "/";
  for (int i = 0; i < 54; ++i)
    umlauts += "\xc3\xa4";

  EXPECT_TRUE(Endpoint::parse("npipe:" + longest));
  EXPECT_TRUE(Endpoint::parse("unix-abstract:" + longest));
  const auto pipe = Endpoint::parse("npipe:" + longest + "x");
  ASSERT_FALSE(pipe);
  EXPECT_THAT(pipe.error().message(), HasSubstr("the path has 108 bytes, the limit is 107"));
  const auto in_bytes = Endpoint::parse("npipe:" + umlauts);
  ASSERT_FALSE(in_bytes);
  EXPECT_THAT(in_bytes.error().message(), HasSubstr("109 bytes"));
  EXPECT_FALSE(Endpoint::parse("unix-abstract:" + longest + "x"));
}

TEST(Endpoint, LimitOfPathsIsThatOfFiles) {
  const std::string part(255, 'x');

  EXPECT_TRUE(Endpoint::parse("unix:" + part + "/" + part));
  EXPECT_THAT(Endpoint::parse("unix:/" + part + "x").status().message(),
              HasSubstr("a part of the path has 256 bytes, the limit is 255"));
  std::string path;
  while (path.size() < 4096)
    path += "/x";
  EXPECT_THAT(Endpoint::parse("unix:" + path).status().message(),
              HasSubstr("the path has 4096 bytes, the limit is 4095"));
}

TEST(Endpoint, AbstractNamesHaveAnyByteByItsEscape) {
  for (int byte = 0; byte < 256; ++byte) {
    std::array<char, 8> escape{};
    std::snprintf(escape.data(), escape.size(), "%%%02x", static_cast<unsigned>(byte));

    const auto endpoint = Endpoint::parse("unix-abstract:" + std::string(escape.data()));

    ASSERT_TRUE(endpoint) << endpoint.error().to_string();
    EXPECT_EQ(endpoint->name(), std::string(1, static_cast<char>(byte)));
    EXPECT_EQ(*Endpoint::parse(endpoint->to_string()), *endpoint);
  }
}

TEST(Endpoint, LimitOfAbstractNamesCountsWhatEscapesStandFor) {
  std::string target = "unix-abstract:";
  for (int i = 0; i < 107; ++i)
    target += "%00";

  EXPECT_TRUE(Endpoint::parse(target));
  const auto too_long = Endpoint::parse(target + "%00");
  ASSERT_FALSE(too_long);
  EXPECT_THAT(too_long.error().message(), HasSubstr("has 108 bytes, the limit is 107"));
}

TEST(Endpoint, ProxyVariablesAreNotRead) {
  for (const char* variable : {"http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY"}) {
    ::setenv(variable, "http://127.0.0.1:9", 1);
  }

  const auto endpoint = Endpoint::parse("ipv4:127.0.0.1:1");

  ASSERT_TRUE(endpoint);
  EXPECT_EQ(endpoint->to_string(), "ipv4:127.0.0.1:1");
  for (const char* variable : {"http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY"}) {
    ::unsetenv(variable);
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail
