#include "analysis/plan/machine_speed.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

TEST(MachineSpeed, ProductsHaveARateInEveryPrecisionAndType) {
  ThreadPool threads(2);
  for (Precision precision : {Precision::f32, Precision::bf16}) {
    for (DType dtype : {DType::bf16, DType::f16, DType::f32}) {
      const double rate = measure_product_rate(threads, {96, 64, 5, dtype}, precision);
      EXPECT_TRUE(std::isfinite(rate) && rate > 0);
    }
  }
}

TEST(MachineSpeed, TheWeightPassHasARateAlsoForOneCheckpoint) {
  ThreadPool threads(2);
  for (std::size_t checkpoints : {1u, 3u}) {
    const double rate = measure_weight_pass_rate(threads, checkpoints, DType::bf16);
    EXPECT_TRUE(std::isfinite(rate) && rate > 0);
  }
}

TEST(MachineSpeed, FilesOfAnySizeHaveAReadingRate) {
  const TemporaryDirectory directory;
  write_file(directory / "one", "x");
  write_file(directory / "many", std::string(5'000'001, 'y'));
  const SourceFile one(directory / "one"), many(directory / "many");
  const SourceFile* const files[] = {&one, &many};
  for (bool cold : {false, true}) {
    EXPECT_GT(measure_reading_rate(files, cold), 0);
    EXPECT_GT(measure_reading_rate(std::span(files).first(1), cold), 0);
  }
}

TEST(MachineSpeed, NoFilesHaveNoReadingRate) {
  EXPECT_TRUE(std::isnan(measure_reading_rate({}, false)));
}

}  // namespace
}  // namespace moescope
