#include "analysis/forward/forward.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "analysis/forward/forward_budget.h"
#include "metrics/routing/expert_choice.h"
#include "readers/errors.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/source_path.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

/// Sequences of these lengths with token ids below `vocabulary`; the same for the same arguments.
Corpus corpus_of(const std::vector<std::size_t>& lengths, std::uint32_t vocabulary) {
  Corpus corpus;
  corpus.sequence_start = {0};
  for (std::size_t length : lengths) {
    for (std::size_t i = 0; i < length; ++i) {
      const auto t = static_cast<std::uint32_t>(corpus.token_id.size());
      corpus.token_id.push_back((t * t * 7 + t * 13 + 5) % vocabulary);
    }
    corpus.sequence_start.push_back(corpus.token_id.size());
  }
  return corpus;
}

/// Everything that a pass reports, as one list of numbers for each kind.
struct Recorder : ForwardObserver {
  std::vector<float> nll, hidden, logit, router_logit, weight;
  std::vector<std::uint16_t> expert;

  explicit Recorder(std::size_t tokens) : nll(tokens) {}
  void router_output(const RouterOutput& routing) override {
    router_logit.insert(router_logit.end(), routing.logits.values.begin(), routing.logits.values.end());
    weight.insert(weight.end(), routing.topk_weight.begin(), routing.topk_weight.end());
    expert.insert(expert.end(), routing.topk_index.begin(), routing.topk_index.end());
  }
  void hidden_state(std::int64_t, std::size_t, const Matrix& x) override {
    hidden.insert(hidden.end(), x.values.begin(), x.values.end());
  }
  void token_losses(std::size_t first_token, std::span<const float> losses) override {
    std::ranges::copy(losses, nll.begin() + static_cast<std::ptrdiff_t>(first_token));
  }
};

struct Model {
  Checkpoint checkpoint;
  ModelWeights weights;
  explicit Model(const std::filesystem::path& directory)
      : checkpoint(Checkpoint::open(directory)), weights(checkpoint) {}
};

Recorder run(const Model& model, const Corpus& corpus, unsigned threads, std::uint64_t memory = 1ull << 30,
             Precision precision = Precision::f32) {
  ThreadPool pool(threads);
  Recorder recorder(corpus.tokens());
  ForwardOptions options;
  options.precision = precision;
  options.memory = memory;
  run_forward(model.checkpoint, model.weights, corpus, options, pool, recorder);
  return recorder;
}

bool same_bytes(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](float x, float y) {
           return std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y);
         });
}

const std::filesystem::path variants = source_path("data/variants");

TEST(Forward, NumberOfThreadsDoesNotChangeAByte) {
  const Model model(variants / "b_gqa");
  const Corpus corpus = corpus_of({70, 1, 33, 128}, 160);
  const Recorder one = run(model, corpus, 1);
  for (unsigned threads : {2u, 5u}) {
    const Recorder many = run(model, corpus, threads);
    EXPECT_TRUE(same_bytes(one.nll, many.nll));
    EXPECT_TRUE(same_bytes(one.hidden, many.hidden));
    EXPECT_TRUE(same_bytes(one.router_logit, many.router_logit));
    EXPECT_EQ(one.expert, many.expert);
  }
}

TEST(Forward, BatchesDoNotChangeAByte) {
  const Model model(variants / "g_sliding");
  const Corpus corpus = corpus_of({60, 17, 60, 5, 60}, 160);
  const ModelConfig& config = model.checkpoint.config();
  // Little more than what one sequence of 60 tokens needs.
  const std::uint64_t tight = (48ull << 20) + (64ull << 10) + 64 * activation_bytes_per_token(config);
  ASSERT_GT(make_batches(corpus, divide_memory(config, tight, corpus.tokens(), 60).batch_tokens).size(), 1u);
  for (Precision precision : {Precision::f32, Precision::bf16}) {
    const Recorder whole = run(model, corpus, 2, 1ull << 30, precision),
                   parts = run(model, corpus, 2, tight, precision);
    EXPECT_TRUE(same_bytes(whole.nll, parts.nll));
  }
}

