#include "analysis/plan/run_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "readers/checkpoint/checkpoint.h"
#include "readers/errors.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/source_path.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const fs::path dots_llm1 = source_path("data/dots_llm1");

/// 1 GB/s, 1 GFLOP/s: times are then easy to tell.
PlanRequest request_for(const fs::path& series) {
  PlanRequest request;
  request.analysis.inputs.series = find_series({series}).entries;
  request.analysis.resources.threads = 2;
  request.analysis.resources.memory = 4ull << 30;
  request.bytes_per_second = 1e9;
  request.flops_per_second = 1e9;
  return request;
}

PartCost part(ForwardPart kind, std::uint64_t bytes, double flops, double routed = 0) {
  return {kind, -1, {bytes, flops, 0, routed}};
}

// Rates of 10 bytes and 100 operations a second, 50 of them in routed experts. The head reads for 3 s, which
// is more than its computing; the layer computes for 200 / 100 + 150 / 50 = 5 s before efficiency.
TEST(PlanForward, HidesReadingBehindComputingPartByPart) {
  MachineRates rates{50, 100, 10, 1};
  const std::vector<PartCost> parts = {part(ForwardPart::moe_layer, 20, 350, 150),
                                       part(ForwardPart::head, 30, 10)};
  const WorkPlan work = plan_forward(parts, 1, rates);
  EXPECT_EQ(work.bytes, 50u);
  EXPECT_EQ(work.flops, 360);
  EXPECT_DOUBLE_EQ(work.read_seconds, 5);
  EXPECT_DOUBLE_EQ(work.compute_seconds, 5.1 / forward_efficiency);
  EXPECT_DOUBLE_EQ(work.seconds, 5 / forward_efficiency + 3);
  EXPECT_FALSE(work.is_limited_by_reading());
}

TEST(PlanForward, ReadsAllButTheEmbeddingOnceForEachBatch) {
  const std::vector<PartCost> parts = {part(ForwardPart::embedding, 7, 0), part(ForwardPart::head, 100, 10)};
  const WorkPlan work = plan_forward(parts, 3, {1, 1, 1, 1});
  EXPECT_EQ(work.bytes, 307u);
  EXPECT_EQ(work.flops, 10);
  EXPECT_EQ(work.passes, 3u);
  EXPECT_TRUE(work.is_limited_by_reading());
}

TEST(PlanForward, CountsComputingAloneWhereReadingIsUnknown) {
  const std::vector<PartCost> parts = {part(ForwardPart::head, 100, 10)};
  const WorkPlan work = plan_forward(parts, 1, {1, 1, std::nan(""), 1});
  EXPECT_TRUE(std::isnan(work.read_seconds));
  EXPECT_DOUBLE_EQ(work.seconds, 10 / forward_efficiency);
}

