#include "analysis/run_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "analysis/drift_metrics.h"
#include "analysis/element_convert.h"
#include "analysis/run_layout.h"
#include "analysis/weight_pass.h"
#include "analysis/weight_recorder.h"
#include "metrics/expert_load.h"
#include "metrics/metric_info.h"
#include "readers/run_schema.h"
#include "readers/source_file.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::IsNan;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

// The hand-made record: C = 3 checkpoints, D = 2 domains, L = 2 layers, E = 4, K = 2, T = 5 tokens.
// Tokens 0, 2, 4 are of domain 0, tokens 1, 3 of domain 1.
constexpr std::size_t checkpoints = 3, layers = 2, experts = 4, top_k = 2, tokens = 5;
const std::vector<std::int32_t> domain_of = {0, 1, 0, 1, 0};
/// (C, L, T, K), best first.
const std::vector<std::uint16_t> topk_index = {
    0, 1, 1, 2, 0, 2, 3, 0, 1, 0, /**/ 2, 3, 2, 3, 2, 3, 2, 3, 2, 3,  // 00T
    0, 1, 2, 1, 0, 3, 1, 2, 3, 2, /**/ 0, 1, 0, 1, 0, 1, 0, 1, 0, 1,  // 01T
    0, 1, 1, 2, 3, 0, 3, 0, 2, 3, /**/ 2, 3, 0, 1, 3, 2, 1, 0, 2, 0,  // 02T
};

/// Any numbers that differ from cell to cell, exact in float.
float cell_value(std::size_t c, std::size_t l, std::size_t t, double scale) {
  return static_cast<float>(scale * (1 + static_cast<double>((c * 7 + l * 5 + t * t * 3) % 16)));
}

std::vector<float> cells(double scale) {
  std::vector<float> values;
  for (std::size_t c = 0; c < checkpoints; ++c) {
    for (std::size_t l = 0; l < layers; ++l) {
      for (std::size_t t = 0; t < tokens; ++t) values.push_back(cell_value(c, l, t, scale));
    }
  }
  return values;
}

std::vector<std::int64_t> expert_counts() {
  std::vector<std::int64_t> counts(checkpoints * 2 * layers * experts);
  for (std::size_t c = 0; c < checkpoints; ++c) {
    for (std::size_t l = 0; l < layers; ++l) {
      for (std::size_t t = 0; t < tokens; ++t) {
        for (std::size_t k = 0; k < top_k; ++k) {
          const std::size_t expert = topk_index[((c * layers + l) * tokens + t) * top_k + k];
          ++counts[((c * 2 + static_cast<std::size_t>(domain_of[t])) * layers + l) * experts + expert];
        }
      }
    }
  }
  return counts;
}

/// nll of checkpoint c: 1, NaN, 3, 5, NaN plus c.
std::vector<float> losses() {
  std::vector<float> nll;
  for (std::size_t c = 0; c < checkpoints; ++c) {
    for (const float value : {1.0f, nan, 3.0f, 5.0f, nan}) nll.push_back(value + static_cast<float>(c));
  }
  return nll;
}

void define_checkpoints(RunFile& run, const std::vector<std::string>& names) {
  run.define_dimension(raw_dataset("/checkpoint"), names);
  run.define_dimension(raw_dataset("/other_checkpoint"), names);
}

template <class T>
void define_and_write(RunFile& run, const char* path, const std::vector<T>& values) {
  run.define(raw_dataset(path));
  run.write<T>(path, values);
}

