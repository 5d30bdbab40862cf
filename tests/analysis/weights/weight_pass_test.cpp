#include "analysis/weights/weight_pass.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <random>
#include <stdexcept>

#include "analysis/kernels/element_convert.h"
#include "metrics/weights/weight_drift.h"
#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "readers/sanitizers.h"
#include "tests/analysis/weights/all_weights.h"
#include "tests/analysis/weights/large_experts.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/random_values.h"
#include "tests/support/source_path.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

constexpr std::uint64_t ample = 1 << 28;

/// Checkpoints that stay open as long as the test.
class Series {
 public:
  Series() = default;
  explicit Series(const std::vector<std::filesystem::path>& directories) {
    for (const std::filesystem::path& directory : directories) add(directory);
  }
  void add(const std::filesystem::path& directory, std::span<const Family> families = known_families()) {
    checkpoints_.push_back(Checkpoint::open(directory, families));
    weights_.emplace_back(checkpoints_.back());
    views_.push_back({&checkpoints_.back(), &weights_.back()});
  }

  const std::vector<CheckpointWeights>& views() const { return views_; }
  std::size_t size() const { return views_.size(); }

  std::vector<float> values(std::size_t checkpoint, std::size_t index) const {
    const Weight& weight = weights_[checkpoint].all()[index];
    std::vector<std::byte> bytes(weight.bytes());
    checkpoints_[checkpoint].shards()[weight.shard].read(weight.offset, bytes);
    std::vector<float> result(weight.size());
    convert_to_float(weight.dtype, bytes, result);
    return result;
  }

 private:
  std::deque<Checkpoint> checkpoints_;
  std::deque<ModelWeights> weights_;
  std::vector<CheckpointWeights> views_;
};

std::vector<WeightTrajectory> trace(const Series& series, unsigned threads = 1,
                                    std::uint64_t memory = ample) {
  ThreadPool pool(threads);
  std::vector<WeightTrajectory> all;
  trace_weights(series.views(), all_weights(series.views()), pool, {memory},
                [&](const WeightTrajectory& one) { all.push_back(one); });
  return all;
}

void expect_same_bytes(const std::vector<WeightTrajectory>& a, const std::vector<WeightTrajectory>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].weight->name, b[i].weight->name);
    EXPECT_EQ(a[i].products.inner_product, b[i].products.inner_product);
    EXPECT_EQ(a[i].products.delta_inner_product, b[i].products.delta_inner_product);
    for (std::size_t c = 0; c < a[i].stats.size(); ++c) {
      EXPECT_EQ(a[i].stats[c].norm, b[i].stats[c].norm);
      EXPECT_EQ(a[i].stats[c].mean, b[i].stats[c].mean);
      EXPECT_EQ(a[i].stats[c].standard_deviation, b[i].stats[c].standard_deviation);
      EXPECT_EQ(a[i].stats[c].max_abs, b[i].stats[c].max_abs);
      EXPECT_EQ(std::bit_cast<std::uint64_t>(a[i].stats[c].kurtosis),
                std::bit_cast<std::uint64_t>(b[i].stats[c].kurtosis));  // NaN where all elements are equal
      EXPECT_EQ(a[i].sketches[c].sums, b[i].sketches[c].sums);
    }
    for (std::size_t step = 0; step < a[i].steps.size(); ++step) {
      EXPECT_EQ(a[i].steps[step].counts, b[i].steps[step].counts);
    }
  }
}

/// The demo series, or its first checkpoints.
Series tiny_series(std::size_t checkpoints = 13) {
  std::vector<std::filesystem::path> directories;
  for (const char* name :
       {"00T", "01T", "02T", "03T", "04T", "05T", "06T", "07T", "08T", "09T", "10T", "11T", "11.2T"}) {
    directories.push_back(std::filesystem::path(source_path("data/tiny-dots1")) /
                          ("tiny-dots1-" + std::string(name)));
  }
  directories.resize(checkpoints);
  return Series(directories);
}

/// The plain computation: element by element in float64, from differences of the stored values.
double plain_relative_drift(const std::vector<float>& from, const std::vector<float>& to) {
  double moved = 0, norm = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const double step = static_cast<double>(to[i]) - from[i];
    moved += step * step;
    norm += static_cast<double>(from[i]) * from[i];
  }
  return std::sqrt(moved) / std::sqrt(norm);
}

