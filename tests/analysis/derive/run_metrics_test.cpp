#include "analysis/derive/run_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "analysis/kernels/element_convert.h"
#include "analysis/record/recorded_roles.h"
#include "analysis/record/token_notes.h"
#include "analysis/record/weight_recorder.h"
#include "analysis/runs/run_layout.h"
#include "analysis/weights/weight_pass.h"
#include "metrics/catalogue/catalogue.h"
#include "metrics/routing/expert_load.h"
#include "metrics/routing/load_chance.h"
#include "metrics/routing/router_distribution.h"
#include "readers/files/source_file.h"
#include "readers/schema/datasets.h"
#include "readers/schema/run_schema.h"
#include "tests/analysis/weights/all_weights.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/special_values.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::IsNan;

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
    for (const float value : {1.0f, nan_f32, 3.0f, 5.0f, nan_f32})
      nll.push_back(value + static_cast<float>(c));
  }
  return nll;
}

void define_checkpoints(RunFile& run, const std::vector<std::string>& names) {
  run.define_dimension(raw_dataset(dataset::checkpoint), names);
  run.define_dimension(raw_dataset(dataset::other_checkpoint), names);
}

template <class T>
void define_and_write(RunFile& run, const std::string& path, const std::vector<T>& values) {
  run.define(raw_dataset(path));
  run.write<T>(path, values);
}

void define_routing(RunFile& run) {
  run.define_dimension(raw_dataset(dataset::moe_layer), std::vector<std::int64_t>{1, 2});
  run.define_dimension(raw_dataset(dataset::expert), std::vector<std::int64_t>{0, 1, 2, 3});
  run.define_dimension("rank", top_k);
  define_and_write(run, dataset::routing_topk_index, topk_index);
  define_and_write(run, dataset::routing_expert_count, expert_counts());
  define_and_write(run, dataset::routing_token_count, std::vector<std::int64_t>{3, 2});
  define_and_write(run, dataset::routing_entropy, cells(0.125));
  define_and_write(run, dataset::routing_margin, cells(0.0625));
  define_and_write(run, dataset::routing_topk_mass, cells(0.03125));
  define_and_write(run, dataset::routing_top1_share, cells(0.0625));
  define_and_write(run, dataset::routing_topk_weight_entropy, cells(0.0625));
  std::vector<std::uint8_t> flips(checkpoints * layers * tokens, 0);
  flips[0] = 2;
  flips[2] = 1;  // checkpoint 0, layer 0, tokens 0 and 2: 3 of the 6 choices of domain 0
  define_and_write(run, dataset::routing_bias_flips, flips);
}

/// The record of a forward pass, of the checkpoints whose `status` is 1.
RunFile make_forward_run(const std::filesystem::path& path,
                         const std::vector<std::uint8_t>& status = {1, 1, 1}) {
  RunFile run = RunFile::create(path);
  define_checkpoints(run, {"00T", "01T", "02T"});
  run.define_dimension(raw_dataset(dataset::domain), std::vector<std::string>{"prose", "code"});
  run.define_dimension("token", tokens);
  define_and_write(run, dataset::corpus_domain, domain_of);
  define_and_write(run, dataset::corpus_position, std::vector<std::int32_t>{0, 1, 0, 1, 2});
  define_and_write(run, dataset::status_forward, status);
  define_and_write(run, dataset::loss_nll, losses());
  define_routing(run);
  return run;
}

const std::vector<std::pair<const char*, double (*)(std::int64_t, std::int64_t, std::int64_t)>> load_chances =
    {{"max_violation", max_violation_chance},   {"min_violation", min_violation_chance},
     {"mean_violation", mean_violation_chance}, {"load_cv", load_cv_chance},
     {"load_gini", load_gini_chance},           {"load_entropy", load_entropy_chance},
     {"dead_experts", dead_experts_chance},     {"effective_experts", effective_experts_chance},
     {"cold_experts", cold_experts_chance},     {"hot_experts", hot_experts_chance}};

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
  for (const auto& [name, chance] : load_chances) {
    EXPECT_EQ(std::get<std::vector<double>>(
                  run.attribute(std::string("/metrics/") + name, "chance_by_domain").value()),
              (std::vector{chance(4, 2, 3), chance(4, 2, 2)}))
        << name;
  }
  EXPECT_EQ(bound(run, "max_violation_pooled", "chance"), max_violation_chance(4, 2, 5));
  EXPECT_EQ(bound(run, "load_cv_pooled", "chance"), load_cv_chance(4, 2, 5));
  EXPECT_EQ(bound(run, "load_entropy_pooled", "chance"), load_entropy_chance(4, 2, 5));
}