void define_routing(RunFile& run) {
  run.define_dimension(raw_dataset("/moe_layer"), std::vector<std::int64_t>{1, 2});
  run.define_dimension(raw_dataset("/expert"), std::vector<std::int64_t>{0, 1, 2, 3});
  run.define_dimension("rank", top_k);
  define_and_write(run, "/routing/topk_index", topk_index);
  define_and_write(run, "/routing/expert_count", expert_counts());
  define_and_write(run, "/routing/token_count", std::vector<std::int64_t>{3, 2});
  define_and_write(run, "/routing/entropy", cells(0.125));
  define_and_write(run, "/routing/margin", cells(0.0625));
  define_and_write(run, "/routing/topk_mass", cells(0.03125));
  define_and_write(run, "/routing/top1_share", cells(0.0625));
  define_and_write(run, "/routing/topk_weight_entropy", cells(0.0625));
  std::vector<std::uint8_t> flips(checkpoints * layers * tokens, 0);
  flips[0] = 2;
  flips[2] = 1;  // checkpoint 0, layer 0, tokens 0 and 2: 3 of the 6 choices of domain 0
  define_and_write(run, "/routing/bias_flips", flips);
}

/// The record of a forward pass, of the checkpoints whose `status` is 1.
RunFile make_forward_run(const std::filesystem::path& path,
                         const std::vector<std::uint8_t>& status = {1, 1, 1}) {
  RunFile run = RunFile::create(path);
  define_checkpoints(run, {"00T", "01T", "02T"});
  run.define_dimension(raw_dataset("/domain"), std::vector<std::string>{"prose", "code"});
  run.define_dimension("token", tokens);
  define_and_write(run, "/corpus/domain", domain_of);
  define_and_write(run, "/corpus/position", std::vector<std::int32_t>{0, 1, 0, 1, 2});
  define_and_write(run, "/status/forward", status);
  define_and_write(run, "/loss/nll", losses());
  define_routing(run);
  return run;
}

class RunMetrics : public testing::Test {
 protected:
  std::vector<double> metric(const RunFile& run, const std::string& name) {
    return run.read<double>("/metrics/" + name);
  }
  double bound(const RunFile& run, const std::string& name, const std::string& attribute) {
    return std::get<double>(run.attribute("/metrics/" + name, attribute).value());
  }

  const TemporaryDirectory directory_;
  const std::filesystem::path path_ = directory_ / "run.h5";
};

TEST_F(RunMetrics, LoadsOfADomainAreItsCountsOverItsTokens) {
  RunFile run = make_forward_run(path_);
  write_run_metrics(run);
  const Slab first_layer{{0, 0, 0, 0}, {1, 1, 1, experts}};  // domain 0: {0,1}, {0,2}, {1,0}
  EXPECT_THAT(run.read<double>("/metrics/expert_load", first_layer),
              ElementsAre(1, DoubleNear(2.0 / 3, 1e-15), DoubleNear(1.0 / 3, 1e-15), 0));
  EXPECT_THAT(run.read<double>("/metrics/relative_load", first_layer),
              ElementsAre(2, DoubleNear(4.0 / 3, 1e-15), DoubleNear(2.0 / 3, 1e-15), 0));
}

TEST_F(RunMetrics, ScalarsOfLoadMatchTheFunctionsOfTheCounts) {
  RunFile run = make_forward_run(path_);
  write_run_metrics(run);
  const std::vector<std::int64_t> counts = expert_counts();
  const std::vector<std::pair<const char*, double (*)(std::span<const std::int64_t>)>> functions = {
      {"max_violation", max_violation},
      {"min_violation", min_violation},
      {"mean_violation", mean_violation},
      {"load_cv", load_cv},
      {"load_gini", load_gini},
      {"load_entropy", load_entropy},
      {"effective_experts", effective_experts},
      {"dead_experts", dead_experts},
      {"cold_experts", cold_experts},
      {"hot_experts", hot_experts}};
  for (const auto& [name, function] : functions) {
    const std::vector<double> values = metric(run, name);
    ASSERT_EQ(values.size(), counts.size() / experts);
    for (std::size_t row = 0; row < values.size(); ++row) {
      EXPECT_EQ(values[row], function(std::span(counts).subspan(row * experts, experts))) << name;
    }
  }
}

