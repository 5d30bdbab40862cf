// The forward pass against the reference implementation (transformers, float32), layer by layer:
// data/README.md says how the golden files were made. 2e-4 absolute on values of the order of 1 to 10 leaves
// room for another order of summation and catches every mistake of substance; chosen experts are equal
// everywhere, for no margin is a tie in float32.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "analysis/forward/forward.h"
#include "tests/support/golden_file.h"
#include "tests/support/source_path.h"

namespace moescope {
namespace {

constexpr float golden_tolerance = 2e-4f;

struct GoldenPass : ForwardObserver {
  std::map<std::int64_t, std::vector<float>> hidden, router_logits, weights;  // by layer
  std::map<std::int64_t, std::vector<std::uint16_t>> experts;
  std::vector<float> nll, logit;

  bool wants_logits() const override { return true; }
  void router_output(const RouterOutput& routing) override {
    router_logits[routing.layer].assign(routing.logits.values.begin(), routing.logits.values.end());
    weights[routing.layer] = routing.topk_weight;
    experts[routing.layer] = routing.topk_index;
  }
  void hidden_state(std::int64_t layer, std::size_t, const Matrix& x) override {
    hidden[layer].assign(x.values.begin(), x.values.end());
  }
  void token_losses(std::size_t, std::span<const float> losses) override {
    nll.assign(losses.begin(), losses.end());
  }
  void logits(std::size_t, std::size_t first_row, const Matrix& tile) override {
    const std::size_t vocabulary = vocabulary_size;
    logit.resize(tile.rows * vocabulary);
    for (std::size_t t = 0; t < tile.rows; ++t) {
      std::copy_n(tile.values.begin() + static_cast<std::ptrdiff_t>(t * tile.columns), tile.columns,
                  logit.begin() + static_cast<std::ptrdiff_t>(t * vocabulary + first_row));
    }
  }

  std::size_t vocabulary_size = 0;
};

Corpus corpus_of(const GoldenFile& golden) {
  const std::vector<std::size_t> shape = golden.shape("ids");
  Corpus corpus;
  for (const std::int32_t id : golden.integers("ids"))
    corpus.token_id.push_back(static_cast<std::uint32_t>(id));
  for (std::size_t s = 0; s <= shape[0]; ++s) corpus.sequence_start.push_back(s * shape[1]);
  return corpus;
}

GoldenPass run(const std::filesystem::path& directory, const Corpus& corpus) {
  const Checkpoint checkpoint = Checkpoint::open(directory);
  GoldenPass pass;
  pass.vocabulary_size = static_cast<std::size_t>(checkpoint.config().vocab_size);
  ThreadPool pool(2);
  ForwardOptions options;
  options.precision = Precision::f32;
  options.memory = 1ull << 30;
  run_forward(checkpoint, ModelWeights(checkpoint), corpus, options, pool, pass);
  return pass;
}

void expect_near(const std::vector<float>& found, const std::vector<float>& expected,
                 const std::string& what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  float worst = 0;
  for (std::size_t i = 0; i < found.size(); ++i) worst = std::fmax(worst, std::fabs(found[i] - expected[i]));
  EXPECT_LE(worst, golden_tolerance) << what;
  EXPECT_TRUE(std::ranges::none_of(found, [](float value) { return std::isnan(value); })) << what;
}

/// (T, K) experts with their weights, in ascending order of the experts: the order of the goldens.
std::vector<std::map<int, float>> choices(const auto& experts, const std::vector<float>& weights,
                                          std::size_t top_k) {
  std::vector<std::map<int, float>> tokens(experts.size() / top_k);
  for (std::size_t i = 0; i < experts.size(); ++i) tokens[i / top_k][experts[i]] = weights[i];
  return tokens;
}

void expect_same_choices(const GoldenFile& golden, const GoldenPass& pass, std::int64_t layer) {
  const std::string name = std::to_string(layer);
  const std::size_t top_k = golden.shape("topk_idx_" + name).back();
  const auto expected = choices(golden.integers("topk_idx_" + name), golden.floats("topk_w_" + name), top_k);
  const auto found = choices(pass.experts.at(layer), pass.weights.at(layer), top_k);
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t t = 0; t < found.size(); ++t) {
    for (const auto& [expert, weight] : expected[t]) {
      const auto chosen = found[t].find(expert);
      ASSERT_NE(chosen, found[t].end()) << "layer " << layer << ", token " << t << ", expert " << expert;
      EXPECT_NEAR(chosen->second, weight, golden_tolerance) << "layer " << layer << ", token " << t;
    }
  }
}

/// Losses of predicted tokens: the last of each sequence predicts none.
std::vector<float> predicted(const std::vector<float>& nll, const Corpus& corpus) {
  std::vector<float> losses;
  for (std::size_t s = 0; s + 1 < corpus.sequence_start.size(); ++s) {
    losses.insert(losses.end(), nll.begin() + static_cast<std::ptrdiff_t>(corpus.sequence_start[s]),
                  nll.begin() + static_cast<std::ptrdiff_t>(corpus.sequence_start[s + 1] - 1));
  }
  return losses;
}

class ForwardGolden : public testing::TestWithParam<const char*> {};

TEST_P(ForwardGolden, EveryLayerIsThatOfTheReference) {
  const std::filesystem::path directory = source_path(std::string("data/variants/") + GetParam());
  const GoldenFile golden(directory / "golden.h5");
  const Corpus corpus = corpus_of(golden);
  const GoldenPass pass = run(directory, corpus);
  for (const auto& [layer, values] : pass.hidden)
    expect_near(values, golden.floats("hidden_" + std::to_string(layer)),
                "hidden states of layer " + std::to_string(layer));
  for (const auto& [layer, values] : pass.router_logits) {
    expect_near(values, golden.floats("router_logits_" + std::to_string(layer)),
                "router logits of layer " + std::to_string(layer));
    expect_same_choices(golden, pass, layer);
  }
  EXPECT_FALSE(pass.router_logits.empty());
  expect_near(predicted(pass.nll, corpus), golden.floats("nll"), "losses");
  expect_near(pass.logit, golden.floats("logits"), "logits");
}

INSTANTIATE_TEST_SUITE_P(Variants, ForwardGolden,
                         testing::Values("base", "a_groups", "b_gqa", "g_sliding", "k_fused"),
                         [](const auto& variant) { return std::string(variant.param); });

}  // namespace
}  // namespace moescope