TEST_F(RunMetrics, EveryDatasetIsOfTheCatalogueAndExplainsItself) {
  RunFile run = make_forward_run(path_);
  write_run_metrics(run);
  const std::vector<std::string> paths = run.datasets("/metrics");
  EXPECT_GT(paths.size(), 30u);
  for (const std::string& path : paths) {
    const Metric& info = metric_named(path.substr(std::string("/metrics/").size()));
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
  run.write(dataset::status_forward, std::vector<std::uint8_t>{1, 1, 1});
  write_run_metrics(run);
  RunFile fresh = make_forward_run(directory_ / "fresh.h5");
  write_run_metrics(fresh);
  for (const std::string& path : fresh.datasets("/metrics")) {
    EXPECT_THAT(run.read<double>(path),
                testing::Pointwise(testing::NanSensitiveDoubleEq(), fresh.read<double>(path)))
        << path;
  }
}

/// The record of one checkpoint whose router chooses `k` of `e` experts at random for 8 tokens of one domain,
/// in two layers; the config tells of groups if there are any.
RunFile make_random_run(const std::filesystem::path& path, std::size_t e, std::size_t k) {
  constexpr std::size_t random_tokens = 8;
  RunFile run = RunFile::create(path);
  define_checkpoints(run, {"00T"});
  run.define_dimension(raw_dataset(dataset::domain), std::vector<std::string>{"prose"});
  run.define_dimension("token", random_tokens);
  define_and_write(run, dataset::corpus_domain, std::vector<std::int32_t>(random_tokens, 0));
  define_and_write(run, dataset::corpus_position, std::vector<std::int32_t>{0, 1, 2, 3, 4, 5, 6, 7});
  define_and_write(run, dataset::status_forward, std::vector<std::uint8_t>{1});
  define_and_write(run, dataset::loss_nll, std::vector<float>(random_tokens, 1.5f));
  std::vector<std::int64_t> ids(e), counts(layers * e);
  std::iota(ids.begin(), ids.end(), std::int64_t{0});
  run.define_dimension(raw_dataset(dataset::moe_layer), std::vector<std::int64_t>{1, 2});
  run.define_dimension(raw_dataset(dataset::expert), ids);
  run.define_dimension("rank", k);
  std::vector<std::uint16_t> chosen, unbiased;
  std::mt19937 generator(7);
  std::vector<float> entropy, mass, margin, share, spread;
  std::vector<std::uint8_t> flips;
  for (std::size_t cell = 0; cell < layers * random_tokens; ++cell) {
    std::vector<float> scores(e), weights;
    for (float& score : scores) score = static_cast<float>(1 + generator() % 1000) / 1001;
    std::vector<double> distribution(e);
    sigmoid_router_distribution(scores, distribution);
    std::vector<std::uint16_t> order(ids.begin(), ids.end());
    std::ranges::shuffle(order, generator);
    const std::vector<std::uint16_t> first(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k)),
        last(order.end() - static_cast<std::ptrdiff_t>(k), order.end());
    for (const std::uint16_t expert : first) {
      weights.push_back(scores[expert]);
      ++counts[cell / random_tokens * e + expert];
    }
    chosen.insert(chosen.end(), first.begin(), first.end());
    entropy.push_back(static_cast<float>(router_entropy(distribution)));
    mass.push_back(static_cast<float>(topk_mass(distribution, first)));
    margin.push_back(e > k ? 0.25f : nan_f32);
    share.push_back(static_cast<float>(top1_share(weights)));
    spread.push_back(static_cast<float>(topk_weight_entropy(weights)));
    flips.push_back(static_cast<std::uint8_t>(bias_flips(first, last)));
  }
  define_and_write(run, dataset::routing_topk_index, chosen);
  define_and_write(run, dataset::routing_expert_count, counts);
  define_and_write(run, dataset::routing_token_count, std::vector<std::int64_t>{random_tokens});
  define_and_write(run, dataset::routing_entropy, entropy);
  define_and_write(run, dataset::routing_margin, margin);
  define_and_write(run, dataset::routing_topk_mass, mass);
  define_and_write(run, dataset::routing_top1_share, share);
  define_and_write(run, dataset::routing_topk_weight_entropy, spread);
  define_and_write(run, dataset::routing_bias_flips, flips);
  return run;
}