TEST_F(RunMetrics, PooledLoadIsThatOfAllTokensTogether) {
  RunFile run = make_forward_run(path_);
  write_run_metrics(run);
  // Checkpoint 0: layer 0 counts 4, 3, 2, 1 of 10; layer 1 all tokens take experts 2 and 3.
  EXPECT_THAT(metric(run, "max_violation_pooled"),
              ElementsAre(DoubleNear(0.6, 1e-15), 1, testing::_, testing::_, testing::_, testing::_));
  EXPECT_DOUBLE_EQ(metric(run, "load_cv_pooled")[0], std::sqrt((2.25 + 0.25 + 0.25 + 2.25) / 4) / 2.5);
  EXPECT_DOUBLE_EQ(metric(run, "load_entropy_pooled")[1], 0.5);
}

TEST_F(RunMetrics, MeansAndQuantilesAreOverTheTokensOfADomain) {
  RunFile run = make_forward_run(path_);
  write_run_metrics(run);
  for (std::size_t c = 0; c < checkpoints; ++c) {
    for (std::size_t l = 0; l < layers; ++l) {
      std::vector<double> prose;
      for (const std::size_t t : {0u, 2u, 4u}) prose.push_back(cell_value(c, l, t, 0.125));
      std::sort(prose.begin(), prose.end());
      const std::size_t cell = (c * 2 + 0) * layers + l;
      EXPECT_DOUBLE_EQ(metric(run, "router_entropy")[cell], (prose[0] + prose[1] + prose[2]) / 3);
      const std::vector<double> levels = metric(run, "router_entropy_quantile");
      EXPECT_DOUBLE_EQ(levels[cell], prose[0] + 0.1 * (prose[1] - prose[0]));
      EXPECT_DOUBLE_EQ(levels[12 + cell], prose[1]);
      EXPECT_DOUBLE_EQ(levels[24 + cell], prose[1] + 0.9 * (prose[2] - prose[1]));
    }
  }
  double pooled = 0;
  for (std::size_t t = 0; t < tokens; ++t) pooled += cell_value(2, 1, t, 0.125) / 5.0;
  EXPECT_DOUBLE_EQ(metric(run, "router_entropy_pooled")[5], pooled);
}

TEST_F(RunMetrics, FlipsAreAShareOfAllChoices) {
  RunFile run = make_forward_run(path_);
  write_run_metrics(run);
  EXPECT_DOUBLE_EQ(metric(run, "bias_flip_rate")[0], 0.5);
  EXPECT_EQ(metric(run, "bias_flip_rate")[2], 0);  // domain 1
}

TEST_F(RunMetrics, SaturationComparesWithTheLastCheckpoint) {
  RunFile run = make_forward_run(path_);
  write_run_metrics(run);
  // Layer 0, 00T against 02T: {0,1} {0,1}, {1,2} {1,2}, {0,2} {3,0}, {3,0} {3,0}, {1,0} {2,3}: 7 of 10.
  // Layer 0, 01T against 02T: 2, 2, 2, 0, 2 of 2.
  // Layer 1: 00T 2, 0, 2, 0, 1; 01T 0, 2, 0, 2, 1.
  EXPECT_THAT(metric(run, "router_saturation"),
              testing::Pointwise(testing::DoubleEq(), {0.7, 0.5, 0.8, 0.5, 1.0, 1.0}));
  // Same first choice: 00T 0, 1, -, 3, - and 2, -, -, -, 2; 01T 0, -, -, -, - and -, 0, -, -, -.
  EXPECT_THAT(metric(run, "router_saturation_top1"),
              testing::Pointwise(testing::DoubleEq(), {0.6, 0.4, 0.2, 0.2, 1.0, 1.0}));
}