// arXiv 2506.05767; 2 bytes for each parameter.
TEST(RunPlan, KnowsDotsLlm1FromItsConfigurationAlone) {
  const RunPlan plan = plan_run(request_for(dots_llm1));
  EXPECT_EQ(plan.parameters.total, 142'774'381'696u);
  EXPECT_EQ(plan.parameters.active, 14'016'588'928u);
  ASSERT_EQ(plan.checkpoints.size(), 1u);
  EXPECT_FALSE(plan.checkpoints[0].stored);
  EXPECT_EQ(plan.checkpoints[0].bytes, 285'548'763'392u);
  EXPECT_EQ(plan.parts.size(), 64u);
  EXPECT_EQ(plan.tokens, 4096u);
  EXPECT_EQ(plan.sequences, 2u);
  EXPECT_EQ(plan.weights.bytes, 285'548'763'392u);
  EXPECT_THAT(plan.notes,
              ElementsAre("dots_llm1: no file of weights is there; sizes are those that config.json "
                          "describes"));
}

// As stored: F8_E4M3 with scales of blocks in F32, and with those of rows in BF16, both without layers of
// multi-token prediction; MXFP4, and the same model's BF16, whose experts are transposed.
TEST(RunPlan, OfAModelStoredOtherwiseCountsWhatIsStored) {
  for (const char* name : {"deepseek_v3_fp8", "dots1_fp8", "gpt_oss_mxfp4", "gpt_oss"}) {
    const fs::path stored = fs::path(source_path("data/families")) / name;
    TemporaryDirectory directory;
    fs::create_directory(directory / name);
    fs::copy_file(stored / "config.json", directory / name / "config.json");
    const RunPlan described = plan_run(request_for(directory / name)), there = plan_run(request_for(stored));
    EXPECT_EQ(described.checkpoints[0].bytes, Checkpoint::open(stored).bytes()) << name;
    EXPECT_EQ(there.checkpoints[0].bytes, described.checkpoints[0].bytes) << name;
    EXPECT_EQ(there.weights.bytes, described.weights.bytes) << name;
    EXPECT_EQ(there.forward.bytes, described.forward.bytes) << name;
    EXPECT_EQ(there.peak_memory, described.peak_memory) << name;
  }
}

// A promise: a 142 B checkpoint with 4,096 tokens in at most 3 GiB.
TEST(RunPlan, OfDotsLlm1StaysWithinThreeGibibytes) {
  PlanRequest request = request_for(dots_llm1);
  request.analysis.resources.memory = 3ull << 30;
  const RunPlan plan = plan_run(request);
  EXPECT_EQ(plan.forward.passes, 1u);
  EXPECT_LE(plan.peak_memory, 3ull << 30);
}

TEST(RunPlan, GrowsWithTheTokens) {
  PlanRequest request = request_for(dots_llm1);
  RunPlan before = plan_run(request);
  for (std::uint64_t tokens : {10'000u, 100'000u, 1'000'000u}) {
    request.tokens = tokens;
    const RunPlan plan = plan_run(request);
    EXPECT_EQ(plan.tokens, tokens);
    EXPECT_GT(plan.forward.flops, before.forward.flops);
    EXPECT_GE(plan.forward.passes, before.forward.passes);
    EXPECT_GE(plan.forward.bytes, before.forward.bytes);
    EXPECT_GT(plan.seconds, before.seconds);
    EXPECT_GE(plan.peak_memory, before.peak_memory);
    EXPECT_GT(plan.run_file_bytes, before.run_file_bytes);
    EXPECT_EQ(plan.weights.seconds, before.weights.seconds);
    before = plan;
  }
}

TEST(RunPlan, TakesMorePassesWithLessMemoryAndTheSameOperations) {
  PlanRequest request = request_for(dots_llm1);
  request.tokens = 100'000;
  const RunPlan roomy = plan_run(request);
  request.analysis.resources.memory = 1ull << 30;
  const RunPlan narrow = plan_run(request);
  EXPECT_GT(narrow.forward.passes, roomy.forward.passes);
  EXPECT_GT(narrow.forward.bytes, roomy.forward.bytes);
  EXPECT_EQ(narrow.forward.flops, roomy.forward.flops);
  EXPECT_LT(narrow.peak_memory, roomy.peak_memory);
}

TEST(RunPlan, SmallWorkNeedsLessThanTheBudget) {
  PlanRequest request = request_for(source_path("data/variants/base"));
  request.tokens = 100;
  EXPECT_LT(plan_run(request).peak_memory, 100ull << 20);
}

TEST(RunPlan, TakesLessTimeOnAFasterMachine) {
  PlanRequest request = request_for(dots_llm1);
  request.analysis.scope.weights = false;
  const RunPlan slow = plan_run(request);
  request.flops_per_second = 4e9;
  const RunPlan computes = plan_run(request);
  request.bytes_per_second = 4e9;
  const RunPlan both = plan_run(request);
  EXPECT_LT(computes.seconds, slow.seconds);
  EXPECT_LE(both.seconds, computes.seconds);
  EXPECT_DOUBLE_EQ(both.seconds, slow.seconds / 4);
}

// 10 decompositions of 3e11 operations in all, 2e11 of them for one matrix, at 1e11 a second on four threads.
TEST(PlanSpectra, WaitsForTheLargestMatrixAndReadsBeforeItComputes) {
  SpectraCost cost;
  cost.matrices = 2;
  cost.bytes = 50;
  cost.decompositions = 10;
  cost.flops = 3e11;
  cost.largest_flops = 2e11;
  MachineRates rates;
  rates.bytes = 100;
  rates.spectra_flops = 1e11;
  const WorkPlan work = plan_spectra(cost, 5, rates, 4);
  EXPECT_DOUBLE_EQ(work.compute_seconds, 8 + 10 * seconds_per_decomposition / 4);
  EXPECT_DOUBLE_EQ(work.seconds, work.compute_seconds + 0.5);
  EXPECT_EQ(work.passes, 5u);
  rates.bytes = std::numeric_limits<double>::quiet_NaN();  // nothing is there to measure reading on
  EXPECT_EQ(plan_spectra(cost, 5, rates, 4).seconds, work.compute_seconds);
}

TEST(RunPlan, CountsTheSpectraThatAreAskedFor) {
  PlanRequest request = request_for(dots_llm1);
  request.analysis.scope.forward = false;
  const RunPlan sample = plan_run(request);
  EXPECT_EQ(sample.spectra_matrices, 61u + 8 * 3);  // routers, and the projections of 8 experts
  EXPECT_EQ(sample.spectra.bytes, 61u * 2 * 128 * 4096 + 24u * 2 * 1408 * 4096);
  EXPECT_LE(sample.peak_memory, request.analysis.resources.memory);
  request.analysis.scope.spectra = SpectraChoice::all;
  const RunPlan all = plan_run(request);
  EXPECT_EQ(all.spectra_matrices, 24231u - 62 * 4 - 61 - 1);  // without norms and correction biases
  EXPECT_LE(all.peak_memory, request.analysis.resources.memory);
  request.analysis.scope.spectra = SpectraChoice::none;
  const RunPlan none = plan_run(request);
  EXPECT_EQ(none.spectra.passes, 0u);
  EXPECT_LT(none.run_file_bytes, sample.run_file_bytes);
  EXPECT_DOUBLE_EQ(sample.seconds, none.seconds + sample.spectra.seconds);
}

TEST(RunPlan, LeavesOutWhatIsNotAskedFor) {
  PlanRequest request = request_for(dots_llm1);
  const RunPlan whole = plan_run(request);
  request.analysis.scope.forward = false;
  const RunPlan weights = plan_run(request);
  EXPECT_EQ(weights.tokens, 0u);
  EXPECT_EQ(weights.forward.bytes, 0u);
  EXPECT_DOUBLE_EQ(weights.seconds, whole.weights.seconds + whole.spectra.seconds);
  request.analysis.scope.forward = true;
  request.analysis.scope.weights = false;
  const RunPlan forward = plan_run(request);
  EXPECT_EQ(forward.weights.bytes, 0u);
  EXPECT_EQ(forward.seconds, whole.forward.seconds);
}

TEST(RunPlan, ToldFromTheConfigurationIsThatOfTheStoredWeights) {
  const TemporaryDirectory directory;
  CheckpointOptions options;
  options.bias_dtype = DType::bf16;
  options.shards = 2;
  write_checkpoint(directory / "01T", options);
  const RunPlan stored = plan_run(request_for(directory / "01T"));
  EXPECT_TRUE(stored.checkpoints[0].stored);
  EXPECT_THAT(stored.notes, IsEmpty());

  fs::remove(directory / "01T/model-00002-of-00002.safetensors");
  const RunPlan partly = plan_run(request_for(directory / "01T"));
  EXPECT_FALSE(partly.checkpoints[0].stored);
  EXPECT_THAT(partly.notes, ElementsAre(HasSubstr("01T: only 1 of 2 shards are there")));
  EXPECT_EQ(partly.forward.bytes, stored.forward.bytes);
  EXPECT_EQ(partly.forward.flops, stored.forward.flops);
  EXPECT_EQ(partly.weights.bytes, stored.weights.bytes);
  EXPECT_EQ(partly.peak_memory, stored.peak_memory);
  EXPECT_EQ(partly.run_file_bytes, stored.run_file_bytes);
}

TEST(RunPlan, NeedsTheTypeOfWeightsThatAreNotThere) {
  const TemporaryDirectory directory;
  write_checkpoint(directory.path());
  fs::remove(directory / "model.safetensors");
  const auto config = directory / "config.json";
  edit_json(config, [](auto& json) { json["torch_dtype"] = "float8_e4m3fn"; });
  EXPECT_THROW(plan_run(request_for(directory.path())), UnsupportedModel);
  edit_json(config, [](auto& json) { json.erase("torch_dtype"); });
  EXPECT_THROW(plan_run(request_for(directory.path())), FormatError);
}

TEST(RunPlan, RefusesASeriesOfDifferentModels) {
  const TemporaryDirectory directory;
  write_checkpoint(directory / "01T");
  CheckpointOptions other;
  other.moe_intermediate_size = 16;
  write_checkpoint(directory / "02T", other);
  fs::remove(directory / "02T/model.safetensors");
  EXPECT_THROW(plan_run(request_for(directory.path())), FormatError);
}

TEST(RunPlan, RefusesTooLittleMemory) {
  PlanRequest request = request_for(dots_llm1);
  request.analysis.resources.memory = 64 << 20;
  EXPECT_THROW(plan_run(request), UsageError);
}

// 100 million tokens with 152,064 logits of 4 bytes each.
TEST(RunPlan, NotesARunFileThatDoesNotFit) {
  PlanRequest request = request_for(dots_llm1);
  request.tokens = 100'000'000;
  request.analysis.scope.save.logits = true;
  const RunPlan plan = plan_run(request);
  EXPECT_GT(plan.run_file_bytes, 60'000'000'000'000u);
  EXPECT_THAT(plan.notes, testing::Contains("the run file may not fit on its disk"));
}

TEST(RunPlan, AddsUpTheCheckpointsOfASeries) {
  const RunPlan plan = plan_run(request_for(source_path("data/tiny-dots1")));
  ASSERT_EQ(plan.checkpoints.size(), 13u);
  EXPECT_EQ(plan.checkpoints[1].name, "tiny-dots1-01T");
  EXPECT_EQ(plan.checkpoints[1].tokens_seen, 1e12);
  EXPECT_EQ(plan.forward.bytes, 13 * plan.checkpoints[0].forward.bytes);
  EXPECT_EQ(plan.forward.flops, 13 * plan.checkpoints[0].forward.flops);
  EXPECT_EQ(plan.weights.bytes, 13 * plan.checkpoints[0].bytes);
}

TEST(RunPlan, MeasuresWhatIsNotGiven) {
  PlanRequest request = request_for(source_path("data/variants/base"));
  EXPECT_FALSE(plan_run(request).measured_reading);
  EXPECT_EQ(plan_run(request).rates.bytes, 1e9);
  EXPECT_EQ(plan_run(request).rates.flops, 1e9);
  request.bytes_per_second.reset();
  request.flops_per_second.reset();
  const RunPlan plan = plan_run(request);
  EXPECT_TRUE(plan.measured_reading && plan.measured_computing);
  EXPECT_GT(plan.rates.bytes, 0);
  EXPECT_GT(plan.rates.flops, 0);
  EXPECT_GT(plan.rates.routed_flops, 0);
  EXPECT_GT(plan.rates.weight_pass_elements, 0);
}

}  // namespace
}  // namespace moescope
