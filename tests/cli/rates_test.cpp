#include "cli/rates.h"

#include <gtest/gtest.h>

namespace moescope {
namespace {

TEST(Rates, AreBytesASecond) {
  EXPECT_EQ(parse_rate("2GB/s", "B"), 2e9);
  EXPECT_EQ(parse_rate("2e9", "B"), 2e9);
  EXPECT_EQ(parse_rate("1.5 GiB/s", "B"), 1.5 * (1 << 30));
  EXPECT_EQ(parse_rate("550mb/s", "B"), 550e6);
  EXPECT_EQ(parse_rate("3g", "B"), 3e9);
  EXPECT_EQ(parse_rate("7 B/s", "B"), 7);
  EXPECT_EQ(parse_rate("7B", "B"), 7);
}

TEST(Rates, OfBitsAreAnEighthOfBytes) {
  for (const char* text : {"2Gb/s", "2Gbit/s", "2 Gbits/s", "2Gbps", "2gbit/s"}) {
    EXPECT_EQ(parse_rate(text, "B"), 2e9 / 8) << text;
  }
  EXPECT_EQ(parse_rate("2gb/s", "B"), 2e9) << "as sizes, which take any case";
}

TEST(Rates, AreOperationsASecond) {
  EXPECT_EQ(parse_rate("400GFLOP/s", "FLOP"), 4e11);
  EXPECT_EQ(parse_rate("0.4TFLOP/s", "FLOP"), 4e11);
  EXPECT_EQ(parse_rate("0.4 TFLOPS", "FLOP"), 4e11);
  EXPECT_EQ(parse_rate("4e11", "FLOP"), 4e11);
  EXPECT_EQ(parse_rate("2PFLOP", "FLOP"), 2e15);
}

TEST(Rates, RejectAnythingElse) {
  for (const char* text : {"", "fast", "GB/s", "2 GB/min", "2GB/s/s", "-2GB/s", "0", "nan", "inf", "1e999",
                           "2Gi/sB", "2GFLOP/s", "2  GB/s", "2XB/s", "2GiiB/s"}) {
    EXPECT_FALSE(parse_rate(text, "B")) << text;
  }
}

}  // namespace
}  // namespace moescope
