#include "cli/terminal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "cli/progress.h"

namespace moescope {
namespace {

TEST(Terminal, OperationsHaveThePrefixesOfRates) {
  EXPECT_EQ(format_flops(115.9e12), "115.9 TFLOP");
  EXPECT_EQ(format_flops(0), "0 FLOP");
}

TEST(Numbers, AreShortAndNeverRoundUpToAThousand) {
  EXPECT_EQ(format_count(142774381696.0), "142.8 B");  // parameters of dots.llm1
  EXPECT_EQ(format_count(819200), "819.2 K");
  EXPECT_EQ(format_count(42), "42");
  EXPECT_EQ(format_count(999999999), "1.0 B");
  EXPECT_EQ(format_bytes(285.5e9), "285.5 GB");
  EXPECT_EQ(format_bytes(17), "17 B");
  EXPECT_EQ(format_memory(4.3 * 1073741824), "4.3 GiB");
  EXPECT_EQ(format_memory(1048575.9), "1.0 MiB");
}

TEST(Numbers, DurationsUseTwoUnits) {
  EXPECT_EQ(format_duration(0.44), "0.4 s");
  EXPECT_EQ(format_duration(12.4), "12 s");
  EXPECT_EQ(format_duration(200), "3 min 20 s");
  EXPECT_EQ(format_duration(7500), "2 h 5 min");
}

TEST(Numbers, NaNIsADash) {
  EXPECT_EQ(format_value(std::nan("")), "-");
}

TEST(Tables, AlignTextLeftAndNumbersRight) {
  Table table({{"role"}, {"bytes", Table::Align::right}});
  table.add({"router", "8"});
  table.add({"k·v", "1024"});
  EXPECT_EQ(table.text(), "  role    bytes\n  router      8\n  k·v      1024\n");
}

TEST(Wrapping, BreaksAtBlanksAndIndents) {
  EXPECT_EQ(wrapped("one two three", 2, 9), "one two\n  three");
  EXPECT_EQ(wrapped("a\nb", 2, 80), "a\n  b");
  EXPECT_EQ(wrapped("unbreakable", 0, 4), "unbreakable");
}

TEST(Progress, LineFitsTheTerminal) {
  for (unsigned width : {0u, 1u, 10u, 20u, 40u, 80u, 200u}) {
    const std::string line = progress_line("tiny-dots1-01T forward", 0.42, "1.2 GB/s", 30, width);
    EXPECT_LE(display_width(line), width) << width;
  }
}

TEST(Progress, ALogHasTimeShareAndTimeLeft) {
  EXPECT_EQ(log_line("01T: forward pass", 0.25, "1.2 GB/s", 180),
            "progress: 3 min 0 s, 25% done, 9 min 0 s left (01T: forward pass, 1.2 GB/s)");
  EXPECT_EQ(log_line("metrics", 0, "", 60), "progress: 1 min 0 s, 0% done (metrics)");
}

// Standard error of a test is no terminal.
TEST(Progress, LinesComeInALogThoughNothingIsReported) {
  testing::internal::CaptureStderr();
  {
    ProgressBar bar(false, std::chrono::milliseconds(30));
    bar.update("01T: forward pass", 0.5);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_GE(std::count(log.begin(), log.end(), '\n'), 2) << log;
  EXPECT_NE(log.find("50% done"), std::string::npos) << log;
}

TEST(Progress, NothingIsWrittenWhenQuietOrBeforeTheFirstMinute) {
  testing::internal::CaptureStderr();
  ProgressBar(true, std::chrono::milliseconds(0)).update("forward", 0.5);
  ProgressBar(false).update("forward", 0.5);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Progress, LineShowsShareRateAndTimeLeft) {
  const std::string line = progress_line("forward", 0.25, "1.2 GB/s", 30, 100);
  EXPECT_NE(line.find("25%"), std::string::npos);
  EXPECT_NE(line.find("1.2 GB/s"), std::string::npos);
  EXPECT_NE(line.find("1 min 30 s left"), std::string::npos);
}

}  // namespace
}  // namespace moescope
