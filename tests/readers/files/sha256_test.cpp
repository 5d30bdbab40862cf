#include "readers/files/sha256.h"

#include <gtest/gtest.h>

namespace moescope {
namespace {

// FIPS 180-4 example values, published by NIST ("SHA256.pdf") and for the empty message in its test vectors.
TEST(Sha256, AgreesWithThePublishedExamples) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256, DependsOnlyOnTheConcatenation) {
  const std::string text(1000, 'x');
  for (const std::size_t cut : {0u, 1u, 63u, 64u, 65u, 1000u}) {
    Sha256 pieces;
    pieces.update(std::string_view(text).substr(0, cut));
    pieces.update(std::string_view(text).substr(cut));
    EXPECT_EQ(pieces.hex(), sha256_hex(text)) << "cut at " << cut;
  }
}

TEST(Sha256, GoesOnAfterAnIntermediateDigest) {
  Sha256 sha256;
  sha256.update("a");
  EXPECT_EQ(sha256.hex(), sha256_hex("a"));
  sha256.update("bc");
  EXPECT_EQ(sha256.hex(), sha256_hex("abc"));
}

}  // namespace
}  // namespace moescope