// A pass that dies after any layer of any batch can go on from there.
TEST(Forward, GoesOnBetweenAnyTwoLayersWithoutChangingAByte) {
  const Model model(variants / "g_sliding");
  const Corpus corpus = corpus_of({60, 17, 60, 5, 60}, 160);
  ForwardOptions options;
  options.precision = Precision::bf16;
  options.memory = (48ull << 20) + (64ull << 10) + 64 * activation_bytes_per_token(model.checkpoint.config());
  std::vector<ForwardStart> positions;
  options.layer_done = [&](const ForwardPosition& position, const Matrix& x) {
    positions.push_back({position, x});
  };
  ThreadPool pool(2);
  Recorder whole(corpus.tokens());
  run_forward(model.checkpoint, model.weights, corpus, options, pool, whole);
  options.layer_done = nullptr;
  const auto layers = static_cast<std::size_t>(model.checkpoint.config().num_hidden_layers);
  ASSERT_GE(positions.size(), 2 * layers);  // of several batches
  for (const ForwardStart& start : positions) {
    const std::size_t first = start.position.first_token;
    Recorder rest(corpus.tokens());
    run_forward(model.checkpoint, model.weights, corpus, options, pool, rest, start);
    const auto from = static_cast<std::ptrdiff_t>(first);
    EXPECT_TRUE(
        same_bytes({whole.nll.begin() + from, whole.nll.end()}, {rest.nll.begin() + from, rest.nll.end()}));
    EXPECT_TRUE(std::all_of(rest.nll.begin(), rest.nll.begin() + from, [](float nll) { return nll == 0; }));
    // What is reported of the layers that remain is the end of what the whole pass reports.
    ASSERT_LE(rest.router_logit.size(), whole.router_logit.size());
    EXPECT_TRUE(same_bytes(rest.router_logit,
                           {whole.router_logit.end() - static_cast<std::ptrdiff_t>(rest.router_logit.size()),
                            whole.router_logit.end()}));
  }
}

TEST(Forward, AStartThatFitsNoBatchIsNotUsed) {
  const Model model(variants / "base");
  const Corpus corpus = corpus_of({40, 25}, 160);
  ThreadPool pool(2);
  Recorder whole(corpus.tokens()), again(corpus.tokens());
  run_forward(model.checkpoint, model.weights, corpus, {}, pool, whole);
  ForwardStart start{{40, 1}, Matrix(25, static_cast<std::size_t>(model.checkpoint.config().hidden_size))};
  run_forward(model.checkpoint, model.weights, corpus, {}, pool, again, start);
  EXPECT_TRUE(same_bytes(whole.nll, again.nll));
}

/// Three layers; `broken`: the embedding of token 39 has one NaN.
Model model_with(const TemporaryDirectory& directory, bool broken, std::int64_t window) {
  CheckpointOptions options;
  options.sliding_window = window;
  BuiltCheckpoint built = build_checkpoint(options);
  if (window > 0)
    built.config["layer_types"] = {"sliding_attention", "sliding_attention", "sliding_attention"};
  std::string& table = built.tensor("model.embed_tokens.weight").data;  // bf16 (40, 16)
  if (broken) table.replace((39 * 16 + 3) * 2, 2, "\xC0\x7F");
  const std::filesystem::path path = directory / (broken ? "broken" : "whole");
  built.write(path);
  return Model(path);
}

/// Sequences of 100 and 20 tokens; token 39 is the 70th.
Corpus corpus_with_one_39() {
  Corpus corpus = corpus_of({100, 20}, 38);
  corpus.token_id[70] = 39;
  return corpus;
}

bool all_nan(std::span<const float> values) {
  return std::ranges::all_of(values, [](float value) { return std::isnan(value); });
}

// The reference multiplies the shares of 0 with the values of what comes later, and NaN with them.
TEST(Forward, WhatIsNotFiniteReachesOnlyTokensThatSeeIt) {
  const TemporaryDirectory directory;
  const Corpus corpus = corpus_with_one_39();
  for (const std::int64_t window : {0, 8}) {
    const Model whole = model_with(directory, false, window), broken = model_with(directory, true, window);
    for (const Precision precision : {Precision::f32, Precision::bf16}) {
      const Recorder good = run(whole, corpus, 2, 1ull << 30, precision),
                     bad = run(broken, corpus, 2, 1ull << 30, precision);
      // Each of three layers of attention reaches 7 tokens farther.
      const std::size_t end = window == 0 ? 100 : 70 + 3 * 7 + 1;
      for (std::size_t t = 0; t < 120; ++t) {
        const std::size_t row = (2 * 120 + t) * 16;  // after the last of three layers
        const std::span<const float> before = std::span(good.hidden).subspan(row, 16),
                                     after = std::span(bad.hidden).subspan(row, 16);
        if (t >= 70 && t < end) {
          EXPECT_TRUE(all_nan(after)) << t;
        } else {
          EXPECT_TRUE(same_bytes({before.begin(), before.end()}, {after.begin(), after.end()})) << t;
        }
      }
    }
  }
}