TEST_F(RunMetrics, AgreementIsSymmetricWithOnesOnTheDiagonal) {
  RunFile run = make_forward_run(path_);
  write_run_metrics(run);
  const std::vector<double> agreement = metric(run, "routing_agreement"),
                            jaccard = metric(run, "routing_jaccard");
  for (std::size_t a = 0; a < checkpoints; ++a) {
    for (std::size_t l = 0; l < layers; ++l) {
      EXPECT_EQ(agreement[(a * 3 + a) * layers + l], 1);
      for (std::size_t b = 0; b < checkpoints; ++b) {
        EXPECT_EQ(agreement[(a * 3 + b) * layers + l], agreement[(b * 3 + a) * layers + l]);
      }
    }
  }
  EXPECT_DOUBLE_EQ(agreement[(0 * 3 + 2) * layers], 0.7);
  EXPECT_DOUBLE_EQ(jaccard[(0 * 3 + 2) * layers], (1 + 1 + 1.0 / 3 + 1 + 0) / 5);
  EXPECT_EQ(agreement[(0 * 3 + 1) * layers + 1], 0);
}

TEST_F(RunMetrics, LossIsTheMeanOverPredictedTokens) {
  RunFile run = make_forward_run(path_);
  write_run_metrics(run);
  EXPECT_THAT(metric(run, "loss"), ElementsAre(2, 5, 3, 6, 4, 7));
  EXPECT_THAT(metric(run, "loss_pooled"), ElementsAre(3, 4, 5));
  EXPECT_DOUBLE_EQ(metric(run, "perplexity")[1], std::exp(5));
  EXPECT_DOUBLE_EQ(metric(run, "perplexity_pooled")[2], std::exp(5));
}

TEST_F(RunMetrics, ChanceLevelsAndBoundsStandBesideTheValues) {
  RunFile run = make_forward_run(path_);
  write_run_metrics(run);
  EXPECT_EQ(bound(run, "router_saturation", "chance"), 0.5);
  EXPECT_EQ(bound(run, "router_saturation_top1", "chance"), 0.25);
  EXPECT_EQ(bound(run, "expert_load", "chance"), 0.5);
  EXPECT_EQ(bound(run, "max_violation", "upper_bound"), 1);
  EXPECT_EQ(bound(run, "load_entropy", "lower_bound"), 0.5);
  EXPECT_EQ(bound(run, "router_entropy", "upper_bound"), std::log(4.0));
  EXPECT_DOUBLE_EQ(metric(run, "load_cv_chance")[0], std::sqrt((4.0 - 2) / (2 * 3)));
  EXPECT_THAT(
      std::get<std::vector<double>>(run.attribute("/metrics/dead_experts", "chance_by_domain").value()),
      ElementsAre(4 * 0.125, 4 * 0.25));
}

TEST_F(RunMetrics, EveryDatasetIsOfTheCatalogueAndExplainsItself) {
  RunFile run = make_forward_run(path_);
  write_run_metrics(run);
  const std::vector<std::string> paths = run.datasets("/metrics");
  EXPECT_GT(paths.size(), 30u);
  for (const std::string& path : paths) {
    const MetricInfo& info = metric_info(path.substr(std::string("/metrics/").size()));
    const DatasetSpec spec = run.describe(path);
    EXPECT_EQ(spec.dimensions, info.axes);
    EXPECT_EQ(spec.unit, info.unit);
    EXPECT_EQ(spec.source, info.source);
    EXPECT_EQ(std::get<std::string>(run.attribute(path, "formula").value()), info.formula);
    EXPECT_TRUE(run.attribute(path, "missing").has_value()) << path;
  }
}

TEST_F(RunMetrics, UnfinishedCheckpointsAreUnknown) {
  RunFile run = make_forward_run(path_, {1, 0, 1});
  write_run_metrics(run);
  EXPECT_THAT(metric(run, "loss"), ElementsAre(2, 5, IsNan(), IsNan(), 4, 7));
  EXPECT_THAT(metric(run, "router_saturation"), ElementsAre(0.7, 0.5, IsNan(), IsNan(), 1, 1));
  for (const char* name : {"max_violation", "dead_experts", "router_entropy", "load_cv_chance"}) {
    const std::vector<double> values = metric(run, name);
    EXPECT_THAT(std::vector(values.begin() + 4, values.begin() + 8), testing::Each(IsNan())) << name;
    EXPECT_THAT(std::vector(values.begin(), values.begin() + 4), testing::Each(testing::Not(IsNan())))
        << name;
  }
}

