// SPDX-License-Identifier: Apache-2.0
// Robustness: thousands of conversations, each damaged somewhere, against an owner who does
// anything.
#include "http2/session.hpp"
#include "http2/session_exerciser.hpp"
#include "support/frames.hpp"
#include "support/session_pair.hpp"

#include <gtest/gtest.h>

#include <array>
#include <ostream>
#include <random>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail::http2 {

static void PrintTo(Role role, std::ostream* to) {
  *to << (role == Role::server ? "server" : "client");
}

namespace {

using namespace test::frames;
using Random = std::mt19937;

std::size_t pick_any(Random& random, std::size_t low, std::size_t high) {
  return std::uniform_int_distribution<std::size_t>(low, high)(random);
}

/// All that a peer may say in a good conversation, frame by frame, past the handshake.
std::vector<std::string> good_frames(Role session_role) {
  std::vector<std::string> said;
  const std::string& first = session_role == Role::server ? request_block() : response_block();
  const std::string insertion = "\x40\x06x-kept\x05value";
  for (StreamId id = 1; id < 16; id += 2) {
    switch (id % 8) {
      case 1:
        said.push_back(headers(id, first));
        said.push_back(data(id, std::string(100, 'x')));
        said.push_back(data(id, "abc", flag::end_stream));
        break;
      case 3:
        said.push_back(headers(id, first.substr(0, 5), 0));
        said.push_back(continuation(id, first.substr(5)));
        said.push_back(padded_data(id, std::string(50, 'x'), 30));
        said.push_back(headers(id, trailers_block(), flag::end_headers | flag::end_stream));
        break;
      case 5:
        said.push_back(headers(id, "\x20\x3f\xe1\x1f" + first + insertion));
        said.push_back(data(id, "", flag::end_stream));
        break;
      default:
        said.push_back(raw(FrameType::headers, flag::priority | flag::padded | flag::end_headers,
                           id, "\x02" + be32(0) + "\x10" + first + "  "));
        said.push_back(rst_stream(id, ErrorCode::cancel));
    }
    said.push_back(window_update(id % 4 == 1 ? 0 : id, 100));
    said.push_back(settings({{SettingId::initial_window_size, 100 * id},
                             {SettingId::header_table_size, 64 * id},
                             {static_cast<SettingId>(0xf00d), 1}}));
    said.push_back(ping("12345678", id % 4 == 1 ? flag::ack : 0));
    said.push_back(priority(id, 0));
    said.push_back(raw(static_cast<FrameType>(0xee), 0, id, std::string(3 * id, 'x')));
  }
  said.push_back(goaway(15, ErrorCode::no_error, "bye"));
  return said;
}

std::string joined(const std::vector<std::string>& said) {
  std::string bytes;
  for (const std::string& frame : said) {
    bytes += frame;
  }
  return bytes;
}

/// Damages frames as frames: order, number, headers.
void damage_frames(std::vector<std::string>& said, Random& random) {
  std::string& frame = said[pick_any(random, 0, said.size() - 1)];
  switch (pick_any(random, 0, 7)) {
    case 0:
      std::swap(frame, said[pick_any(random, 0, said.size() - 1)]);
      break;
    case 1:
      said.insert(said.begin() + static_cast<std::ptrdiff_t>(pick_any(random, 0, said.size())),
                  std::string(frame));
      break;
    case 2:
      frame.clear();
      break;
    case 3:
      if (frame.size() > 8) frame[3] = static_cast<char>(pick_any(random, 0, 10));
      break;
    case 4:
      if (frame.size() > 8) frame[4] = static_cast<char>(pick_any(random, 0, 255));
      break;
    case 5:
      if (frame.size() > 8) frame[8] = static_cast<char>(pick_any(random, 0, 20));
      break;
    case 6:
      said.insert(said.end(), pick_any(random, 1, 40), std::string(frame));
      break;
    default:
      if (frame.size() > 9)
        frame[pick_any(random, 9, frame.size() - 1)] = static_cast<char>(random());
  }
}

/// Damages bytes as bytes.
void damage_bytes(std::string& bytes, Random& random) {
  const std::size_t at = pick_any(random, 0, bytes.size() - 1);
  const std::size_t size = std::min(pick_any(random, 1, 40), bytes.size() - at);
  switch (pick_any(random, 0, 4)) {
    case 0:
      bytes[at] = static_cast<char>(bytes[at] ^ static_cast<char>(1U << pick_any(random, 0, 7)));
      break;
    case 1:
      bytes[at] = static_cast<char>(random());
      break;
    case 2:
      bytes[at] = pick_any(random, 0, 1) == 0 ? '\0' : '\xff';
      break;
    case 3:
      bytes.erase(at, size);
      break;
    default:
      bytes.insert(pick_any(random, 0, bytes.size()), bytes.substr(at, size));
  }
  if (bytes.empty()) bytes = "x";
}

class Robustness : public testing::TestWithParam<Role> {};

TEST_P(Robustness, AGoodConversationGoesThroughHoweverItIsCut) {
  std::size_t events = 0;
  for (std::uint32_t seed = 0; seed < 100; ++seed) {
    test::SessionExerciser exerciser(GetParam(), seed);
    exerciser.shake_hands();
    EXPECT_FALSE(exerciser.session().is_broken());
    exerciser.feed(joined(good_frames(GetParam())));
    EXPECT_EQ(exerciser.failure(), "") << "seed " << seed;
    events += exerciser.stream_events();
    exerciser.finish();
  }
  EXPECT_GT(events, 500U) << "else the owner lets go too soon";
}

TEST_P(Robustness, AnyDamageIsAnErrorOfThePeersAndNeverOurs) {
  std::size_t broken = 0;
  constexpr std::uint32_t conversations = 2000;
  for (std::uint32_t seed = 0; seed < conversations; ++seed) {
    Random random(seed);
    std::vector<std::string> said = good_frames(GetParam());
    for (std::size_t i = pick_any(random, 0, 6); i > 0; --i) {
      damage_frames(said, random);
    }
    std::string bytes = joined(said);
    for (std::size_t i = pick_any(random, 0, 3); i > 0; --i) {
      damage_bytes(bytes, random);
    }
    test::SessionExerciser exerciser(GetParam(), seed);
    exerciser.shake_hands();
    exerciser.feed(bytes);
    broken += exerciser.session().is_broken() ? 1U : 0U;
    exerciser.finish();
  }
  EXPECT_GT(broken, conversations / 4) << "else the damage is too small";
  EXPECT_LT(broken, conversations) << "else it is too large";
}

TEST_P(Robustness, AnOpeningMayBeDamagedToo) {
  const std::string good = (GetParam() == Role::server ? preface() : std::string()) + settings() +
                           settings_ack() + joined(good_frames(GetParam()));
  for (std::uint32_t seed = 0; seed < 500; ++seed) {
    Random random(seed);
    std::string bytes = good;
    std::string opening = bytes.substr(0, 51);
    damage_bytes(opening, random);
    test::SessionExerciser exerciser(GetParam(), seed);
    exerciser.feed(opening + bytes.substr(51));
    exerciser.finish();
  }
}

INSTANTIATE_TEST_SUITE_P(Roles,
                         Robustness,
                         testing::Values(Role::server, Role::client),
                         [](const auto& role) {
                           return role.param == Role::server ? "Server" : "Client";
                         });

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
