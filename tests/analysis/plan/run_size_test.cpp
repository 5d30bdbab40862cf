#include "analysis/plan/run_size.h"

#include <gtest/gtest.h>

#include <set>

#include "analysis/runs/series_analysis.h"
#include "readers/files/source_file.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/source_path.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

const fs::path data_directory = source_path("data");

/// A real run of two checkpoints of the builder's model on 19 tokens in two domains, and what was planned for
/// it.
class RunSize : public testing::Test {
 protected:
  RunSize() {
    for (std::uint64_t seed : {1, 2}) {
      CheckpointOptions checkpoint;
      checkpoint.seed = seed;
      write_checkpoint(directory_ / "series" / (std::to_string(seed) + "T"), checkpoint);
    }
    options_.inputs.series = find_series({directory_ / "series"}).entries;
    for (const char* domain : {"even", "odd"})
      options_.inputs.corpus.push_back({domain, directory_ / (std::string(domain) + ".npy")});
    write_ids("even.npy", 12);
    write_ids("odd.npy", 7);
    options_.output.file = directory_ / "run.h5";
    options_.scope.version = "test";
    options_.resources.threads = 1;
  }

  /// A one-dimensional .npy of `count` ids, int32 (NumPy format version 1.0).
  void write_ids(const std::string& name, std::size_t count) {
    std::string header =
        "{'descr': '<i4', 'fortran_order': False, 'shape': (" + std::to_string(count) + ",), }";
    header.resize(117, ' ');
    std::string bytes("\x93NUMPY\x01\x00\x76\x00", 10);
    bytes += header + "\n";
    for (std::size_t id = 0; id < count; ++id) bytes += std::string{static_cast<char>(id + 1), 0, 0, 0};
    write_file(directory_ / name, bytes);
  }

  RunContents contents(const ModelConfig& config) const {
    return run_contents(options_.scope, config,
                        {.checkpoints = options_.inputs.series.size(),
                         .domains = 2,
                         .tokens = options_.scope.forward ? 19u : 0u,
                         .tensors = ModelWeights(config, DType::bf16).all().size()});
  }

  void expect_planned_as_written() {
    AnalysisListener silent;
    analyze_series(options_, silent);
    const fs::path file = options_.inputs.series.front().path / "config.json";
    const ModelConfig config = parse_model_config(read_whole_file(file), file.string());
    const RunFile run = RunFile::open(options_.output.file);
    std::set<std::string> planned;
    for (const PlannedDataset& dataset : planned_datasets(contents(config))) {
      planned.insert(dataset.path);
      ASSERT_TRUE(run.contains(dataset.path)) << dataset.path;
      EXPECT_EQ(dataset.shape, run.shape(dataset.path)) << dataset.path;
      EXPECT_EQ(dataset.type, run.describe(dataset.path).type) << dataset.path;
    }
    for (const std::string& path : run.datasets()) EXPECT_TRUE(planned.contains(path)) << path;
    EXPECT_GE(run_file_bytes(contents(config)), fs::file_size(options_.output.file));
  }

  TemporaryDirectory directory_;
  AnalysisOptions options_;
};

TEST_F(RunSize, PlansEveryDatasetThatIsWritten) {
  expect_planned_as_written();
}

TEST_F(RunSize, PlansWhatIsSavedOnRequest) {
  options_.scope.save = {true, true, true};
  expect_planned_as_written();
}

TEST_F(RunSize, PlansAWeightPassWithoutSpectra) {
  options_.scope.spectra = SpectraChoice::none;
  expect_planned_as_written();
}

TEST_F(RunSize, PlansAWeightPassWithoutSketches) {
  options_.scope.sketches = false;
  expect_planned_as_written();
}

TEST_F(RunSize, PlansAForwardPassAlone) {
  options_.scope.weights = false;
  expect_planned_as_written();
}

TEST_F(RunSize, PlansAWeightPassAlone) {
  options_.scope.forward = false;
  options_.inputs.corpus.clear();
  expect_planned_as_written();
}

TEST_F(RunSize, PlansOneCheckpointWithoutSteps) {
  options_.inputs.series.resize(1);
  expect_planned_as_written();
}

// 61 MoE layers, 6 experts a token: 6 bytes of indices, 6 * 4 of weights, 5 floats and a byte for each token
// and layer; a loss for each token.
TEST(RunSizeOfDotsLlm1, GrowsWithTheRecordOfEachToken) {
  const std::string file = (data_directory / "dots_llm1" / "config.json").string();
  const ModelConfig config = parse_model_config(read_whole_file(file), file);
  const auto bytes = [&](std::uint64_t tokens) {
    return run_file_bytes(run_contents({}, config, {1, 1, tokens, 24231}));
  };
  const std::uint64_t corpus = 4 + 4 + 4 + 4 + 8;
  EXPECT_EQ(bytes(1000) - bytes(0), 1000 * (61 * (6 + 24 + 20 + 1) + 4 + corpus));
}

}  // namespace
}  // namespace moescope