TEST_F(RunMetrics, SaturationIsUnknownUntilTheLastCheckpointIsFinished) {
  RunFile run = make_forward_run(path_, {1, 1, 0});
  write_run_metrics(run);
  EXPECT_THAT(metric(run, "router_saturation"), testing::Each(IsNan()));
  EXPECT_THAT(metric(run, "router_saturation_top1"), testing::Each(IsNan()));
  EXPECT_EQ(metric(run, "routing_agreement")[0], 1);
}

TEST_F(RunMetrics, MetricsAreRenewedWhenTheRecordHasGrown) {
  RunFile run = make_forward_run(path_, {1, 1, 0});
  write_run_metrics(run);
  run.write<std::uint8_t>("/status/forward", std::vector<std::uint8_t>{1, 1, 1});
  write_run_metrics(run);
  RunFile fresh = make_forward_run(directory_ / "fresh.h5");
  write_run_metrics(fresh);
  for (const std::string& path : fresh.datasets("/metrics")) {
    EXPECT_THAT(run.read<double>(path),
                testing::Pointwise(testing::NanSensitiveDoubleEq(), fresh.read<double>(path)))
        << path;
  }
}

/// Two checkpoints of one model, their weights recorded.
class RunDrift : public RunMetrics {
 protected:
  RunDrift() {
    for (const std::uint64_t seed : {1u, 2u}) {
      CheckpointOptions options;
      options.seed = seed;
      options.dtype = DType::f32;
      const std::filesystem::path path = directory_ / std::to_string(seed);
      write_checkpoint(path, options);
      checkpoints_.push_back(Checkpoint::open(path));
      weights_.emplace_back(checkpoints_.back());
    }
  }

  RunFile record() {
    RunFile run = RunFile::create(path_);
    define_checkpoints(run, {"a", "b"});
    define_and_write(run, "/checkpoint_info/config_json",
                     std::vector<std::string>{checkpoints_[0].config_json(), checkpoints_[1].config_json()});
    std::vector<std::int64_t> layer(static_cast<std::size_t>(checkpoints_[0].config().num_hidden_layers));
    for (std::size_t i = 0; i < layer.size(); ++i) layer[i] = static_cast<std::int64_t>(i);
    run.define_dimension(raw_dataset("/layer"), layer);
    run.define_dimension(raw_dataset("/moe_layer"), checkpoints_[0].config().moe_layers());
    std::vector<std::int64_t> expert(static_cast<std::size_t>(checkpoints_[0].config().n_routed_experts));
    for (std::size_t i = 0; i < expert.size(); ++i) expert[i] = static_cast<std::int64_t>(i);
    run.define_dimension(raw_dataset("/expert"), expert);
    define_and_write(run, "/tokens_seen", std::vector<double>{1e9, 3e9});
    define_weights(run, weights_[0].all(), 2, true);
    return run;
  }

  void record_weights(RunFile& run) {
    const CheckpointWeights views[] = {{&checkpoints_[0], &weights_[0]}, {&checkpoints_[1], &weights_[1]}};
    ThreadPool pool(2);
    WeightRecorder recorder(run, 2);
    trace_weights(views, all_weights(views), pool, 1 << 24,
                  [&](const WeightTrajectory& one) { recorder.add(one); });
    recorder.finish();
  }

  /// All weights of a role (the index behind the roles is the whole model), of one layer or (-1) of all, as
  /// one long vector.
  std::vector<double> long_vector(std::size_t checkpoint, std::size_t role, std::int64_t layer) const {
    return long_vector(checkpoint, [&](const WeightKey& key) {
      const bool counts = role == std::size(all_role_groups) || role_group(key.role) == all_role_groups[role];
      return counts && (layer < 0 || key.layer == layer);
    });
  }

