#pragma once
/// Figures of a sample run.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plots/figures/figures.h"
#include "readers/run_file/run_file.h"
#include "tests/plots/sample_run.h"
#include "tests/support/temporary_directory.h"

namespace moescope {

class FiguresTest : public testing::Test {
 protected:
  RunFile sample(const SampleRun& what = {}) const {
    write_sample_run(directory / "run.h5", what);
    return RunFile::open(directory / "run.h5");
  }

  const TemporaryDirectory directory;
};

}  // namespace moescope
