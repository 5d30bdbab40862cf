#include "analysis/runs/series_analysis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <set>
#include <utility>

#include "analysis/runs/run_merge.h"
#include "readers/checkpoint/checkpoint.h"
#include "readers/checkpoint/model_weights.h"
#include "readers/errors.h"
#include "readers/model/weight.h"
#include "readers/recorded/recorded_notes.h"
#include "readers/run_file/run_file.h"
#include "readers/run_file/run_lock.h"
#include "readers/sanitizers.h"
#include "readers/schema/datasets.h"
#include "tests/analysis/runs/tiny_series.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

using SeriesAnalysisTest = TinySeriesTest;

TEST_F(SeriesAnalysisTest, RecordsEveryTokenLayerAndCheckpoint) {
  const AnalysisSummary summary = analyze();
  EXPECT_TRUE(summary.complete);
  EXPECT_EQ(summary.tokens, 19u);
  ASSERT_EQ(summary.loss.size(), 3u);
  const RunFile run = RunFile::open(options_.output.file);
  EXPECT_THAT(run.shape(dataset::routing_topk_index), testing::ElementsAre(3, 2, 19, 2));
  EXPECT_THAT(run.read(dataset::checkpoint), testing::ElementsAre("1T", "2T", "3T"));
  EXPECT_THAT(run.read(dataset::tokens_seen), testing::ElementsAre(1e12, 2e12, 3e12));
  EXPECT_THAT(run.read(dataset::domain), testing::ElementsAre("even", "odd"));
  EXPECT_THAT(run.read(dataset::routing_token_count), testing::ElementsAre(12, 7));
  // Every token takes K = 2 experts in each of the 2 MoE layers.
  std::int64_t total = 0;
  for (std::int64_t count : run.read(dataset::routing_expert_count)) total += count;
  EXPECT_EQ(total, 3 * 2 * 19 * 2);
  // Sequences of 5, 5, 2 and 5, 2 tokens: five of them end.
  const std::vector<float> nll = run.read(dataset::loss_nll);
  EXPECT_EQ(std::ranges::count_if(nll, [](float x) { return std::isnan(x); }), 3 * 5);
}

TEST_F(SeriesAnalysisTest, MeasuresWhatEachPartOfAPassCost) {
  const AnalysisSummary summary = analyze();
  EXPECT_EQ(summary.forward.passes, 3u);
  const RunFile run = RunFile::open(options_.output.file);
  EXPECT_THAT(run.read(dataset::pass_part),
              testing::ElementsAre("embedding", "layer 0", "layer 1", "layer 2", "head"));
  const Checkpoint checkpoint = Checkpoint::open(options_.inputs.series.front().path);
  const ModelWeights weights(checkpoint);
  const std::vector<PartCost> cost =
      forward_cost(checkpoint.config(), weights, std::vector<std::size_t>{0, 5, 10, 12, 17, 19});
  const auto bytes = run.read(dataset::io_read_bytes);
  const auto flops = run.read(dataset::io_flops);
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t part = 0; part < 5; ++part) {
      EXPECT_EQ(flops[c * 5 + part], cost[part].cost.flops) << part;
      // The 19 tokens are all different, so that the bound of the embedding is reached.
      EXPECT_EQ(bytes[c * 5 + part], static_cast<std::int64_t>(cost[part].cost.weight_bytes)) << part;
    }
  }
  EXPECT_EQ(summary.forward.flops, 3 * total_cost(cost).flops);
}