// Every token takes the only expert, all experts, one, or all but one.
TEST_F(RunMetrics, WhateverTheSizesValuesLieWithinTheirBoundsOrAreMissingForTheReasonThatIsGiven) {
  for (const auto& [e, k] : std::vector<std::pair<std::size_t, std::size_t>>{
           {1, 1}, {2, 1}, {2, 2}, {4, 1}, {4, 3}, {4, 4}, {24, 2}}) {
    RunFile run = make_random_run(directory_ / (std::to_string(e) + "_" + std::to_string(k) + ".h5"), e, k);
    write_run_metrics(run);
    for (const std::string& path : run.datasets("/metrics")) {
      SCOPED_TRACE(path + " of " + std::to_string(k) + " of " + std::to_string(e));
      const auto limit = [&](const char* name, double otherwise) {
        const auto value = run.attribute(path, name);
        return value ? std::get<double>(*value) : otherwise;
      };
      const auto missing = std::get<std::string>(run.attribute(path, "missing").value());
      const bool never_exists = missing.starts_with("NaN: ");
      for (const double value : run.read<double>(path)) {
        EXPECT_EQ(std::isnan(value), never_exists);
        if (std::isnan(value)) continue;
        EXPECT_GE(value, limit("lower_bound", value) - 1e-6);
        EXPECT_LE(value, limit("upper_bound", value) + 1e-6);
      }
    }
  }
}

TEST_F(RunMetrics, WhatDoesNotExistSaysWhy) {
  RunFile all = make_random_run(directory_ / "all.h5", 4, 4),
          one = make_random_run(directory_ / "one.h5", 1, 1);
  write_run_metrics(all);
  write_run_metrics(one);
  const auto reason = [](const RunFile& run, const char* name) {
    return std::get<std::string>(run.attribute(std::string("/metrics/") + name, "missing").value());
  };
  for (const char* name : {"routing_margin", "routing_margin_quantile"})
    EXPECT_THAT(reason(all, name), testing::HasSubstr("K = E"));
  EXPECT_THAT(reason(one, "topk_weight_entropy"), testing::HasSubstr("K = 1"));
  for (const char* name : {"load_entropy", "load_entropy_pooled"})
    EXPECT_THAT(reason(one, name), testing::HasSubstr("one expert"));
  EXPECT_THAT(reason(all, "load_entropy"), testing::HasSubstr("no token of the domain"));
  EXPECT_THAT(reason(all, "router_saturation"), testing::HasSubstr("last one"));
}