TEST(Forward, ATokenWhoseScoresAreNotFiniteChoosesNothingAndItsOutputIsNaN) {
  const TemporaryDirectory directory;
  const Model broken = model_with(directory, true, 0);
  const Recorder recorder = run(broken, corpus_with_one_39(), 2);
  for (std::size_t layer = 0; layer < 2; ++layer) {  // of MoE
    for (std::size_t t = 0; t < 120; ++t) {
      const std::size_t first = (layer * 120 + t) * 2;
      const bool chooses = t < 70 || t >= 100;
      EXPECT_EQ(recorder.expert[first] != no_expert, chooses) << t;
      EXPECT_EQ(recorder.expert[first + 1] != no_expert, chooses) << t;
      EXPECT_EQ(std::isnan(recorder.weight[first]), !chooses) << t;
    }
  }
}

// One row of the router, or one number of its bias: the order of the experts means nothing any more.
TEST(Forward, OneExpertWithoutAFiniteScoreLeavesNoChoice) {
  const TemporaryDirectory directory;
  for (const char* name :
       {"model.layers.2.mlp.gate.weight", "model.layers.2.mlp.gate.e_score_correction_bias"}) {
    BuiltCheckpoint built = build_checkpoint();
    std::string& data = built.tensor(name).data;
    const bool is_bias = data.size() == 8 * 4;
    data.replace(data.size() - (is_bias ? 4 : 2), is_bias ? 4 : 2,
                 is_bias ? std::string("\0\0\x80\x7F", 4) : "\x80\x7F");
    built.write(directory / name);
    const Recorder recorder = run(Model(directory / name), corpus_of({30}, 40), 1);
    for (std::size_t i = 0; i < 30 * 2; ++i) {
      EXPECT_LT(recorder.expert[i], 8) << name;                   // layer 1
      EXPECT_EQ(recorder.expert[30 * 2 + i], no_expert) << name;  // layer 2
    }
    EXPECT_TRUE(all_nan(recorder.nll)) << name;
  }
}

TEST(Forward, ASequenceDoesNotSeeTheOthers) {
  const Model model(variants / "base");
  const Corpus both = corpus_of({40, 25}, 160);
  Corpus first = corpus_of({40}, 160);
  const Recorder together = run(model, both, 2), alone = run(model, first, 2);
  EXPECT_TRUE(same_bytes(alone.nll, {together.nll.begin(), together.nll.begin() + 40}));
}

TEST(Forward, ATokenDoesNotSeeTheFuture) {
  const Model model(variants / "base");
  Corpus corpus = corpus_of({50}, 160);
  const Recorder before = run(model, corpus, 2);
  corpus.token_id.back() = (corpus.token_id.back() + 1) % 160;
  const Recorder after = run(model, corpus, 2);
  EXPECT_TRUE(
      same_bytes({before.nll.begin(), before.nll.begin() + 48}, {after.nll.begin(), after.nll.begin() + 48}));
  EXPECT_NE(before.nll[48], after.nll[48]);  // its target changed
}

TEST(Forward, AWindowAsLongAsTheSequenceIsFullAttention) {
  TemporaryDirectory directory;
  CheckpointOptions options;
  write_checkpoint(directory / "full", options);
  options.layer_types = {"sliding_attention", "sliding_attention", "sliding_attention"};
  options.sliding_window = 100;
  write_checkpoint(directory / "wide", options);
  options.sliding_window = 99;
  write_checkpoint(directory / "narrow", options);
  const Corpus corpus = corpus_of({100}, 40);
  const Recorder full = run(Model(directory / "full"), corpus, 2);
  EXPECT_TRUE(same_bytes(full.hidden, run(Model(directory / "wide"), corpus, 2).hidden));
  const Recorder narrow = run(Model(directory / "narrow"), corpus, 2);
  EXPECT_FALSE(same_bytes(full.hidden, narrow.hidden));
}