  /// All weights that `counts`, a function of their keys, as one long vector.
  template <class Counts>
  std::vector<double> long_vector(std::size_t checkpoint, Counts counts) const {
    std::vector<double> joined;
    for (const Weight& weight : weights_[checkpoint].all()) {
      if (!counts(weight.key)) continue;
      std::vector<std::byte> bytes(weight.bytes());
      checkpoints_[checkpoint].shards()[weight.shard].read(weight.offset, bytes);
      std::vector<float> values(weight.size());
      convert_to_float(weight.dtype, bytes, values);
      joined.insert(joined.end(), values.begin(), values.end());
    }
    return joined;
  }

  static double inner(const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  }

  static double drift(const std::vector<double>& from, const std::vector<double>& to) {
    std::vector<double> step(from.size());
    for (std::size_t i = 0; i < step.size(); ++i) step[i] = to[i] - from[i];
    return std::sqrt(inner(step, step) / inner(from, from));
  }

  std::vector<Checkpoint> checkpoints_;
  std::vector<ModelWeights> weights_;
};

TEST_F(RunDrift, OfARoleIsThatOfItsWeightsAsOneLongVector) {
  RunFile run = record();
  record_weights(run);
  write_run_metrics(run);
  const std::size_t roles = role_labels().size();
  ASSERT_EQ(roles, std::size(all_role_groups) + 1);
  for (std::size_t r = 0; r < roles; ++r) {
    const std::vector<double> a = long_vector(0, r, -1), b = long_vector(1, r, -1);
    const double norm_a = std::sqrt(inner(a, a)), norm_b = std::sqrt(inner(b, b));
    EXPECT_NEAR(metric(run, "role_norm")[r], norm_a, 1e-12 * norm_a);
    EXPECT_NEAR(metric(run, "role_relative_drift")[1 * roles + r], drift(a, b), 1e-12 * drift(a, b));
    EXPECT_NEAR(metric(run, "role_relative_drift")[2 * roles + r], drift(b, a), 1e-12 * drift(b, a));
    EXPECT_NEAR(metric(run, "role_cosine")[1 * roles + r], inner(a, b) / norm_a / norm_b, 1e-13);
  }
  EXPECT_THAT(run.read<std::string>("/role"), testing::Contains("routed_expert"));
  EXPECT_EQ(run.read<std::string>("/role").back(), "whole_model");
}

// All weights of the builder's model fit into their sketches.
TEST_F(RunDrift, BySketchOfSmallWeightsIsTheExactOne) {
  RunFile run = record();
  record_weights(run);
  write_run_metrics(run);
  const std::vector<double> exact = metric(run, "role_relative_drift"),
                            found = metric(run, "role_sketched_drift");
  ASSERT_EQ(found.size(), exact.size());
  for (std::size_t i = 0; i < exact.size(); ++i) EXPECT_NEAR(found[i], exact[i], 1e-7 * exact[i]);
  EXPECT_THAT(metric(run, "role_sketched_drift_error"), testing::Each(0.0));
}

TEST_F(RunDrift, TheWayFromOneCheckpointToTheNextIsOneStraightStep) {
  RunFile run = record();
  record_weights(run);
  write_run_metrics(run);
  const std::size_t roles = role_labels().size();
  for (std::size_t r = 0; r < roles; ++r) {
    const std::vector<double> a = long_vector(0, r, -1), b = long_vector(1, r, -1);
    const double step = drift(a, b) * std::sqrt(inner(a, a)), count = static_cast<double>(a.size());
    EXPECT_EQ(metric(run, "role_path_length")[r], 0);
    EXPECT_NEAR(metric(run, "role_path_length")[roles + r], step, 1e-12 * step);
    EXPECT_NEAR(metric(run, "role_displacement")[roles + r], step, 1e-12 * step);
    EXPECT_THAT(metric(run, "role_tortuosity")[r], IsNan());
    EXPECT_DOUBLE_EQ(metric(run, "role_tortuosity")[roles + r], 1);
    const double rate = step / std::sqrt(count) / 2e9;  // 1e9 to 3e9 tokens
    EXPECT_NEAR(metric(run, "role_update_rms_per_token")[r], rate, 1e-12 * rate);
    EXPECT_EQ(metric(run, "role_update_direction")[r], 1);
    EXPECT_DOUBLE_EQ(metric(run, "role_trajectory_share")[r], 1);
    EXPECT_NEAR(metric(run, "role_trajectory_coordinate")[r], -step / 2, 1e-12 * step);
    EXPECT_NEAR(metric(run, "role_trajectory_coordinate")[roles + r], step / 2, 1e-12 * step);
  }
  EXPECT_THAT(run.read<std::int64_t>("/component"), ElementsAre(1));
}

