#include "tests/support/full_width_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>
#include <system_error>

#include "readers/checkpoint/checkpoint.h"
#include "readers/checkpoint/model_weights.h"
#include "readers/model/model_config.h"
#include "readers/model/parameter_count.h"
#include "readers/model/weight.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;

/// Three layers with enough experts that numeric and alphabetic order differ; 690 kB, in several shards.
FullWidthOptions small_options() {
  CheckpointOptions model;
  model.hidden_size = 64;
  model.intermediate_size = 96;
  model.moe_intermediate_size = 64;
  model.n_routed_experts = 12;
  model.n_shared_experts = 2;
  model.vocab_size = 512;
  FullWidthOptions options;
  options.config = plan_config(model);
  options.shard_bytes = 200'000;
  return options;
}

std::map<std::string, std::string> files_in(const fs::path& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    files[entry.path().filename()] = read_whole_file(entry.path());
  }
  return files;
}

struct Written {
  explicit Written(const FullWidthOptions& options)
      : checkpoint(
            (write_full_width_checkpoint(directory.path(), options), Checkpoint::open(directory.path()))),
        weights(checkpoint) {}
  std::string bytes(const WeightKey& key) const;
  std::vector<float> values(const WeightKey& key) const;

  TemporaryDirectory directory;
  Checkpoint checkpoint;
  ModelWeights weights;
};

std::string Written::bytes(const WeightKey& key) const {
  const Weight& weight = weights.at(key);
  std::string bytes(weight.bytes(), '\0');
  checkpoint.shards()[weight.shard].read(weight.offset, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

std::vector<float> Written::values(const WeightKey& key) const {
  const std::string stored = bytes(key);
  std::vector<float> values(stored.size() / 2);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, stored.data() + 2 * i, 2);
    values[i] = std::bit_cast<float>(std::uint32_t{bits} << 16);
  }
  return values;
}

double norm(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += double{value} * value;
  return std::sqrt(sum);
}

