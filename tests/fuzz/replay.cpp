// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target without libFuzzer: once on each file of the folder that it is given.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

int replay(const std::filesystem::path& folder) {
  int count = 0;
  for (const auto& seed : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(seed.path(), std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(file), {}};
    std::printf("%s: %zu bytes\n", seed.path().c_str(), content.size());
    std::fflush(stdout);  // what is named last is what it died of
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(content.data()), content.size());
    ++count;
  }
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 2 && replay(argv[1]) > 0) return 0;
    std::fprintf(stderr, "usage: %s FOLDER, one with inputs in it\n", argv[0]);
  } catch (const std::exception& error) {  // an EXPECT that failed, or no such folder
    std::fprintf(stderr, "%s\n", error.what());
  }
  return 1;
}