TEST_F(RunDrift, OfAnExpertIsThatOfItsThreeMatricesAsOneLongVector) {
  RunFile run = record();
  record_weights(run);
  write_run_metrics(run);
  const std::vector<std::int64_t> moe_layers = checkpoints_[0].config().moe_layers();
  const std::size_t routed = run.shape("/expert")[0], cells = moe_layers.size() * routed;
  ASSERT_GT(cells, 1u);
  const std::vector<double> found = metric(run, "expert_relative_drift");
  for (std::size_t l = 0; l < moe_layers.size(); ++l) {
    for (std::size_t e = 0; e < routed; ++e) {
      const auto counts = [&](const WeightKey& key) {
        return key.layer == moe_layers[l] && key.expert == static_cast<std::int64_t>(e);
      };
      const double expected = drift(long_vector(0, counts), long_vector(1, counts));
      EXPECT_NEAR(found[cells + l * routed + e], expected, 1e-12 * expected);
      EXPECT_EQ(found[l * routed + e], 0);
    }
  }
}

TEST_F(RunDrift, OfALayerCountsItsOwnWeightsAndIsUnknownForRolesItLacks) {
  RunFile run = record();
  record_weights(run);
  write_run_metrics(run);
  const std::size_t roles = role_labels().size(), count = run.shape("/layer")[0];
  const std::vector<double> drifts = metric(run, "layer_relative_drift");
  for (std::size_t layer = 0; layer < count; ++layer) {
    for (std::size_t r = 0; r < roles; ++r) {
      const auto index = static_cast<std::int64_t>(layer);
      const std::vector<double> a = long_vector(0, r, index);
      const double found = drifts[(1 * count + layer) * roles + r];
      if (a.empty()) {
        EXPECT_THAT(found, IsNan());
      } else {
        EXPECT_NEAR(found, drift(a, long_vector(1, r, index)), 1e-12 * found);
      }
    }
  }
}

TEST_F(RunDrift, IsUnknownUntilTheWeightPassIsFinished) {
  RunFile run = record();
  write_run_metrics(run);
  EXPECT_THAT(metric(run, "role_norm"), testing::Each(IsNan()));
  EXPECT_THAT(metric(run, "role_cosine"), testing::Each(IsNan()));
  EXPECT_THAT(metric(run, "role_tortuosity"), testing::Each(IsNan()));
  EXPECT_THAT(metric(run, "role_trajectory_coordinate"), testing::Each(IsNan()));
  EXPECT_THAT(metric(run, "expert_relative_drift"), testing::Each(IsNan()));
  EXPECT_THAT(metric(run, "role_sketched_drift"), testing::Each(IsNan()));
}

TEST_F(RunDrift, ARunWithoutAForwardPassHasNoOtherMetrics) {
  RunFile run = record();
  record_weights(run);
  write_run_metrics(run);
  EXPECT_THAT(run.datasets("/metrics"), testing::Contains("/metrics/role_norm"));
  for (const std::string& path : run.datasets("/metrics"))
    EXPECT_TRUE(metric_info(path.substr(std::string("/metrics/").size())).from_weights) << path;
}

TEST_F(RunDrift, EveryDatasetIsOfTheCatalogueWithItsDimensions) {
  RunFile run = record();
  record_weights(run);
  write_run_metrics(run);
  for (const MetricInfo& info : metric_catalogue()) {
    if (info.from_weights) {
      EXPECT_EQ(run.describe("/metrics/" + info.name).dimensions, info.axes);
    }
  }
}

}  // namespace
}  // namespace moescope
