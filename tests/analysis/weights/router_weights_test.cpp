#include "analysis/weights/router_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/analysis/weights/all_weights.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::DoubleNear;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsNan;
using testing::Not;
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
    return read_routers(views, sketches(views, pool), pool);
  }
  /// Empty without with_sketches_.
  SketchReader sketches(const std::vector<CheckpointWeights>& views, ThreadPool& pool) const {
    if (!with_sketches_) return {};
    std::vector<std::vector<WeightSketch>> all;  // (W, C)
    trace_weights(views, all_weights(views), pool, {1 << 26},
                  [&](const WeightTrajectory& one) { all.push_back(one.sketches); });
    return [all](std::uint64_t checkpoint, std::uint64_t first, std::uint64_t count) {
      std::vector<float> read;
      for (std::uint64_t w = first; w < first + count; ++w) {
        const std::vector<float> values = all[w][checkpoint].values();
        read.insert(read.end(), values.begin(), values.end());
      }
      return read;
    };
  }

  TemporaryDirectory directory_;
  std::vector<Checkpoint> checkpoints_;
  std::vector<ModelWeights> weights_;
  bool with_sketches_ = true;
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

/// Moves the experts of layer 2, weights alone: e goes to (e + shift) % 8.
BuiltCheckpoint with_moved_experts(const BuiltCheckpoint& built, std::size_t shift) {
  BuiltCheckpoint moved = built;
  for (std::size_t e = 0; e < 8; ++e) {
    for (const char* part : {"gate", "up", "down"}) {
      const auto name = [&](std::size_t expert) {
        return "model.layers.2.mlp.experts." + std::to_string(expert) + "." + part + "_proj.weight";
      };
      moved.tensor(name((e + shift) % 8)).data = BuiltCheckpoint(built).tensor(name(e)).data;
    }
  }
  return moved;
}

std::vector<std::int32_t> shifted(std::int32_t shift) {
  std::vector<std::int32_t> places;
  for (std::int32_t e = 0; e < 8; ++e) places.push_back((e + shift) % 8);
  return places;
}

/// Of layer 2, in the first step between checkpoints.
template <class Value>
std::vector<Value> second_layer(const std::vector<Value>& values) {
  return {values.begin() + 8, values.begin() + 16};
}

TEST_F(RouterWeights, TellPermutedExpertsByRowsAndByWeights) {
  BuiltCheckpoint built = f32_checkpoint();
  set(built, "model.layers.2.mlp.gate.weight", distinct_rows(0));
  add(built);
  set(built, "model.layers.2.mlp.gate.weight", distinct_rows(3));
  add(with_moved_experts(built, 3));
  const RouterRecord record = read(2);
  EXPECT_EQ(second_layer(record.match), shifted(3));
  EXPECT_EQ(second_layer(record.weight_match), shifted(3));
  EXPECT_THAT(second_layer(record.match_cosine), Each(DoubleNear(1, 1e-12)));
  EXPECT_THAT(second_layer(record.weight_match_cosine), Each(DoubleNear(1, 1e-12)));
  EXPECT_EQ(record.moves[0].moved, 0u);
  const std::vector<std::string> warnings = permutation_warnings(record, std::vector<std::string>{"a", "b"});
  ASSERT_THAT(warnings, SizeIs(1));
  EXPECT_THAT(warnings[0], HasSubstr("layer 2 (8 of 8, cosine of router rows 1.00, of weights 1.00);"));
}

TEST_F(RouterWeights, TellExpertsThatMovedWithoutTheirRows) {
  BuiltCheckpoint built = f32_checkpoint();
  set(built, "model.layers.2.mlp.gate.weight", distinct_rows(0));
  add(built);
  add(with_moved_experts(built, 5));
  const RouterRecord record = read();
  EXPECT_EQ(second_layer(record.match), shifted(0));
  EXPECT_EQ(second_layer(record.weight_match), shifted(5));
  EXPECT_EQ(record.moves[1].moved, 8u);
  const std::vector<std::string> warnings = permutation_warnings(record, std::vector<std::string>{"a", "b"});
  ASSERT_THAT(warnings, SizeIs(1));
  EXPECT_THAT(warnings[0], HasSubstr("in 1 layer router rows and weights do not agree"));
}

TEST_F(RouterWeights, WithoutSketchesAreComparedByRowsAlone) {
  with_sketches_ = false;
  BuiltCheckpoint built = f32_checkpoint();
  add(built);
  add(with_moved_experts(built, 5));
  const RouterRecord record = read();
  EXPECT_THAT(record.weight_match, IsEmpty());
  EXPECT_THAT(permutation_warnings(record, std::vector<std::string>{"a", "b"}), Each(IsEmpty()));
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
  std::vector<std::size_t> moved;
  for (const LayerMoves& moves : record.moves) moved.push_back(moves.moved);
  EXPECT_THAT(moved, ElementsAre(0, 8, 0, 0));
  const std::vector<std::string> names = {"a", "b", "c"};
  const std::vector<std::string> warnings = permutation_warnings(record, names);
  ASSERT_THAT(warnings, ElementsAre(Not(IsEmpty()), IsEmpty()));
  EXPECT_THAT(warnings[0], HasSubstr("between a and b: layer 2 (8 of 8, cosine of router rows 1.00"));
}

TEST_F(RouterWeights, OfUnrelatedCheckpointsGiveNoWarning) {
  for (std::uint64_t seed : {1, 2, 3, 4}) {
    CheckpointOptions options;
    options.seed = seed;
    add(build_checkpoint(options));
  }
  const RouterRecord record = read();
  EXPECT_THAT(permutation_warnings(record, std::vector<std::string>{"a", "b", "c", "d"}), Each(IsEmpty()));
  EXPECT_GT(std::ranges::count(record.match, -1), 0);
}

}  // namespace
}  // namespace moescope
