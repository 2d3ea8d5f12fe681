// SPDX-License-Identifier: Apache-2.0
// Standard input and output as a connection: what they may be, and what takes their place.
#include "transport/standard_streams.hpp"

#include "base/unique_fd.hpp"
#include "support/child_process.hpp"
#include "support/io.hpp"
#include "support/temp_dir.hpp"
#include "transport/listening.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

using Ends = std::pair<UniqueFd, UniqueFd>;

Ends connected_sockets() {
  std::array<int, 2> fds{-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

/// To read from, and to write to.
Ends plain_pipe() {
  std::array<int, 2> fds{-1, -1};
  EXPECT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

/// A process with these as standard input, output and error; -1: closed.
test::ChildProcess process_with(int input,
                                int output,
                                int error,
                                const std::function<int()>& body) {
  return test::ChildProcess([&] {
    int place = 0;
    for (const int fd : {input, output, error}) {
      fd < 0 ? ::close(place) : ::dup2(fd, place);
      ++place;
    }
    return body();
  });
}

/// Whether that is refused with this message.
bool is_refused(int input, int output, const std::string& message) {
  test::ChildProcess process = process_with(input, output, STDERR_FILENO, [&] {
    const auto streams = StandardStreams::inspect();
    return !streams && streams.error().message() == message ? 0 : 1;
  });
  return process.wait() == 0;
}

/// Takes them, prints in all places, and answers one byte with the next one.
int print_and_answer() {
  const auto streams = StandardStreams::inspect();
  if (!streams) return 1;
  const auto transport = streams->take();
  if (!transport) return 2;
  if (::write(STDOUT_FILENO, "out", 3) != 3 || ::write(STDERR_FILENO, "err", 3) != 3) return 3;
  char byte = 0;
  if (::read(STDIN_FILENO, &byte, 1) != 0) return 4;
  const std::string request = test::read_exactly(**transport, 1);
  if (request.empty()) return 5;
  const std::string answer(1, static_cast<char>(request[0] + 1));
  return test::write_all(**transport, answer) ? 0 : 6;
}

std::string read_text(int fd) {
  std::array<char, 100> buffer{};
  const ssize_t count = ::read(fd, buffer.data(), buffer.size());
  return {buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0};
}

TEST(StandardStreams, OfOneSocketAreAConnectionAndPrintsGoToStandardError) {
  const auto [ours, theirs] = connected_sockets();
  const auto [printed, print] = plain_pipe();
  test::ChildProcess process =
      process_with(theirs.get(), theirs.get(), print.get(), &print_and_answer);

  ASSERT_EQ(::write(ours.get(), "a", 1), 1);

  EXPECT_EQ(read_text(ours.get()), "b");
  EXPECT_EQ(process.wait(), 0);
  EXPECT_EQ(read_text(printed.get()), "outerr");
}

TEST(StandardStreams, OfTwoPipesAreAConnection) {
  const auto [their_input, our_output] = plain_pipe();
  const auto [our_input, their_output] = plain_pipe();
  const auto [printed, print] = plain_pipe();
  test::ChildProcess process =
      process_with(their_input.get(), their_output.get(), print.get(), &print_and_answer);

  ASSERT_EQ(::write(our_output.get(), "a", 1), 1);

  EXPECT_EQ(read_text(our_input.get()), "b");
  EXPECT_EQ(process.wait(), 0);
  EXPECT_EQ(read_text(printed.get()), "outerr");
}

TEST(StandardStreams, KeepWhatIsPrintedOutOfTheStreamWhereStandardErrorIsTheSame) {
  const auto [ours, theirs] = connected_sockets();
  test::ChildProcess process =
      process_with(theirs.get(), theirs.get(), theirs.get(), &print_and_answer);

  ASSERT_EQ(::write(ours.get(), "a", 1), 1);

  EXPECT_EQ(read_text(ours.get()), "b");
  EXPECT_EQ(process.wait(), 0);
}

TEST(StandardStreams, KnowWhoIsThereWhereTheyAreUnixSockets) {
  const auto [ours, theirs] = connected_sockets();
  const auto [more_ours, more_theirs] = connected_sockets();
  const auto [read_end, write_end] = plain_pipe();
  const auto body = [](bool is_known) {
    return [is_known] {
      const auto streams = StandardStreams::inspect();
      const auto transport = streams->take();
      const bool is_user =
          (*transport)->peer().has_credentials() && (*transport)->peer().uid() == ::geteuid();
      return streams->is_unix() == is_known && is_user == is_known ? 0 : 1;
    };
  };

  EXPECT_EQ(process_with(theirs.get(), theirs.get(), 2, body(true)).wait(), 0);
  EXPECT_EQ(process_with(theirs.get(), more_theirs.get(), 2, body(true)).wait(), 0);
  EXPECT_EQ(process_with(read_end.get(), write_end.get(), 2, body(false)).wait(), 0);
  EXPECT_EQ(process_with(theirs.get(), write_end.get(), 2, body(false)).wait(), 0);
}

TEST(StandardStreams, OfAnythingElseAreRefusedAndLeftAlone) {
  const test::TempDir directory;
  const auto [ours, theirs] = connected_sockets();
  const auto [read_end, write_end] = plain_pipe();
  const UniqueFd file(::open(directory.file("f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const UniqueFd terminal(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  const UniqueFd listening = test::listening_at(directory.file("s"));
  const std::string input =
      "stdio:: standard input has to be a pipe or a connected stream socket, ";
  const std::string output =
      "stdio:: standard output has to be a pipe or a connected stream socket, ";

  EXPECT_TRUE(is_refused(file.get(), theirs.get(), input + "and is a plain file"));
  EXPECT_TRUE(is_refused(theirs.get(), file.get(), output + "and is a plain file"));
  for (const int device : {null.get(), terminal.get()}) {
    EXPECT_TRUE(is_refused(device, theirs.get(),
                           input + "and is a device, such as /dev/null or a terminal"));
  }
  EXPECT_TRUE(is_refused(-1, theirs.get(), input + "and is closed"));
  EXPECT_TRUE(is_refused(listening.get(), theirs.get(), input + "and is a socket that listens"));
  EXPECT_TRUE(is_refused(write_end.get(), theirs.get(), input + "and is the wrong end of a pipe"));
  EXPECT_TRUE(is_refused(theirs.get(), read_end.get(), output + "and is the wrong end of a pipe"));
  EXPECT_TRUE(is_refused(test::unix_socket().get(), theirs.get(),
                         input + "and is a socket that is not connected, or that is none of a "
                                 "stream"));
}

}  // namespace
}  // namespace nearcall::inline v0::detail
