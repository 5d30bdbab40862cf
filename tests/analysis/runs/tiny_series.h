#pragma once
/// What the tests of runs share: an analysis of a second, and whether two run files are equal.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "analysis/runs/series_analysis.h"
#include "readers/run_file/run_file.h"
#include "tests/support/temporary_directory.h"

namespace moescope {

/// A series of three tiny checkpoints and a corpus of token ids in two domains.
class TinySeriesTest : public testing::Test {
 protected:
  TinySeriesTest();

  /// A one-dimensional .npy of int32 (NumPy format version 1.0).
  void write_ids(const std::string& name, const std::vector<std::int32_t>& ids);
  AnalysisSummary analyze();
  /// Into a file of that name, with another scope or series than `options_` if need be.
  std::filesystem::path analyze(const std::string& file, AnalysisOptions options);

  TemporaryDirectory directory_;
  AnalysisOptions options_;
};

/// As they lie in memory; texts with a NUL behind each.
std::string dataset_bytes(const RunFile& run, const std::string& path);

/// In all but /io, which measures the run itself: the one group that the same inputs do not reproduce.
void expect_same_datasets(const std::filesystem::path& a, const std::filesystem::path& b);

/// Asks to stop when a stage begins whose label contains a given text.
struct Stopper : AnalysisListener {
  std::atomic<bool> stop{false};
  std::string where;
  void stage(const std::string& label) override {
    if (label.find(where) != std::string::npos) stop = true;
  }
};

}  // namespace moescope