TEST_F(SeriesAnalysisTest, TimesOfThePartsAddUpToThePass) {
  const AnalysisSummary summary = analyze();
  const RunFile run = RunFile::open(options_.output.file);
  const auto read = run.read(dataset::io_read_seconds), wait = run.read(dataset::io_wait_seconds),
             compute = run.read(dataset::io_compute_seconds), wall = run.read(dataset::io_wall_seconds),
             efficiency = run.read(dataset::io_overlap_efficiency);
  for (std::size_t c = 0; c < 3; ++c) {
    double sum_read = 0, sum_wait = 0, sum_compute = 0;
    for (std::size_t i = c * 5; i < c * 5 + 5; ++i) {
      EXPECT_GE(read[i], 0);
      EXPECT_GE(wait[i], 0);
      EXPECT_GT(compute[i], 0);
      sum_read += read[i], sum_wait += wait[i], sum_compute += compute[i];
    }
    EXPECT_LE(sum_wait + sum_compute, wall[c] * (1 + 1e-9));
    EXPECT_NEAR(efficiency[c], std::max(sum_read, sum_compute) / wall[c], 1e-9);
  }
  EXPECT_DOUBLE_EQ(summary.forward.wall_seconds, wall[0] + wall[1] + wall[2]);
}

TEST_F(SeriesAnalysisTest, MeasuresTheWeightPass) {
  const AnalysisSummary summary = analyze();
  const RunFile run = RunFile::open(options_.output.file);
  const auto bytes = run.read(dataset::io_weight_pass_bytes);
  EXPECT_EQ(static_cast<std::uint64_t>(bytes[0] + bytes[1] + bytes[2]), summary.weights.bytes);
  const auto seconds = run.read(dataset::io_weight_pass_seconds);
  EXPECT_GT(seconds[0], 0);
  EXPECT_THAT(seconds, testing::Each(seconds[0]));
}

TEST_F(SeriesAnalysisTest, AContinuedAnalysisKeepsTheMeasurementsOfFinishedPasses) {
  Stopper stopper;
  stopper.where = "2T";
  options_.resources.interrupted = &stopper.stop;
  analyze_series(options_, stopper);
  options_.resources.interrupted = nullptr;
  const Slab first{{0, 0}, {1, 5}};
  std::vector<double> before, wall;
  {
    const RunFile run = RunFile::open(options_.output.file);
    before = run.read(dataset::io_compute_seconds, first);
    wall = run.read(dataset::io_wall_seconds);
    EXPECT_THAT(run.read(dataset::io_overlap_efficiency),
                testing::ElementsAre(testing::Gt(0), testing::IsNan(), testing::IsNan()));
  }
  EXPECT_EQ(analyze().forward.passes, 2u);
  const RunFile run = RunFile::open(options_.output.file);
  EXPECT_EQ(run.read(dataset::io_compute_seconds, first), before);
  EXPECT_EQ(run.read(dataset::io_wall_seconds)[0], wall[0]);
  EXPECT_THAT(run.read(dataset::io_wall_seconds), testing::Each(testing::Gt(0)));
}

TEST_F(SeriesAnalysisTest, RepeatingACompleteAnalysisLeavesItAsItIs) {
  analyze();
  fs::copy_file(options_.output.file, directory_ / "first.h5");
  const AnalysisSummary again = analyze();
  EXPECT_EQ(again.reused, 3u);
  EXPECT_EQ(again.forward.passes, 0u);
  EXPECT_EQ(again.weights.bytes, 0u);
  expect_same_datasets(directory_ / "first.h5", options_.output.file);
}

TEST_F(SeriesAnalysisTest, AnInterruptedAnalysisKeepsWhatIsFinishedAndContinuesToTheSameBytes) {
  analyze();
  const fs::path whole = directory_ / "whole.h5";
  fs::rename(options_.output.file, whole);
  for (const char* where : {"1T", "2T", "weights"}) {
    Stopper stopper;
    stopper.where = where;
    options_.resources.interrupted = &stopper.stop;
    EXPECT_FALSE(analyze_series(options_, stopper).complete);
    options_.resources.interrupted = nullptr;
    {
      const RunFile run = RunFile::open(options_.output.file);
      const std::vector<std::uint8_t> done = run.read(dataset::status_forward);
      EXPECT_EQ(std::ranges::count(done, 1), where[0] == '1' ? 0 : where[0] == '2' ? 1 : 3);
    }
    EXPECT_TRUE(analyze().complete);
    expect_same_datasets(whole, options_.output.file);
    fs::remove(options_.output.file);
  }
}

