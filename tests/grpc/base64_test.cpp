// SPDX-License-Identifier: Apache-2.0
// Base64 of -bin headers: RFC 4648 vectors, padding of both kinds, and garbage.
#include "grpc/base64.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nearcall::inline v0::detail::grpc {
namespace {

std::string encoded(std::string_view bytes) {
  std::string out(base64_encoded_size(bytes.size()), '?');
  EXPECT_EQ(base64_encode(as_bytes(bytes), out.data()), out.data() + out.size());
  return out;
}

struct Vector {
  const char* bytes;
  const char* unpadded;
  const char* padded;
};

/// RFC 4648 section 10, and the two characters that the URL alphabet has differently.
constexpr Vector vectors[] = {
    {"", "", ""},
    {"f", "Zg", "Zg=="},
    {"fo", "Zm8", "Zm8="},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg", "Zm9vYg=="},
    {"fooba", "Zm9vYmE", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xbf", "+/+/", "+/+/"},
};

TEST(Base64, IsSentWithoutPadding) {
  for (const Vector& vector : vectors) {
    EXPECT_EQ(encoded(vector.bytes), vector.unpadded);
  }
}

TEST(Base64, IsTakenWithAndWithoutPadding) {
  for (const Vector& vector : vectors) {
    EXPECT_EQ(base64_decode(vector.unpadded), vector.bytes);
    EXPECT_EQ(base64_decode(vector.padded), vector.bytes);
  }
}

TEST(Base64, IgnoresTheSpareBitsOfTheLastCharacter) {
  EXPECT_EQ(base64_decode("Zh"), "f");
  EXPECT_EQ(base64_decode("Zm9="), "fo");
}

TEST(Base64, RefusesGarbage) {
  for (const char* text : {"Z",        "Zm9vY", "Zg=",  "Zg===", "Zm8==",    "Zm9v=",    "Zm9v==",
                           "Zm9v====", "=",     "==",   "===",   "====",     "Z===",     "Zg==Zg==",
                           "Zg==Zm9v", "Z=g=",  "=Zg=", "-_-_",  "Zm 9",     "Zm9v\n",   " Zg",
                           "Zg ",      "Zm9*",  "Z*",   "Zm*",   "\xff\xff", "Zm9v,Zm9v"}) {
    EXPECT_EQ(base64_decode(text), std::nullopt) << '"' << text << '"';
  }
  EXPECT_EQ(base64_decode(std::string_view("Zg\0\0", 4)), std::nullopt);
}

TEST(Base64, RefusesEachForeignCharacterAtEachPlace) {
  for (int c = 0; c < 256; ++c) {
    const char foreign = static_cast<char>(c);
    const bool is_known = (foreign >= 'A' && foreign <= 'Z') ||
                          (foreign >= 'a' && foreign <= 'z') ||
                          (foreign >= '0' && foreign <= '9') || foreign == '+' || foreign == '/';
    for (std::size_t size : {6U, 7U, 8U}) {
      for (std::size_t at = 0; at < size; ++at) {
        std::string text = std::string("Zm9vYmFy").substr(0, size);
        text[at] = foreign;
        const bool is_padding = foreign == '=' && at == 7;
        EXPECT_EQ(base64_decode(text).has_value(), is_known || is_padding) << c << " at " << at;
      }
    }
  }
}

TEST(Base64, BytesOfEveryLengthComeBack) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(base64_decode(encoded(bytes)), bytes);
    bytes += static_cast<char>(i * 37);
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
