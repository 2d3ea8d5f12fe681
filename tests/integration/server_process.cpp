// SPDX-License-Identifier: Apache-2.0
// Starting a server in a child process, and looking at it through /proc.
#include "integration/server_process.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

namespace nearcall::test {
namespace {

int leaks() {
#if defined(__SANITIZE_ADDRESS__)
  return __lsan_do_recoverable_leak_check() == 0 ? 0 : 23;
#else
  return 0;
#endif
}

}  // namespace

std::size_t resident_bytes(pid_t process) {
  std::ifstream statm("/proc/" + std::to_string(process) + "/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  EXPECT_TRUE(statm.good()) << process;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::size_t open_descriptors(pid_t process) {
  const std::filesystem::directory_iterator open("/proc/" + std::to_string(process) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(open), end(open)));
}

ServerProcess::ServerProcess(std::string path, const ServerSetup& setup)
    : path_(std::move(path)),
      target_(setup.target.empty() ? "unix:" + path_ : setup.target),
      log_path_(path_ + ".log") {
  child_ = std::make_unique<ChildProcess>([&] { return serve(setup); });
  ready_.leave_raising_to_others();
  started_.leave_raising_to_others();
  cancelled_.leave_raising_to_others();
}

ServerProcess::~ServerProcess() {
  if (child_->pid() > 0) {
    EXPECT_EQ(stop(), 0);
  }
}

int ServerProcess::serve(const ServerSetup& setup) {
  stop_.leave_raising_to_others();
  const detail::UniqueFd log(
      ::open(log_path_.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
  set_log_handler([&log](LogLevel level, std::string_view line) {
    const std::string text = std::string(to_string(level)) + ": " + std::string(line) + "\n";
    static_cast<void>(!::write(log.get(), text.data(), text.size()));
  });
  if (setup.user != 0 && (::setgid(setup.user) != 0 || ::setuid(setup.user) != 0)) return 2;
  if (setup.prepare) setup.prepare();
  {
    EchoService service;
    service.started.tell(started_);
    service.cancelled.tell(cancelled_);
    Server server(setup.options);
    server.add_service(service).listen(target(), setup.listen);
    if (!server.start().ok()) return 1;
    ready_.raise();
    stop_.wait();
    server.stop();
    server.wait();
  }
  return leaks();
}

int ServerProcess::stop() {
  stop_.raise();
  return child_->wait();
}

std::string ServerProcess::log() const {
  std::ifstream file(log_path_);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool ServerProcessTest::serves() {
  Channel channel(server_.target());
  const Echo::Client echo(channel);
  const Result<EchoReply> reply =
      echo.Unary(request_of("honest"), CallOptions().timeout(std::chrono::seconds(20)));
  EXPECT_TRUE(reply.ok()) << reply.status().to_string() << "\n" << server_.log();
  return reply.ok() && reply->payload() == "honest";
}

}  // namespace nearcall::test