TEST_F(RunMetrics, FewTokensAreNotedWhereMostOfTheImbalanceIsChance) {
  RunFile few = make_random_run(path_, 24, 2);
  write_run_metrics(few);
  EXPECT_THAT(describe_few_tokens(few), testing::HasSubstr("prose (8 tokens: "));
  // The same counts a thousand times over: what is seen is as large, and no chance.
  std::vector<std::int64_t> counts = few.read(dataset::routing_expert_count);
  for (std::int64_t& count : counts) count *= 1000;
  few.write(dataset::routing_expert_count, counts);
  few.write(dataset::routing_token_count, std::vector<std::int64_t>{8000});
  write_run_metrics(few);
  EXPECT_EQ(describe_few_tokens(few), "");
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

  struct Named {
    const char* name;
    double tokens;
    std::size_t checkpoint;  // whose configuration it has
  };

  /// For the weights alone.
  RunFile new_run(const std::vector<Named>& series) const {
    RunSubject subject{{}, checkpoints_[0].config(), weights_[0]};
    for (const Named& one : series) {
      SeriesEntry entry;
      entry.name = one.name;
      entry.tokens = one.tokens;
      subject.checkpoints.push_back({entry, checkpoints_[one.checkpoint].config_json(), {}, {}});
    }
    AnalysisScope scope;
    scope.forward = false;
    scope.spectra = SpectraChoice::none;
    return create_run({path_, {}, scope, subject, {}, {}});
  }

  RunFile record() { return new_run({{"a", 1e9, 0}, {"b", 3e9, 1}}); }

  void record_weights(RunFile& run) {
    const CheckpointWeights views[] = {{&checkpoints_[0], &weights_[0]}, {&checkpoints_[1], &weights_[1]}};
    ThreadPool pool(2);
    WeightRecorder recorder(run, 2);
    trace_weights(views, all_weights(views), pool, {1 << 24},
                  [&](const WeightTrajectory& one) { recorder.add(one); });
    recorder.finish();
  }

  /// All weights of a role (the index behind the roles is the whole model), of one layer or (-1) of all, as
  /// one long vector.
  std::vector<double> long_vector(std::size_t checkpoint, std::size_t role, std::int64_t layer) const {
    return long_vector(checkpoint, [&](const WeightKey& key) {
      const bool counts = std::ranges::count(recorded_roles(key.role), role) == 1;
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

/// A third checkpoint between the two, of which one element of one expert is NaN.
class RunDriftAcrossNonFinite : public RunDrift {
 protected:
  RunDriftAcrossNonFinite() {
    CheckpointOptions options;
    options.seed = 3;
    options.dtype = DType::f32;
    BuiltCheckpoint built = build_checkpoint(options);
    BuiltTensor& tensor = built.tensor("model.layers.1.mlp.experts.2.up_proj.weight");
    std::memcpy(tensor.data.data() + 4 * 5, &nan_f32, sizeof nan_f32);
    built.write(directory_ / "3");
    checkpoints_.push_back(Checkpoint::open(directory_ / "3"));
    weights_.emplace_back(checkpoints_.back());
  }

  RunFile record_three() {
    RunFile run = new_run({{"a", 1e9, 0}, {"nan", 2e9, 0}, {"b", 3e9, 0}});
    const CheckpointWeights views[] = {
        {&checkpoints_[0], &weights_[0]}, {&checkpoints_[2], &weights_[2]}, {&checkpoints_[1], &weights_[1]}};
    ThreadPool pool(1);
    WeightRecorder recorder(run, 3);
    trace_weights(views, all_weights(views), pool, {1 << 24},
                  [&](const WeightTrajectory& one) { recorder.add(one); });
    recorder.finish();
    write_run_metrics(run);
    return run;
  }
};

TEST_F(RunDriftAcrossNonFinite, RolesLayersAndExpertsKeepTheDriftBetweenTheFiniteCheckpoints) {
  const RunFile run = record_three();
  const std::size_t pair = 0 * 3 + 2, broken = 0 * 3 + 1;  // a to b; a to what is not finite
  const auto check = [&](const char* name, std::size_t groups, auto vector_of) {
    const std::vector<double> found = metric(run, name);
    for (std::size_t g = 0; g < groups; ++g) {
      const std::vector<double> a = vector_of(0, g);
      if (a.empty()) continue;
      const double expected = drift(a, vector_of(1, g));
      EXPECT_NEAR(found[pair * groups + g], expected, 1e-12 * expected) << name << " " << g;
      const std::vector<double> middle = vector_of(2, g);
      const bool finite = std::ranges::all_of(middle, [](double x) { return std::isfinite(x); });
      EXPECT_EQ(std::isfinite(found[broken * groups + g]), finite) << name << " " << g;
    }
  };
  check("role_relative_drift", role_count,
        [&](std::size_t c, std::size_t g) { return long_vector(c, g, -1); });
  const std::size_t layer_count = run.shape(dataset::layer)[0], routed = run.shape(dataset::expert)[0];
  check("layer_relative_drift", layer_count * role_count, [&](std::size_t c, std::size_t g) {
    return long_vector(c, g % role_count, static_cast<std::int64_t>(g / role_count));
  });
  const std::vector<std::int64_t> moe_layers = checkpoints_[0].config().moe_layers();
  check("expert_relative_drift", moe_layers.size() * routed, [&](std::size_t c, std::size_t g) {
    return long_vector(c, [&](const WeightKey& key) {
      return key.layer == moe_layers[g / routed] && key.expert == static_cast<std::int64_t>(g % routed);
    });
  });
}

TEST_F(RunDriftAcrossNonFinite, PathAndTrajectoryPassByTheCheckpointThatIsNotFinite) {
  const RunFile run = record_three();
  const std::vector<double> a = long_vector(0, whole_model, -1), b = long_vector(1, whole_model, -1);
  const double step = drift(a, b) * std::sqrt(inner(a, a));
  const auto at = [&](const char* name, std::size_t row) {
    return metric(run, name)[row * role_count + whole_model];
  };
  for (const char* name : {"role_path_length", "role_displacement"}) {
    EXPECT_EQ(at(name, 0), 0);
    EXPECT_THAT(at(name, 1), IsNan());
    EXPECT_NEAR(at(name, 2), step, 1e-12 * step);
  }
  EXPECT_NEAR(at("role_trajectory_eigenvalue", 0), step * step / 2, 1e-12 * step * step);
  EXPECT_THAT(at("role_trajectory_eigenvalue", 1), IsNan());
  EXPECT_DOUBLE_EQ(at("role_trajectory_share", 0), 1);
  EXPECT_THAT(at("role_update_rms_per_token", 0), IsNan());
  EXPECT_THAT(at("role_update_direction", 0), IsNan());
  const std::size_t norms = role_group_index(Role::input_norm);  // finite everywhere, as in any series
  EXPECT_TRUE(std::isfinite(metric(run, "role_update_direction")[norms]));
  EXPECT_THAT(metric(run, "role_sketched_drift")[1 * role_count + whole_model], IsNan());
  EXPECT_TRUE(std::isfinite(metric(run, "role_sketched_drift")[2 * role_count + whole_model]));
}

TEST_F(RunDrift, OfARoleIsThatOfItsWeightsAsOneLongVector) {
  RunFile run = record();
  record_weights(run);
  write_run_metrics(run);
  const std::size_t roles = role_labels().size();
  ASSERT_EQ(roles, std::size(all_role_groups) + 2);
  for (std::size_t r = 0; r < roles; ++r) {
    const std::vector<double> a = long_vector(0, r, -1), b = long_vector(1, r, -1);
    const double norm_a = std::sqrt(inner(a, a)), norm_b = std::sqrt(inner(b, b));
    EXPECT_NEAR(metric(run, "role_norm")[r], norm_a, 1e-12 * norm_a);
    EXPECT_NEAR(metric(run, "role_relative_drift")[1 * roles + r], drift(a, b), 1e-12 * drift(a, b));
    EXPECT_NEAR(metric(run, "role_relative_drift")[2 * roles + r], drift(b, a), 1e-12 * drift(b, a));
    EXPECT_NEAR(metric(run, "role_cosine")[1 * roles + r], inner(a, b) / norm_a / norm_b, 1e-13);
  }
  EXPECT_THAT(run.read(dataset::role), testing::Contains("routed_expert"));
  EXPECT_EQ(run.read(dataset::role).back(), "whole_model");
}

TEST(RecordedRoles, TheScoreCorrectionBiasIsNoPartOfTheRouterAndNormsAreInOneOfTheWholeModels) {
  const std::vector<std::string> labels = role_labels();
  ASSERT_EQ(labels.size(), role_count);
  const auto names = [&](Role role) {
    std::vector<std::string> of_role;
    for (const std::size_t index : recorded_roles(role)) of_role.push_back(labels[index]);
    return of_role;
  };
  EXPECT_THAT(names(Role::router), ElementsAre("router", "whole_model_without_norms", "whole_model"));
  EXPECT_THAT(names(Role::score_correction_bias),
              ElementsAre("score_correction_bias", "whole_model_without_norms", "whole_model"));
  EXPECT_THAT(names(Role::input_norm), ElementsAre("norm", "whole_model"));
  EXPECT_THAT(names(Role::final_norm), ElementsAre("norm", "whole_model"));
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
  EXPECT_THAT(run.read(dataset::component), ElementsAre(1));
}

TEST_F(RunDrift, OfAnExpertIsThatOfItsThreeMatricesAsOneLongVector) {
  RunFile run = record();
  record_weights(run);
  write_run_metrics(run);
  const std::vector<std::int64_t> moe_layers = checkpoints_[0].config().moe_layers();
  const std::size_t routed = run.shape(dataset::expert)[0], cells = moe_layers.size() * routed;
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
  const std::size_t roles = role_labels().size(), count = run.shape(dataset::layer)[0];
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
    EXPECT_TRUE(is_from_weights(metric_named(path.substr(std::string("/metrics/").size())))) << path;
}

TEST_F(RunDrift, EveryDatasetIsOfTheCatalogueWithItsDimensions) {
  RunFile run = record();
  record_weights(run);
  write_run_metrics(run);
  for (const Metric& info : metric_catalogue()) {
    if (is_from_weights(info)) {
      EXPECT_EQ(run.describe("/metrics/" + info.name).dimensions, info.axes);
    }
  }
}

}  // namespace
}  // namespace moescope