std::uint64_t disk_bytes(const fs::path& directory) {
  std::uint64_t sum = 0;
  for (const auto& entry : fs::directory_iterator(directory)) {
    struct stat status {};
    EXPECT_EQ(::stat(entry.path().c_str(), &status), 0);
    sum += static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
  return sum;
}

std::uint64_t logical_bytes(const fs::path& directory) {
  std::uint64_t sum = 0;
  for (const auto& entry : fs::directory_iterator(directory)) sum += entry.file_size();
  return sum;
}

constexpr WeightKey embedding{Role::embedding}, final_norm{Role::final_norm}, head{Role::head};
constexpr WeightKey router{Role::router, 1}, query{Role::query, 0}, expert{Role::expert_up, 2, 11};

ModelConfig parsed(const nlohmann::ordered_json& config) {
  return parse_model_config(config.dump(), "config.json");
}

// dots.llm1 (arXiv 2506.05767) and the index of the released model.
TEST(CheckpointPlan, DotsLlm1HasItsPublishedTensorsAndParameters) {
  const std::vector<PlannedTensor> tensors = plan_tensors(parsed(released_shape("dots1")), {});
  EXPECT_EQ(tensors.size(), 24'231u);
  std::uint64_t parameters = 0;
  for (const PlannedTensor& tensor : tensors) parameters += tensor.size();
  EXPECT_EQ(parameters, 142'774'381'696u);
}

// The models' cards: 6.9 B, 235 B, 80 B, and DeepSeek-V3's 671 B.
TEST(CheckpointPlan, ReleasedShapesHaveTheirPublishedParameters) {
  const std::pair<const char*, std::uint64_t> expected[] = {{"olmoe", 6'919'161'856u},
                                                            {"qwen3", 235'093'634'560u},
                                                            {"qwen3_next", 79'674'391'296u},
                                                            {"deepseek_v3", 671'026'419'200u}};
  for (const auto& [shape, parameters] : expected)
    EXPECT_EQ(count_parameters(parsed(released_shape(shape))).total, parameters) << shape;
}

TEST(ReleasedShape, IsCutByTheNamesOfItsFamily) {
  nlohmann::ordered_json config = released_shape("olmoe");
  EXPECT_TRUE(resize(config, "n_routed_experts", 16));
  EXPECT_TRUE(resize(config, "vocab_size", 8192));
  EXPECT_FALSE(resize(config, "n_shared_experts", 1));
  EXPECT_EQ(parsed(config).n_routed_experts, 16);
  EXPECT_EQ(parsed(config).eos_token_id, 8191);
}

TEST(FullWidthCheckpoint, StoresProjectionsInEightBitsOnRequest) {
  FullWidthOptions options = small_options();
  options.storage.dtype = DType::f8_e4m3;
  const Written written(options);
  EXPECT_THAT(written.weights.notes(), IsEmpty());
  for (const WeightKey& key : {embedding, router, head, final_norm})
    EXPECT_EQ(written.weights.at(key).dtype, DType::bf16);
  const Weight& weight = written.weights.at(query);
  EXPECT_EQ(weight.dtype, DType::f8_e4m3);
  EXPECT_EQ(weight.scale_bytes(), 4u);  // 64 x 64: one block
  double square = 0;
  for (const char byte : written.bytes(query)) {
    const unsigned bits = static_cast<unsigned char>(byte), exponent = bits >> 3 & 15, fraction = bits & 7;
    const double value =
        exponent == 0 ? std::ldexp(fraction, -9) : std::ldexp(8 + fraction, static_cast<int>(exponent) - 10);
    square += value * value;
  }
  EXPECT_NEAR(std::sqrt(square / 4096), 100, 5);
}

TEST(FullWidthCheckpoint, OpensAsACompleteModelInSeveralShards) {
  const FullWidthOptions options = small_options();
  const Written written(options);
  EXPECT_GT(written.checkpoint.shards().size(), 3u);
  EXPECT_THAT(written.checkpoint.notes(), IsEmpty());
  EXPECT_THAT(written.weights.notes(), IsEmpty());
  const std::vector<PlannedTensor> planned = plan_tensors(parsed(options.config), {});
  EXPECT_EQ(written.checkpoint.tensors().size(), planned.size());
  for (const PlannedTensor& tensor : planned) {
    const StoredTensor* stored = written.checkpoint.find(tensor.name);
    ASSERT_NE(stored, nullptr) << tensor.name;
    EXPECT_EQ(stored->info.shape, tensor.shape) << tensor.name;
    EXPECT_EQ(stored->info.dtype, tensor.dtype) << tensor.name;
  }
}

TEST(FullWidthCheckpoint, NeedsNoIndexForOneShard) {
  FullWidthOptions options = small_options();
  options.shard_bytes = 1 << 30;
  const Written written(options);
  std::vector<std::string> names;
  for (const auto& [name, content] : files_in(written.directory.path())) names.push_back(name);
  EXPECT_THAT(names, ElementsAre("config.json", "model.safetensors"));
}

TEST(FullWidthCheckpoint, FillsShardsUpToTheirSizeInTheOrderOfTheModel) {
  const FullWidthOptions options = small_options();
  const std::vector<PlannedShard> shards = plan_shards(options);
  const std::uint64_t largest = 65'536;  // bytes of embedding and head
  for (std::size_t i = 0; i < shards.size(); ++i) {
    EXPECT_LE(shards[i].bytes(), options.shard_bytes);
    if (i + 1 == shards.size()) continue;
    EXPECT_GT(shards[i].bytes() + largest, options.shard_bytes) << i;
  }
  const auto holds = [](const PlannedShard& shard, const std::string& name) {
    return std::any_of(shard.tensors.begin(), shard.tensors.end(),
                       [&](const PlannedTensor& tensor) { return tensor.name == name; });
  };
  EXPECT_TRUE(holds(shards.front(), "model.embed_tokens.weight"));
  EXPECT_TRUE(holds(shards.back(), "lm_head.weight"));
}

TEST(FullWidthCheckpoint, SortsAShardLikeTheReferenceWriter) {
  FullWidthOptions options = small_options();
  options.shard_bytes = 1 << 30;
  const PlannedShard shard = plan_shards(options).front();
  std::vector<std::string> names;
  for (const PlannedTensor& tensor : shard.tensors) names.push_back(tensor.name);
  EXPECT_EQ(names.front(), "model.layers.1.mlp.gate.e_score_correction_bias");  // F32 before BF16
  EXPECT_EQ(names[2], "lm_head.weight");
  EXPECT_TRUE(std::is_sorted(names.begin() + 2, names.end()));
  const auto at = [&](const char* name) { return std::find(names.begin(), names.end(), name); };
  EXPECT_LT(at("model.layers.1.mlp.experts.10.up_proj.weight"),
            at("model.layers.1.mlp.experts.2.down_proj.weight"));
}

TEST(FullWidthCheckpoint, IsTheSameForTheSameSeed) {
  FullWidthOptions options = small_options();
  const Written first(options), again(options);
  EXPECT_TRUE(files_in(first.directory.path()) == files_in(again.directory.path()));
  options.seed = 2;
  const Written other(options);
  for (const WeightKey& key : {embedding, router, query, expert, head, final_norm}) {
    EXPECT_NE(other.bytes(key), first.bytes(key));
  }
}

TEST(FullWidthCheckpoint, GivesATensorTheSameValuesInAnyModel) {
  FullWidthOptions options = small_options();
  const Written three_layers(options);
  options.config["num_hidden_layers"] = 4;
  options.shard_bytes = 1 << 30;
  const Written four_layers(options);
  for (const WeightKey& key : {embedding, router, query, expert, head, final_norm}) {
    EXPECT_EQ(four_layers.bytes(key), three_layers.bytes(key));
  }
}

TEST(FullWidthCheckpoint, GivesNoTwoTensorsTheSameValues) {
  const Written written(small_options());
  std::map<std::string, std::string> seen;
  for (const Weight& weight : written.weights.all()) {
    const auto [other, added] = seen.emplace(written.bytes(weight.key), weight.name);
    EXPECT_TRUE(added) << weight.name << " and " << other->second;
  }
}

TEST(FullWidthCheckpoint, KeepsProductsAtTheSizeOfTheirInput) {
  const Written written(small_options());
  const std::vector<float> values = written.values(expert);  // 64 x 64
  EXPECT_NEAR(norm(values) / 64, 1 / std::sqrt(64.0), 0.01);
  const std::vector<float> norms = written.values(final_norm);
  EXPECT_NEAR(std::accumulate(norms.begin(), norms.end(), 0.0) / 64, 1, 0.05);
}

TEST(FullWidthCheckpoint, LeavesProjectionsAsHolesOnRequest) {
  FullWidthOptions options = small_options();
  const Written full(options);
  options.holes = Holes::projections;
  const Written sparse(options);
  for (const WeightKey& key : {embedding, router, head, final_norm})
    EXPECT_EQ(sparse.bytes(key), full.bytes(key));
  for (const WeightKey& key : {query, expert}) EXPECT_THAT(sparse.values(key), Each(0.f));
  EXPECT_EQ(sparse.checkpoint.bytes(), full.checkpoint.bytes());
}

// 62 layers: 285.5 GB of logical size. Only headers, at most two blocks each, and the index lie on the disk.
TEST(FullWidthCheckpoint, HoldsTheCompleteModelInHardlyAnyDisk) {
  FullWidthOptions options;
  options.holes = Holes::all;
  const Written written(options);
  EXPECT_EQ(written.checkpoint.tensors().size(), 24'231u);
  EXPECT_EQ(written.checkpoint.bytes(), 285'548'779'008u);  // 2 bytes a parameter, 4 for 61 x 128 biases
  EXPECT_GT(logical_bytes(written.directory.path()), 285'548'779'008u);
  EXPECT_LT(disk_bytes(written.directory.path()), 16'000'000u);
  EXPECT_EQ(stored_bytes(options), 0u);
}

TEST(FullWidthCheckpoint, StoresSmallTensorsOfTheCompleteModelOnly) {
  FullWidthOptions options;
  options.holes = Holes::projections;
  EXPECT_LT(stored_bytes(options), 2'600'000'000u);  // two embeddings of 1.25 GB, 61 routers of 1 MB
}

TEST(FullWidthCheckpoint, ChangesByTheRequestedShareFromOneToTheNext) {
  FullWidthOptions options = small_options();
  options.change = 0.05;
  std::vector<std::vector<float>> series;
  for (options.changes = 0; options.changes < 3; ++options.changes) {
    series.push_back(Written(options).values(embedding));
  }
  std::vector<float> first(series[0].size()), second(first.size());
  double inner_product = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    first[i] = series[1][i] - series[0][i];
    second[i] = series[2][i] - series[1][i];
    inner_product += double{first[i]} * second[i];
  }
  EXPECT_NEAR(norm(first) / norm(series[0]), 0.05, 0.001);
  EXPECT_NEAR(norm(second) / norm(series[1]), 0.05, 0.001);
  EXPECT_NEAR(inner_product / norm(first) / norm(second), 0, 0.03);  // 32,768 elements: within 5 deviations
}

TEST(FullWidthCheckpoint, TellsHowFarItIs) {
  const FullWidthOptions options = small_options();
  const TemporaryDirectory directory;
  std::vector<std::uint64_t> told;
  write_full_width_checkpoint(directory.path(), options, [&](std::uint64_t bytes) { told.push_back(bytes); });
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  EXPECT_EQ(told.back(), stored_bytes(options));
}

TEST(FullWidthCheckpoint, OverwritesNothing) {
  const FullWidthOptions options = small_options();
  const Written written(options);
  EXPECT_THROW(write_full_width_checkpoint(written.directory.path(), options), std::system_error);
}

TEST(FullWidthCheckpoint, RefusesWhatItCannotWrite) {
  const TemporaryDirectory directory;
  FullWidthOptions options = small_options();
  options.storage.dtype = DType::f16;
  EXPECT_THROW(write_full_width_checkpoint(directory.path(), options), std::invalid_argument);
}

TEST(FullWidthCheckpoint, AsksTheDiskFirst) {
  const TemporaryDirectory directory;
  FullWidthOptions options = small_options();
  options.config["vocab_size"] = std::int64_t{1} << 28;
  options.config["hidden_size"] = std::int64_t{1} << 20;  // embedding and head: 1.1 PB
  try {
    write_full_width_checkpoint(directory / "new", options);
    FAIL() << "expected a full disk";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), ENOSPC);
    EXPECT_THAT(error.what(), testing::HasSubstr("new: needs 1145703"));
  }
  EXPECT_FALSE(fs::exists(directory / "new"));
}

}  // namespace
}  // namespace moescope