TEST(Forward, FusedAndSeparateExpertsAreTheSameModel) {
  const Corpus corpus = corpus_of({64}, 160);
  const Recorder separate = run(Model(variants / "base"), corpus, 2);
  const Recorder fused = run(Model(variants / "k_fused"), corpus, 2);
  EXPECT_TRUE(same_bytes(separate.nll, fused.nll));
  EXPECT_TRUE(same_bytes(separate.hidden, fused.hidden));
}

TEST(Forward, EveryWeightIsReadOnceForEachBatch) {
  const Model model(variants / "base");
  const Corpus corpus = corpus_of({30, 30}, 160);
  ThreadPool pool(2);
  Recorder recorder(corpus.tokens());
  ForwardOptions options;
  std::uint64_t reported = 0;
  options.progress = [&](std::uint64_t bytes) { reported += bytes; };
  ForwardTimes times = run_forward(model.checkpoint, model.weights, corpus, options, pool, recorder);
  const Weight& embedding = model.weights.at({Role::embedding});
  ASSERT_EQ(times.size(), 2 + static_cast<std::size_t>(model.checkpoint.config().num_hidden_layers));
  EXPECT_LE(times.front().stream.bytes,
            corpus.tokens() * embedding.row_bytes());  // its rows are read by token
  EXPECT_GE(times.front().stream.bytes, embedding.row_bytes());
  times.front() = {};
  const std::uint64_t bytes = total(times).stream.bytes;
  EXPECT_EQ(bytes, model.checkpoint.bytes() - embedding.bytes());
  EXPECT_EQ(bytes, reported);
  EXPECT_EQ(bytes, forward_weight_bytes(model.checkpoint.config(), model.weights, corpus, 0));
}

TEST(Forward, LossIsNaNOnlyAtTheEndOfASequence) {
  const Corpus corpus = corpus_of({3, 1, 4}, 160);
  const Recorder recorder = run(Model(variants / "base"), corpus, 1);
  std::vector<std::size_t> missing;
  for (std::size_t t = 0; t < corpus.tokens(); ++t) {
    if (std::isnan(recorder.nll[t])) missing.push_back(t);
  }
  EXPECT_EQ(missing, (std::vector<std::size_t>{2, 3, 7}));
}

TEST(Forward, NonFiniteWeightsShowUpAsNaNLosses) {
  TemporaryDirectory directory;
  BuiltCheckpoint built = build_checkpoint({});
  BuiltTensor& head = built.tensor("lm_head.weight");
  head.data.replace(0, 2, std::string("\xc0\x7f", 2));  // a NaN in the row of token 0
  built.write(directory / "nan");
  const Corpus corpus = corpus_of({10}, 40);
  const Recorder recorder = run(Model(directory / "nan"), corpus, 2);
  for (std::size_t t = 0; t < 9; ++t) EXPECT_TRUE(std::isnan(recorder.nll[t])) << t;
}

TEST(Forward, StopsWhenInterrupted) {
  const Model model(variants / "base");
  const Corpus corpus = corpus_of({30}, 160);
  ThreadPool pool(2);
  Recorder recorder(corpus.tokens());
  const std::atomic<bool> interrupted{true};
  ForwardOptions options;
  options.interrupted = &interrupted;
  EXPECT_THROW(run_forward(model.checkpoint, model.weights, corpus, options, pool, recorder), Interrupted);
}

TEST(Forward, AShardThatShrinksIsAnErrorNotACrash) {
  TemporaryDirectory directory;
  write_checkpoint(directory / "model", {});
  const Model model(directory / "model");
  std::filesystem::resize_file(directory / "model" / "model.safetensors", 5000);
  EXPECT_THROW(run(model, corpus_of({10}, 40), 2), std::system_error);
}

TEST(MakeBatches, KeepsSequencesWholeAndInOrder) {
  const Corpus corpus = corpus_of({5, 5, 20, 1, 1}, 40);
  const std::vector<TokenBatch> batches = make_batches(corpus, 10);
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_EQ(batches[0].sequence_start, (std::vector<std::size_t>{0, 5, 10}));
  EXPECT_EQ(batches[1].sequence_start, (std::vector<std::size_t>{0, 20}));  // longer than a batch: alone
  EXPECT_EQ(batches[2].first_token, 30u);
  EXPECT_EQ(batches[2].token_id.size(), 2u);
}

}  // namespace
}  // namespace moescope