/// Asks to stop after so many bytes of weights.
struct StopAfter : AnalysisListener {
  std::atomic<bool> stop{false};
  std::uint64_t left;
  explicit StopAfter(std::uint64_t bytes) : left(bytes) {}
  void advance(std::uint64_t bytes) override {
    left -= std::min(left, bytes);
    stop = left == 0;
  }
};

/// Bytes of weights after which to stop: between 4 and 20 kB layers end, from 110 to 140 kB tensors of the
/// weight pass.
std::vector<std::uint64_t> stopping_places() {
  if (MOESCOPE_SANITIZED) return {1000, 4000, 7000, 12'000, 16'000, 50'000, 115'000, 130'000};
  std::vector<std::uint64_t> places;
  for (std::uint64_t bytes = 1000; bytes < 200'000; bytes = bytes * 5 / 4) places.push_back(bytes);
  return places;
}

// Wherever it ends: between two layers, or between two weights.
TEST_F(SeriesAnalysisTest, AnAnalysisGoesOnInsideAPass) {
  options_.resources.seconds_between_saves = 0;
  analyze();
  const fs::path whole = directory_ / "whole.h5", bookmark = options_.output.file.string() + ".resume";
  fs::rename(options_.output.file, whole);
  std::size_t bookmarks = 0;
  for (const std::uint64_t bytes : stopping_places()) {
    StopAfter stopper(bytes);
    options_.resources.interrupted = &stopper.stop;
    const bool complete = analyze_series(options_, stopper).complete;
    options_.resources.interrupted = nullptr;
    if (complete) break;
    bookmarks += fs::exists(bookmark) ? 1 : 0;
    EXPECT_TRUE(analyze().complete);
    EXPECT_FALSE(fs::exists(bookmark));
    expect_same_datasets(whole, options_.output.file);
    fs::remove(options_.output.file);
  }
  EXPECT_GT(bookmarks, 3u);
}

TEST_F(SeriesAnalysisTest, ABookmarkThatIsDamagedOrOfAnotherAnalysisIsNotUsed) {
  options_.resources.seconds_between_saves = 0;
  analyze();
  const fs::path whole = directory_ / "whole.h5", bookmark = options_.output.file.string() + ".resume";
  fs::rename(options_.output.file, whole);
  for (const char* kind : {"cut short", "foreign", "one value altered", "moved on"}) {
    StopAfter stopper(20'000);
    options_.resources.interrupted = &stopper.stop;
    ASSERT_FALSE(analyze_series(options_, stopper).complete);
    options_.resources.interrupted = nullptr;
    ASSERT_TRUE(fs::exists(bookmark));
    if (kind == std::string("foreign")) {
      RunFile::open_for_update(bookmark).set_attribute("/", "identity", std::string("another"));
    } else if (kind == std::string("one value altered")) {
      RunFile::open_for_update(bookmark).write<float>("/forward/residual_stream", {{0, 0}, {1, 1}},
                                                      std::vector<float>{100});
    } else if (kind == std::string("moved on")) {
      RunFile file = RunFile::open_for_update(bookmark);
      const auto layer = std::get<std::int64_t>(file.attribute("/", "next_layer").value());
      file.set_attribute("/", "next_layer", layer + 1);
    } else {
      fs::resize_file(bookmark, fs::file_size(bookmark) / 2);
    }
    EXPECT_TRUE(analyze().complete) << kind;
    expect_same_datasets(whole, options_.output.file);
    fs::remove(options_.output.file);
  }
}

// As by an earlier version, which knew other roles.
TEST_F(SeriesAnalysisTest, ARunFileWithOtherRolesIsRefusedInWordsAndCanBeReplaced) {
  analyze();
  std::vector<std::string> roles = RunFile::open(options_.output.file).read(dataset::role);
  roles.back() = "everything";
  RunFile::open_for_update(options_.output.file).write(dataset::role, roles);
  try {
    analyze();
    FAIL() << "no error";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("not laid out as this version does"));
  }
  options_.output.overwrite = true;
  EXPECT_EQ(analyze().reused, 0u);
}

// The experts that an earlier process recorded are held against those of the others.
TEST_F(SeriesAnalysisTest, ARecordedExpertThatIsNotThereIsAFormatErrorAndNeverAnIndex) {
  Stopper stopper;
  stopper.where = "2T";
  options_.resources.interrupted = &stopper.stop;
  ASSERT_FALSE(analyze_series(options_, stopper).complete);
  options_.resources.interrupted = nullptr;
  RunFile::open_for_update(options_.output.file)
      .write<std::uint8_t>(std::string(dataset::routing_topk_index), {{0, 0, 3, 1}, {1, 1, 1, 1}},
                           std::vector<std::uint8_t>{254});
  try {
    analyze();
    FAIL() << "no error";
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(),
                testing::HasSubstr("run.h5: /routing/topk_index: names an expert that is not there"));
    EXPECT_THAT(error.what(), testing::HasSubstr("found 254"));
  }
}

/// Does something to the series when a stage begins.
struct Meddler : AnalysisListener {
  std::string where;
  std::function<void()> act;
  void stage(const std::string& label) override {
    if (act && label.find(where) != std::string::npos) std::exchange(act, nullptr)();
  }
};

TEST_F(SeriesAnalysisTest, ABookmarkThatCannotBeWrittenDoesNotEndTheAnalysis) {
  analyze();
  const fs::path whole = directory_ / "whole.h5";
  fs::rename(options_.output.file, whole);
  struct : Meddler {
    std::vector<std::string> notes;
    void note(const std::string& message) override { notes.push_back(message); }
  } meddler;
  meddler.where = "1T";
  meddler.act = [&] { fs::create_directories(options_.output.file.string() + ".resume.partial/in the way"); };
  options_.resources.seconds_between_saves = 0;
  EXPECT_TRUE(analyze_series(options_, meddler).complete);
  EXPECT_THAT(meddler.notes, testing::Contains(testing::HasSubstr("where this pass stands cannot be saved")));
  expect_same_datasets(whole, options_.output.file);
}

TEST_F(SeriesAnalysisTest, ACheckpointThatIsWrittenToMeanwhileIsNoticedAndWhatWasFinishedIsKept) {
  const fs::path shard = directory_ / "series" / "2T" / "model.safetensors";
  ASSERT_TRUE(fs::exists(shard));
  const fs::file_time_type before = fs::last_write_time(shard);
  Meddler meddler;
  meddler.where = "2T";
  meddler.act = [&] { fs::last_write_time(shard, before + std::chrono::hours(1)); };
  try {
    analyze_series(options_, meddler);
    FAIL() << "no error";
  } catch (const std::system_error& error) {
    EXPECT_THAT(error.what(),
                testing::HasSubstr("model.safetensors: was written to while it was being analysed"));
  }
  EXPECT_THAT(RunFile::open(options_.output.file).read(dataset::status_forward),
              testing::ElementsAre(1, 0, 0));
  EXPECT_THROW(analyze(), UsageError);  // what it holds may have changed where no sample is taken
  fs::last_write_time(shard, before);
  EXPECT_EQ(analyze().reused, 1u);
}

TEST_F(SeriesAnalysisTest, ACheckpointThatIsDeletedMeanwhileIsReadToItsEnd) {
  analyze();
  const fs::path whole = directory_ / "whole.h5";
  fs::rename(options_.output.file, whole);
  Meddler meddler;
  meddler.where = "1T";
  meddler.act = [&] { fs::remove_all(directory_ / "series"); };
  EXPECT_TRUE(analyze_series(options_, meddler).complete);
  expect_same_datasets(whole, options_.output.file);
}

TEST_F(SeriesAnalysisTest, ASecondWriterIsRefusedMeanwhile) {
  Meddler meddler;
  meddler.where = "3T";
  meddler.act = [&] {
    // A lock is kept from other processes.
    const std::string output = options_.output.file.string();
    EXPECT_EXIT(
        {
          try {
            const RunLock lock(output);
            std::_Exit(0);
          } catch (const std::system_error& error) {
            std::cerr << error.what();
            std::_Exit(7);  // the memory of threads that are not in this process is no leak
          }
        },
        testing::ExitedWithCode(7), "another moescope is writing it");
  };
  EXPECT_TRUE(analyze_series(options_, meddler).complete);
}

TEST_F(SeriesAnalysisTest, SpectraThatWereFinishedAreNotMeasuredAgain) {
  options_.scope.forward = false;
  options_.inputs.corpus.clear();
  const std::size_t all = analyze().spectra;
  EXPECT_GT(all, 30u);
  const fs::path whole = directory_ / "whole.h5";
  fs::rename(options_.output.file, whole);
  /// Asks to stop some time after the spectra have begun.
  struct : AnalysisListener {
    std::atomic<bool> stop{false};
    bool spectra = false;
    int steps = 0;
    void stage(const std::string& label) override { spectra |= label.starts_with("spectra"); }
    void advance(std::uint64_t) override { stop = spectra && ++steps > 20; }
  } stopper;
  options_.resources.interrupted = &stopper.stop;
  const AnalysisSummary first = analyze_series(options_, stopper);
  EXPECT_FALSE(first.complete);
  options_.resources.interrupted = nullptr;
  EXPECT_THAT(RunFile::open(options_.output.file).read(dataset::status_spectra), testing::Each(0));
  const AnalysisSummary second = analyze();
  EXPECT_TRUE(second.complete);
  EXPECT_GT(first.spectra, 0u);
  EXPECT_EQ(first.spectra + second.spectra, all);
  EXPECT_THAT(RunFile::open(options_.output.file).read(dataset::status_spectra), testing::Each(1));
  expect_same_datasets(whole, options_.output.file);
  EXPECT_EQ(analyze().spectra, 0u);
}

TEST_F(SeriesAnalysisTest, SpectraCanBeLeftOut) {
  options_.scope.spectra = SpectraChoice::none;
  EXPECT_EQ(analyze().spectra, 0u);
  {
    const RunFile run = RunFile::open(options_.output.file);
    EXPECT_FALSE(run.contains(dataset::weights_stable_rank));
    EXPECT_FALSE(run.contains(dataset::io_spectra_seconds));
    EXPECT_TRUE(run.contains(dataset::weights_router_row_norm));
  }
  options_.scope.spectra = SpectraChoice::all;
  EXPECT_THROW(analyze(), UsageError);
}

TEST_F(SeriesAnalysisTest, SketchesCanBeLeftOutAndThenItIsAnotherAnalysis) {
  options_.scope.forward = false;
  options_.scope.sketches = false;
  analyze();
  EXPECT_FALSE(RunFile::open(options_.output.file).contains(dataset::weights_sketch));
  EXPECT_FALSE(RunFile::open(options_.output.file).contains("/metrics/role_sketched_drift"));
  options_.scope.sketches = true;
  EXPECT_THROW(analyze(), UsageError);
  options_.output.overwrite = true;
  analyze();
  EXPECT_TRUE(RunFile::open(options_.output.file).contains(dataset::weights_sketch));
  EXPECT_TRUE(RunFile::open(options_.output.file).contains("/metrics/role_sketched_drift"));
}

TEST_F(SeriesAnalysisTest, WhatWasNotChosenIsNaNAndTheChoiceIsStated) {
  analyze();
  const RunFile run = RunFile::open(options_.output.file);
  const std::vector<double> norm = run.read(dataset::weights_spectral_norm);
  EXPECT_TRUE(std::isnan(norm.front()));  // the embedding
  EXPECT_GT(std::ranges::count_if(norm, [](double value) { return value > 0; }), 100);
  const auto selection = run.attribute(dataset::weights_spectral_norm, "selection");
  ASSERT_TRUE(selection);
  EXPECT_THAT(std::get<std::string>(*selection), testing::StartsWith("sample: "));
}

TEST_F(SeriesAnalysisTest, ChanceOfAnOverlapFollowsTheDirectionsThatAreCompared) {
  analyze();
  const RunFile run = RunFile::open(options_.output.file);
  const Checkpoint checkpoint = Checkpoint::open(options_.inputs.series.front().path);
  const ModelWeights weights(checkpoint);
  const std::vector<double> chance = run.read(dataset::weights_subspace_overlap_chance),
                            norm = run.read(dataset::weights_spectral_norm);
  const auto hidden_size = static_cast<double>(checkpoint.config().hidden_size);
  std::set<double> found;
  for (std::size_t w = 0; w < chance.size(); ++w) {
    const Weight& weight = weights.all()[w];
    const auto directions = static_cast<double>(std::min<std::uint64_t>({8, weight.rows, weight.cols}));
    if (std::isnan(norm[w])) {
      EXPECT_TRUE(std::isnan(chance[w])) << weight.name;
    } else {
      EXPECT_EQ(chance[w], directions / hidden_size) << weight.name;
      found.insert(chance[w]);
    }
  }
  EXPECT_EQ(run.attribute(dataset::weights_subspace_overlap, "chance").has_value(), found.size() == 1);
}

/// 2T has NaN in the first number of a tensor (of BF16).
void break_second(const fs::path& series, const std::string& tensor) {
  CheckpointOptions checkpoint;
  checkpoint.seed = 2;
  BuiltCheckpoint built = build_checkpoint(checkpoint);
  built.tensor(tensor).data.replace(0, 2, "\xC0\x7F");
  built.write(series / "2T");
}

/// Remembers what it is told.
struct NoteTaker : AnalysisListener {
  std::vector<std::string> notes;
  void note(const std::string& message) override { notes.push_back(message); }
};

const char* const broken_router = "model.layers.2.mlp.gate.weight";
const char* const router_warning =
    "warning: 2T: 1 of 128 values of model.layers.2.mlp.gate.weight is not finite";
const char* const pass_warning =
    "warning: 2T: in layer 2 router scores are not finite for 19 of 19 tokens: they choose no expert there "
    "and are left out of its routing; 14 of 14 losses are not finite, so that the loss is NaN";

TEST_F(SeriesAnalysisTest, TokensWithoutFiniteRouterScoresAreCountedApartAndNothingElseCountsThem) {
  break_second(directory_ / "series", broken_router);
  const AnalysisSummary summary = analyze();
  const RunFile run = RunFile::open(options_.output.file);
  // (C, D, L): of 12 and 7 tokens, in the second of the MoE layers 1 and 2.
  EXPECT_THAT(run.read(dataset::routing_nonfinite_count),
              testing::ElementsAre(0, 0, 0, 0, /**/ 0, 12, 0, 7, /**/ 0, 0, 0, 0));
  EXPECT_THAT(run.read(dataset::loss_nonfinite_count), testing::ElementsAre(0, 0, 9, 5, 0, 0));
  EXPECT_THAT(run.read(dataset::routing_expert_count, {{1, 0, 1, 0}, {1, 2, 1, 8}}), testing::Each(0));
  EXPECT_THAT(run.read(dataset::routing_topk_index, {{1, 1, 0, 0}, {1, 1, 19, 2}}), testing::Each(255));
  EXPECT_THAT(run.read(dataset::routing_bias_flips, {{1, 1, 0}, {1, 1, 19}}), testing::Each(255));
  for (const char* name : {"/metrics/max_violation", "/metrics/load_entropy", "/metrics/dead_experts",
                           "/metrics/router_entropy", "/metrics/bias_flip_rate", "/metrics/topk_mass"}) {
    EXPECT_THAT(run.read<double>(name, {{1, 0, 1}, {1, 2, 1}}), testing::Each(testing::IsNan())) << name;
    EXPECT_THAT(run.read<double>(name, {{1, 0, 0}, {1, 2, 1}}), testing::Each(testing::Not(testing::IsNan())))
        << name;
  }
  EXPECT_THAT(run.read<double>("/metrics/router_saturation", {{1, 0}, {1, 2}}),
              testing::ElementsAre(testing::Gt(0), testing::IsNan()));
  EXPECT_THAT(run.read<double>("/metrics/routing_agreement", {{1, 1, 1}, {1, 1, 1}}),
              testing::Each(testing::IsNan()));
  EXPECT_THAT(run.read<double>("/metrics/loss_pooled"),
              testing::ElementsAre(testing::Gt(0), testing::IsNan(), testing::Gt(0)));
  EXPECT_THAT(summary.nonfinite_losses, testing::ElementsAre(0, 14, 0));
  EXPECT_EQ(summary.predictions, 14u);
  EXPECT_TRUE(std::isnan(summary.loss[1]));
}

const auto few_tokens = testing::StartsWith("warning: few tokens: ");

TEST_F(SeriesAnalysisTest, WhatIsNotFiniteIsToldAndKeptWithTheTensorThatItComesFrom) {
  break_second(directory_ / "series", broken_router);
  NoteTaker listener;
  analyze_series(options_, listener);
  EXPECT_THAT(listener.notes, testing::ElementsAre(pass_warning, router_warning, few_tokens));
  EXPECT_THAT(read_notes(RunFile::open(options_.output.file)),
              testing::ElementsAre(router_warning, pass_warning, few_tokens));
  NoteTaker again;  // a complete analysis that is repeated
  analyze_series(options_, again);
  EXPECT_THAT(again.notes, testing::ElementsAre(router_warning, pass_warning, few_tokens));
  EXPECT_THAT(read_notes(RunFile::open(options_.output.file)), testing::SizeIs(3));
}

TEST_F(SeriesAnalysisTest, WithoutAWeightPassTheFirstTensorThatIsNotFiniteIsLookedFor) {
  break_second(directory_ / "series", broken_router);
  options_.scope.weights = false;
  analyze();
  EXPECT_THAT(read_notes(RunFile::open(options_.output.file)),
              testing::ElementsAre(std::string(router_warning) + "; it is the first tensor with such values",
                                   pass_warning, few_tokens));
}

TEST_F(SeriesAnalysisTest, AnInterruptionChangesNoByteOfTheNotes) {
  break_second(directory_ / "series", broken_router);
  analyze();
  const fs::path whole = directory_ / "whole.h5";
  fs::rename(options_.output.file, whole);
  for (const char* where : {"3T", "weights"}) {
    Stopper stopper;
    stopper.where = where;
    options_.resources.interrupted = &stopper.stop;
    EXPECT_FALSE(analyze_series(options_, stopper).complete);
    options_.resources.interrupted = nullptr;
    EXPECT_THAT(read_notes(RunFile::open(options_.output.file)), testing::Contains(pass_warning));
    EXPECT_TRUE(analyze().complete);
    expect_same_datasets(whole, options_.output.file);
    fs::remove(options_.output.file);
  }
}

TEST_F(SeriesAnalysisTest, PartsThatAreJoinedWarnAsTheWholeDoes) {
  break_second(directory_ / "series", broken_router);
  analyze();
  const fs::path whole = directory_ / "whole.h5";
  fs::rename(options_.output.file, whole);
  std::vector<fs::path> parts;
  for (std::size_t i = 0; i < 2; ++i) {
    options_.scope.part = {i, 2};
    options_.output.file = parts.emplace_back(directory_ / ("part" + std::to_string(i) + ".h5"));
    analyze();
  }
  const fs::path joined = directory_ / "joined.h5";
  merge_runs({{parts[1], parts[0]}, joined, false, ""});
  expect_same_datasets(whole, joined);
  EXPECT_THAT(read_notes(RunFile::open(joined)),
              testing::ElementsAre(router_warning, pass_warning, few_tokens));
}

TEST_F(SeriesAnalysisTest, OneTokenThatIsNotFiniteLeavesTheCountsOfTheOthers) {
  break_second(directory_ / "series", "model.embed_tokens.weight");  // of token 0
  write_ids("even", {1, 2, 3, 4, 5, 6, 7, 8, 0, 10, 11, 12});
  analyze();
  const RunFile run = RunFile::open(options_.output.file);
  // Of the sequences 1..5, 6 7 8 0 10 and 11 12, the last two tokens of the second.
  EXPECT_THAT(run.read(dataset::routing_nonfinite_count, {{1, 0, 0}, {1, 2, 2}}),
              testing::ElementsAre(2, 2, 0, 0));
  EXPECT_THAT(run.read(dataset::loss_nonfinite_count, {{1, 0}, {1, 2}}), testing::ElementsAre(1, 0));
  std::int64_t total = 0;
  for (std::int64_t count : run.read(dataset::routing_expert_count, {{1, 0, 0, 0}, {1, 1, 1, 8}}))
    total += count;
  EXPECT_EQ(total, 10 * 2);
  double load = 0;
  for (double share : run.read<double>("/metrics/expert_load", {{1, 0, 0, 0}, {1, 1, 1, 8}})) load += share;
  EXPECT_NEAR(load, 2, 1e-12);  // K, over the tokens that chose
  EXPECT_THAT(run.read<double>("/metrics/router_entropy", {{1, 0, 0}, {1, 1, 2}}),
              testing::Each(testing::Gt(0)));
  EXPECT_THAT(run.read<double>("/metrics/loss", {{1, 0}, {1, 2}}),
              testing::ElementsAre(testing::IsNan(), testing::Gt(0)));
}

TEST_F(SeriesAnalysisTest, RefusesToReplaceAnotherAnalysisUnlessAsked) {
  analyze();
  options_.inputs.corpus_options.sequence_length = 6;
  EXPECT_THROW(analyze(), UsageError);
  EXPECT_THAT(RunFile::open(options_.output.file).shape(dataset::loss_nll),
              testing::ElementsAre(3, 19));  // untouched
  options_.output.overwrite = true;
  EXPECT_TRUE(analyze().complete);
}

TEST_F(SeriesAnalysisTest, PassesCanBeRunAlone) {
  options_.scope.weights = false;
  analyze();
  EXPECT_FALSE(RunFile::open(options_.output.file).contains(dataset::weights_norm));
  EXPECT_FALSE(RunFile::open(options_.output.file).contains(dataset::io_weight_pass_seconds));
  fs::remove(options_.output.file);
  options_.scope.weights = true;
  options_.scope.forward = false;
  options_.inputs.corpus.clear();
  analyze();
  const RunFile run = RunFile::open(options_.output.file);
  EXPECT_FALSE(run.contains(dataset::loss_nll));
  EXPECT_FALSE(run.contains(dataset::io_read_bytes));
  EXPECT_TRUE(run.contains(dataset::weights_relative_drift));
}

TEST_F(SeriesAnalysisTest, ASeriesOfOneIsAnalysed) {
  options_.inputs.series.resize(1);
  EXPECT_TRUE(analyze().complete);
  EXPECT_FALSE(RunFile::open(options_.output.file).contains(dataset::weights_delta_inner_product));
}

TEST_F(SeriesAnalysisTest, SavesTheLargePartsOnRequest) {
  options_.scope.save = {true, true, true};
  analyze();
  const RunFile run = RunFile::open(options_.output.file);
  EXPECT_THAT(run.shape(dataset::routing_router_logit), testing::ElementsAre(3, 2, 19, 8));
  EXPECT_THAT(run.shape(dataset::hidden_hidden_state), testing::ElementsAre(3, 3, 19, 16));
  EXPECT_THAT(run.shape(dataset::logits_logit), testing::ElementsAre(3, 19, 40));
}

TEST_F(SeriesAnalysisTest, TextWithoutATokenizerIsRefusedBeforeAnythingIsWritten) {
  write_file(directory_ / "text.txt", "some words");
  options_.inputs.corpus = {{"", directory_ / "text.txt"}};
  EXPECT_THROW(analyze(), FormatError);
  EXPECT_FALSE(fs::exists(options_.output.file));
  EXPECT_FALSE(fs::exists(options_.output.file.string() + ".partial"));
}

TEST_F(SeriesAnalysisTest, AnUnwritableOutputIsFoundBeforeTheFirstPass) {
  options_.output.file = directory_ / "missing" / "run.h5";
  EXPECT_THROW(analyze(), std::system_error);
}

}  // namespace
}  // namespace moescope
