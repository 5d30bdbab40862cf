#include "analysis/router_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/checkpoint_builder.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsNan;
using testing::SizeIs;

/// Checkpoints of the builder's model: 2 MoE layers, 8 experts, router rows of 16.
class RouterWeights : public testing::Test {
 protected:
  void add(const BuiltCheckpoint& built) {
    const auto path = directory_ / std::to_string(checkpoints_.size());
    built.write(path);
    checkpoints_.push_back(Checkpoint::open(path));
    weights_.emplace_back(checkpoints_.back());
  }
  RouterRecord read(unsigned threads = 1) const {
    std::vector<CheckpointWeights> views;
    for (std::size_t c = 0; c < checkpoints_.size(); ++c) views.push_back({&checkpoints_[c], &weights_[c]});
    ThreadPool pool(threads);
    return read_routers(views, pool);
  }

  TemporaryDirectory directory_;
  std::vector<Checkpoint> checkpoints_;
  std::vector<ModelWeights> weights_;
};

BuiltCheckpoint f32_checkpoint() {
  CheckpointOptions options;
  options.dtype = DType::f32;
  return build_checkpoint(options);
}

void set(BuiltCheckpoint& built, const std::string& name, const std::vector<float>& values) {
  BuiltTensor& tensor = built.tensor(name);
  tensor.data = encode_elements(values, tensor.dtype);
}

TEST_F(RouterWeights, AreRecordedByLayerAndExpert) {
  BuiltCheckpoint built = f32_checkpoint();
  std::vector<float> rows(8 * 16), bias(8);
  for (std::size_t e = 0; e < 8; ++e) {
    rows[e * 16 + e] = 3;
    rows[e * 16 + 15] = 4;  // which they share
    bias[e] = static_cast<float>(e) / 8;
  }
  set(built, "model.layers.2.mlp.gate.weight", rows);
  set(built, "model.layers.2.mlp.gate.e_score_correction_bias", bias);
  add(built);
  const RouterRecord record = read();
  EXPECT_THAT(record.layers, ElementsAre(1, 2));
  for (std::size_t e = 0; e < 8; ++e) {
    EXPECT_DOUBLE_EQ(record.row_norm[8 + e], 5);
    EXPECT_EQ(record.bias[8 + e], static_cast<float>(e) / 8);
    for (std::size_t other = 0; other < 8; ++other)
      EXPECT_FLOAT_EQ(record.row_cosine[(8 + e) * 8 + other], e == other ? 1 : 16.0f / 25);
  }
  EXPECT_THAT(record.match, IsEmpty());
}

TEST_F(RouterWeights, OfAZeroRowHaveNoDirection) {
  BuiltCheckpoint built = f32_checkpoint();
  std::vector<float> rows(8 * 16);
  rows[0] = 1;
  set(built, "model.layers.1.mlp.gate.weight", rows);
  add(built);
  const RouterRecord record = read();
  EXPECT_EQ(record.row_cosine[0], 1);
  EXPECT_THAT(std::span(record.row_cosine).subspan(1, 63), Each(IsNan()));
  EXPECT_EQ(record.row_norm[1], 0);
}

/// Router rows that have little in common: expert e's stands in row (e + shift) % 8.
std::vector<float> distinct_rows(std::size_t shift) {
  std::vector<float> rows(8 * 16, 0.1f);
  for (std::size_t e = 0; e < 8; ++e) rows[(e + shift) % 8 * 16 + e] = 1;
  return rows;
}

TEST_F(RouterWeights, TellWhereExpertsWentAndWarn) {
  BuiltCheckpoint built = f32_checkpoint();
  for (const std::size_t shift : {0, 3, 3}) {
    set(built, "model.layers.2.mlp.gate.weight", distinct_rows(shift));
    add(built);
  }
  const RouterRecord record = read(2);
  EXPECT_THAT(record.match, SizeIs(2 * 2 * 8));
  for (int e = 0; e < 8; ++e) {
    EXPECT_EQ(record.match[static_cast<std::size_t>(e)], e);                // layer 1
    EXPECT_EQ(record.match[static_cast<std::size_t>(8 + e)], (e + 3) % 8);  // layer 2
    EXPECT_EQ(record.match[static_cast<std::size_t>(16 + 8 + e)], e);       // and from there on
    EXPECT_NEAR(record.match_cosine[static_cast<std::size_t>(8 + e)], 1, 1e-12);
  }
  EXPECT_THAT(record.moved, ElementsAre(0, 8, 0, 0));
  const std::vector<std::string> names = {"a", "b", "c"};
  const std::vector<std::string> warnings = permutation_warnings(record, names);
  ASSERT_THAT(warnings, SizeIs(1));
  EXPECT_THAT(warnings[0], HasSubstr("between a and b: layer 2 (8 of 8)"));
}

TEST_F(RouterWeights, OfUnrelatedCheckpointsGiveNoWarning) {
  for (std::uint64_t seed : {1, 2, 3, 4}) {
    CheckpointOptions options;
    options.seed = seed;
    add(build_checkpoint(options));
  }
  const RouterRecord record = read();
  EXPECT_THAT(permutation_warnings(record, std::vector<std::string>{"a", "b", "c", "d"}), IsEmpty());
  EXPECT_GT(std::ranges::count(record.match, -1), 0);
}

}  // namespace
}  // namespace moescope