double plain_inner(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

/// Writes a checkpoint whose embedding, [V, H] and F32, holds these values (their number is a multiple of
/// 16).
void write_embedding(const std::filesystem::path& directory, const std::vector<float>& values) {
  CheckpointOptions options;
  options.dtype = DType::f32;
  options.vocab_size = static_cast<std::int64_t>(values.size()) / options.hidden_size;
  options.tie_word_embeddings = true;
  BuiltCheckpoint built = build_checkpoint(options);
  built.tensor("model.embed_tokens.weight").data = encode_elements(values, DType::f32);
  built.write(directory);
}

/// The trajectory of one tensor through these values.
WeightTrajectory trace_values(const std::vector<std::vector<float>>& versions, unsigned threads = 1) {
  const TemporaryDirectory directory;
  std::vector<std::filesystem::path> paths;
  for (std::size_t c = 0; c < versions.size(); ++c) {
    paths.push_back(directory / std::to_string(c));
    write_embedding(paths.back(), versions[c]);
  }
  WeightTrajectory embedding = trace(Series(paths), threads).front();
  embedding.weight = nullptr;  // the series is gone
  return embedding;
}

TEST(WeightPass, AgreesWithPlainFloat64OnTheTinySeries) {
  const Series series = tiny_series();
  const std::size_t count = series.size();
  for (const WeightTrajectory& one : trace(series, 2)) {
    const std::vector<double> drift = relative_drift(one.products);
    for (std::size_t s = 0; s < count; ++s) {
      const std::vector<float> from = series.values(s, one.index);
      for (std::size_t t = 0; t < count; t += 3) {
        const std::vector<float> to = series.values(t, one.index);
        const double scale = one.stats[s].norm * one.stats[t].norm;
        EXPECT_NEAR(one.products.inner_product[s * count + t], plain_inner(from, to), 1e-12 * scale)
            << one.weight->name;
        const double expected = plain_relative_drift(from, to);
        if (one.stats[s].norm > 0) {
          EXPECT_NEAR(drift[s * count + t], expected, 1e-10 * expected)
              << one.weight->name << " " << s << " " << t;
        } else {
          EXPECT_THAT(drift[s * count + t], testing::IsNan());  // the correction biases begin as zeros
        }
      }
      EXPECT_NEAR(one.stats[s].norm, std::sqrt(plain_inner(from, from)), 1e-12 * one.stats[s].norm);
    }
  }
}

TEST(WeightPass, ThreadsAndMemoryDoNotChangeAByte) {
  const Series series = tiny_series(MOESCOPE_SANITIZED ? 5 : 13);
  const std::vector<WeightTrajectory> expected = trace(series, 1);
  expect_same_bytes(trace(series, 2), expected);
  expect_same_bytes(trace(series, 5), expected);
  expect_same_bytes(trace(series, 2, 0), expected);
  expect_same_bytes(trace(series, 3, 500000), expected);
}

TEST(WeightPass, LargeTensorsDoNotDependOnThreadsOrMemory) {
  const TemporaryDirectory directory;
  write_embedding(directory / "a", normal_values<float>(300000, 1, 0.02f));
  write_embedding(directory / "b", normal_values<float>(300000, 2, 0.02f));
  const Series series({directory / "a", directory / "b"});
  const std::vector<WeightTrajectory> expected = trace(series, 1);
  expect_same_bytes(trace(series, 4), expected);
  expect_same_bytes(trace(series, 4, 0), expected);
}

TEST(WeightPass, CallsTheSinkInCanonicalOrder) {
  const Series series = tiny_series();
  const auto weights = series.views().front().weights->all();
  const std::vector<WeightTrajectory> all = trace(series, 3);
  ASSERT_EQ(all.size(), weights.size());
  for (std::size_t w = 0; w < all.size(); ++w) {
    EXPECT_EQ(all[w].index, w);
    EXPECT_EQ(all[w].weight, &weights[w]);
  }
}

TEST(WeightPass, TinyRelativeDifferencesKeepTheirDigits) {
  std::vector<std::vector<float>> versions = {normal_values<float>(70400, 3, 0.02f)};
  std::mt19937 generator(4);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (int step = 0; step < 3; ++step) {
    versions.push_back(versions.back());
    for (float& value : versions.back()) value *= 1 + 1e-6f * uniform(generator);
  }
  const std::vector<double> drift = relative_drift(trace_values(versions, 2).products);
  for (std::size_t s = 0; s < 4; ++s) {
    for (std::size_t t = 0; t < 4; ++t) {
      const double expected = plain_relative_drift(versions[s], versions[t]);
      EXPECT_LT(expected, 2e-6);
      EXPECT_NEAR(drift[s * 4 + t], expected, 1e-10 * expected);
    }
  }
}

TEST(WeightPass, OfIdenticalTensorsHasNoDrift) {
  const std::vector<float> values = normal_values<float>(1600, 5, 0.02f);
  const WeightTrajectory one = trace_values({values, values, values});
  EXPECT_THAT(one.products.delta_inner_product, testing::Each(0.0));
  EXPECT_THAT(relative_drift(one.products), testing::Each(0.0));
  EXPECT_THAT(weight_cosine(one.products), testing::Each(testing::DoubleEq(1)));
}

TEST(WeightPass, OfAScaledTensorHasCosineOne) {
  const std::vector<float> values = normal_values<float>(1600, 6, 0.02f);
  std::vector<float> twice = values;
  for (float& value : twice) value *= 2;
  const WeightTrajectory one = trace_values({values, twice});
  EXPECT_DOUBLE_EQ(relative_drift(one.products)[1], 1);
  EXPECT_DOUBLE_EQ(weight_cosine(one.products)[1], 1);
  EXPECT_DOUBLE_EQ(one.stats[1].norm, 2 * one.stats[0].norm);
}

TEST(WeightPass, OfOrthogonalTensorsHasInnerProductZero) {
  std::vector<float> even(1600), odd(1600);
  for (std::size_t i = 0; i < 1600; i += 2) even[i] = odd[i + 1] = 0.5f;
  const WeightTrajectory one = trace_values({even, odd});
  EXPECT_EQ(one.products.inner_product[1], 0);
  EXPECT_DOUBLE_EQ(relative_drift(one.products)[1], std::sqrt(2.0));
}

TEST(WeightPass, OfAZeroTensorIsUnknownWhereDividedByIt) {
  const WeightTrajectory one = trace_values({std::vector<float>(160), normal_values<float>(160, 7, 0.02f)});
  EXPECT_THAT(relative_drift(one.products)[1], testing::IsNan());
  EXPECT_DOUBLE_EQ(relative_drift(one.products)[2], 1);
  EXPECT_EQ(one.stats[0].norm, 0);
}

TEST(WeightPass, NonFiniteElementsAreCountedAndSpoilOnlyTheirCheckpoint) {
  std::vector<float> broken = normal_values<float>(160, 8, 0.02f);
  broken[5] = std::numeric_limits<float>::infinity();
  broken[9] = std::numeric_limits<float>::quiet_NaN();
  const WeightTrajectory one = trace_values({normal_values<float>(160, 9, 0.02f), broken});
  EXPECT_EQ(one.stats[0].nonfinite_count, 0);
  EXPECT_EQ(one.stats[1].nonfinite_count, 2);
  EXPECT_TRUE(std::isfinite(one.stats[1].norm));
  EXPECT_TRUE(std::isfinite(one.products.inner_product[0]));
  EXPECT_FALSE(std::isfinite(one.products.inner_product[3]));
  EXPECT_FALSE(std::isfinite(relative_drift(one.products)[1]));
}

TEST(WeightPass, OfOneCheckpointHasNormsAlone) {
  const WeightTrajectory one = trace_values({normal_values<float>(160, 10, 0.02f)});
  EXPECT_EQ(one.products.inner_product.size(), 1u);
  EXPECT_THAT(one.products.delta_inner_product, testing::IsEmpty());
  EXPECT_NEAR(one.products.inner_product[0], one.stats[0].norm * one.stats[0].norm, 1e-15);
}

TEST(WeightPass, FusedAndSeparateExpertsGiveTheSameNumbers) {
  const TemporaryDirectory directory;
  for (const bool fused : {false, true}) {
    for (const unsigned seed : {1u, 2u}) {
      CheckpointOptions options;
      options.fused_experts = fused;
      options.seed = seed;
      write_checkpoint(directory / ((fused ? "fused" : "separate") + std::to_string(seed)), options);
    }
  }
  const Series separate({directory / "separate1", directory / "separate2"});
  const Series fused({directory / "fused1", directory / "fused2"});
  const Series mixed({directory / "separate1", directory / "fused2"});
  const std::vector<WeightTrajectory> expected = trace(separate);
  expect_same_bytes(trace(fused), expected);
  expect_same_bytes(trace(mixed), expected);
}

TEST(WeightPass, MatricesStoredTransposedGiveTheSameNumbers) {
  for (const DType dtype : {DType::bf16, DType::f32}) {
    const TemporaryDirectory directory;
    for (const std::uint64_t seed : {1, 2}) {
      write_large_experts(directory / ("rows" + std::to_string(seed)), seed, dtype, false);
      write_large_experts(directory / ("columns" + std::to_string(seed)), seed, dtype, true);
    }
    Series upright, transposed({directory / "columns1", directory / "columns2"}), mixed, mixed_later;
    upright.add(directory / "rows1", upright_families());
    upright.add(directory / "rows2", upright_families());
    mixed.add(directory / "columns1");
    mixed.add(directory / "rows2", upright_families());
    mixed_later.add(directory / "rows1", upright_families());
    mixed_later.add(directory / "columns2");
    const std::vector<WeightTrajectory> expected = trace(upright);
    expect_same_bytes(trace(transposed), expected);
    expect_same_bytes(trace(mixed), expected);
    expect_same_bytes(trace(mixed_later), expected);
    expect_same_bytes(trace(mixed, 3, 0), expected);  // in pieces of one task
  }
}

TEST(WeightPass, ReckonsTheMatricesThatItTransposes) {
  const TemporaryDirectory directory;
  write_large_experts(directory / "rows", 1, DType::bf16, false);
  write_large_experts(directory / "columns", 1, DType::bf16, true);
  const Checkpoint rows = Checkpoint::open(directory / "rows", upright_families()),
                   columns = Checkpoint::open(directory / "columns");
  const ModelWeights upright(rows), transposed(columns);
  const auto bytes = [](const ModelWeights& a, const ModelWeights& b) {
    return weight_pass_bytes(std::array{&a, &b}, 2, 0);
  };
  constexpr std::uint64_t largest = 640 * 288 * sizeof(std::uint16_t);
  EXPECT_EQ(bytes(upright, transposed), bytes(upright, upright) + largest);
  EXPECT_EQ(bytes(transposed, transposed), bytes(upright, upright) + 2 * largest);
}

TEST(WeightPass, StoredTypesMayDifferBetweenCheckpoints) {
  const TemporaryDirectory directory;
  CheckpointOptions options;
  options.bias_dtype = DType::f32;
  write_checkpoint(directory / "f32", options);
  options.bias_dtype = DType::bf16;
  write_checkpoint(directory / "bf16", options);
  const Series series({directory / "f32", directory / "bf16"});
  for (const WeightTrajectory& one : trace(series)) {
    if (one.weight->key.role != Role::score_correction_bias) continue;
    const double rounded = relative_drift(one.products)[1];
    EXPECT_GT(rounded, 0);
    EXPECT_LT(rounded, 0x1p-8);
  }
}

TEST(WeightPass, NamesTheTensorAndBothCheckpointsWhenShapesDiffer) {
  const TemporaryDirectory directory;
  CheckpointOptions options;
  write_checkpoint(directory / "small", options);
  options.moe_intermediate_size *= 2;
  write_checkpoint(directory / "wide", options);
  const Series series({directory / "small", directory / "wide"});
  try {
    trace(series);
    FAIL() << "expected a FormatError";
  } catch (const FormatError& error) {
    EXPECT_THAT(
        error.what(),
        testing::AllOf(testing::HasSubstr("model.layers.1.mlp.experts.0.gate_proj.weight"),
                       testing::HasSubstr("small"), testing::HasSubstr("wide"),
                       testing::HasSubstr("expected shape [8, 16]"), testing::HasSubstr("found [16, 16]")));
  }
}

TEST(WeightPass, NamesTheTensorThatOneCheckpointLacks) {
  const TemporaryDirectory directory;
  CheckpointOptions options;
  write_checkpoint(directory / "own_head", options);
  options.tie_word_embeddings = true;
  write_checkpoint(directory / "tied", options);
  EXPECT_THROW(trace(Series({directory / "own_head", directory / "tied"})), FormatError);
  EXPECT_THROW(trace(Series({directory / "tied", directory / "own_head"})), FormatError);
}

TEST(WeightPass, WhatTheSinkThrowsEndsThePass) {
  const Series series = tiny_series();
  ThreadPool pool(2);
  int calls = 0;
  EXPECT_THROW(trace_weights(series.views(), all_weights(series.views()), pool, {ample},
                             [&](const WeightTrajectory&) {
                               if (++calls == 3) throw std::runtime_error("enough");
                             }),
               std::runtime_error);
  EXPECT_EQ(calls, 3);
}

}  // namespace
}  // namespace moescope
