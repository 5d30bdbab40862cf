#include "analysis/forward/forward_cost.h"

#include <gtest/gtest.h>

#include <numeric>

#include "readers/files/source_file.h"
#include "readers/model/parameter_count.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/source_path.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

/// The released model, from its configuration alone.
ModelConfig dots_llm1() {
  const std::string file = source_path("data/dots_llm1/config.json");
  return parse_model_config(read_whole_file(file), file);
}

struct OpenedModel {
  explicit OpenedModel(const CheckpointOptions& options)
      : checkpoint((write_checkpoint(directory.path(), options), Checkpoint::open(directory.path()))),
        weights(checkpoint) {}
  std::vector<PartCost> cost(const std::vector<std::size_t>& sequence_start) const {
    return forward_cost(checkpoint.config(), weights, sequence_start);
  }
  TemporaryDirectory directory;
  Checkpoint checkpoint;
  ModelWeights weights;
};

// By hand, for the 5 tokens of two sequences (3 and 2: 6 + 3 keys seen) and the builder's model: H 16, 4
// heads of 4, 2 for keys and values, dense width 24, 8 experts of width 8, 2 a token, 1 shared, V 40.
//   projections  2 (16*16 + 2 * 8*16 + 16*16) = 1536 a token, attention 2 * 2 * 4*4 * 9 = 576
//   dense MLP    3 * 2 * 24*16 = 2304 a token
//   MoE          2 * 8*16 + 2 (3 * 2 * 8*16) + 3 * 2 * 8*16 = 2560 a token
//   head         2 * 40*16 = 1280 a token
TEST(ForwardCost, CountsEveryProductOfATinyModel) {
  const auto parts = OpenedModel({}).cost({0, 3, 5});
  ASSERT_EQ(parts.size(), 5u);
  EXPECT_EQ(parts[0].part, ForwardPart::embedding);
  EXPECT_EQ(parts[0].cost.flops, 0);
  EXPECT_EQ(parts[1].part, ForwardPart::dense_layer);
  EXPECT_EQ(parts[1].layer, 0);
  EXPECT_EQ(parts[1].cost.flops, 5 * (1536 + 2304) + 576);
  EXPECT_EQ(parts[1].cost.attention_flops, 576);
  for (std::size_t layer : {1u, 2u}) {
    EXPECT_EQ(parts[layer + 1].part, ForwardPart::moe_layer);
    EXPECT_EQ(parts[layer + 1].layer, static_cast<std::int64_t>(layer));
    EXPECT_EQ(parts[layer + 1].cost.flops, 5 * (1536 + 2560) + 576);
    EXPECT_EQ(parts[layer + 1].cost.routed_flops, 5 * 1536);
  }
  EXPECT_EQ(parts[4].part, ForwardPart::head);
  EXPECT_EQ(parts[4].cost.flops, 5 * 1280);
}

// The same model in BF16. Elements by hand: norms 16 + 16 + 4 + 4, attention 768, dense MLP 3 * 24*16, MoE
// 8*16
// + 9 (3 * 8*16), and a correction bias of 8 in F32; head 40*16 and the final norm 16.
TEST(ForwardCost, CountsTheBytesThatAreStored) {
  const auto parts = OpenedModel({}).cost({0, 3, 5});
  EXPECT_EQ(parts[0].cost.weight_bytes, 5u * 16 * 2);
  EXPECT_EQ(parts[1].cost.weight_bytes, (40u + 768 + 1152) * 2);
  EXPECT_EQ(parts[2].cost.weight_bytes, (40u + 768 + 128 + 3456) * 2 + 8 * 4);
  EXPECT_EQ(parts[3].cost.weight_bytes, parts[2].cost.weight_bytes);
  EXPECT_EQ(parts[4].cost.weight_bytes, (40u * 16 + 16) * 2);
}

// Qwen3-Next's fixture: H 24, 4 value heads of 12, 2 key heads of 8, so that there are 80 channels, with 4
// taps; 4 query heads of 16 with gates, 2 for keys and values. Of a linear layer, by hand, for one token:
//   projections   2 * 24 (80 + 48) + 2 * 24 * 8 + 2 * 48*24 = 8832, convolution 2 * 80*4 = 640
//   memories      3 * 2 * 48*8 = 2304 (known under the key, written, read)
// of a softmax layer 2 * 24 (128 + 2 * 32) + 2 * 64*24 = 12288, and 2 * 4 (16 + 16) for each key seen.
// Experts: 8 of width 8, 3 a token, a gated shared one of 12: 2 * 24 (8 + 1) + 3 * 2 * 24 (3 * 8 + 12).
TEST(ForwardCost, CountsLinearAttention) {
  const std::string file = source_path("data/families/qwen3_next/config.json");
  const ModelConfig config = parse_model_config(read_whole_file(file), file);
  const auto parts =
      forward_cost(config, ModelWeights(config, DType::bf16), std::vector<std::size_t>{0, 3, 5});
  constexpr double experts = 432 + 5184;
  EXPECT_EQ(parts[1].cost.attention_flops, 5 * 2304);
  EXPECT_EQ(parts[1].cost.flops, 5 * (8832 + 640 + 2304 + experts));
  EXPECT_EQ(parts[2].cost.attention_flops, 9 * 256);
  EXPECT_EQ(parts[2].cost.flops, 5 * (12288 + experts) + 9 * 256);
}

TEST(ForwardCost, ReadsNoMoreOfTheEmbeddingThanThereIs) {
  EXPECT_EQ(OpenedModel({}).cost({0, 1000})[0].cost.weight_bytes, 40u * 16 * 2);
}

TEST(ForwardCost, ReadsATiedEmbeddingWholeAsTheHead) {
  CheckpointOptions options;
  options.tie_word_embeddings = true;
  const auto parts = OpenedModel(options).cost({0, 3});
  EXPECT_EQ(parts.back().cost.weight_bytes, (40u * 16 + 16) * 2);
  EXPECT_EQ(parts.back().cost.flops, 3 * 1280);
}

TEST(ForwardCost, DoesNotDependOnHowExpertsAreStored) {
  CheckpointOptions options;
  const auto single = OpenedModel(options).cost({0, 7});
  options.fused_experts = true;
  const auto fused = OpenedModel(options).cost({0, 7});
  for (std::size_t p = 0; p < single.size(); ++p) {
    EXPECT_EQ(single[p].cost.weight_bytes, fused[p].cost.weight_bytes);
    EXPECT_EQ(single[p].cost.flops, fused[p].cost.flops);
  }
}

TEST(ForwardCost, LooksThroughTheWindowOfSlidingLayersOnly) {
  CheckpointOptions options;
  options.sliding_window = 4;
  options.max_window_layers = 1;
  const auto parts = OpenedModel(options).cost({0, 10});
  EXPECT_EQ(parts[1].cost.attention_flops, 64 * (10 * 11 / 2));
  EXPECT_EQ(parts[2].cost.attention_flops, 64 * (1 + 2 + 3 + 7 * 4));
}

TEST(ForwardCost, SeesExactlyTheKeysOfACausalMask) {
  for (std::int64_t length = 0; length < 20; ++length) {
    for (std::int64_t window = 1; window < 25; ++window) {
      std::uint64_t all = 0, near = 0;
      for (std::int64_t query = 0; query < length; ++query) {
        for (std::int64_t key = 0; key < length; ++key) {
          all += key <= query;
          near += key <= query && key > query - window;
        }
      }
      EXPECT_EQ(visible_keys(static_cast<std::size_t>(length), {}), all);
      EXPECT_EQ(visible_keys(static_cast<std::size_t>(length), window), near);
    }
  }
}

TEST(ForwardCost, OfTwoBatchesIsThatOfBothTogether) {
  const OpenedModel model({});
  const Cost whole = total_cost(model.cost({0, 3, 5, 12}));
  const Cost first = total_cost(model.cost({0, 3})), second = total_cost(model.cost({3, 5, 12}));
  EXPECT_EQ(first.flops + second.flops, whole.flops);
}

// arXiv 2506.05767: 142.77 B parameters, 14.0 B active. A token is multiplied with every active parameter but
// the embedding, the norms (62 layers of 2 * 4096 + 2 * 128, and the final one) and the correction biases (61
// * 128).
TEST(ForwardCost, OfDotsLlm1IsTwoOperationsForEachActiveParameter) {
  const ModelConfig config = dots_llm1();
  const ParameterCount count = count_parameters(config);
  ASSERT_EQ(count.total, 142'774'381'696u);
  ASSERT_EQ(count.active, 14'016'588'928u);
  const ModelWeights weights(config, DType::bf16);
  ASSERT_EQ(weights.all().size(), 24'231u);

  const std::vector<std::size_t> sequences{0, 2048, 4096};
  const Cost cost = total_cost(forward_cost(config, weights, sequences));
  const std::uint64_t not_multiplied = 152064 * 4096 + 62 * (2 * 4096 + 2 * 128) + 4096 + 61 * 128;
  EXPECT_EQ(cost.flops - cost.attention_flops,
            2.0 * 4096 * static_cast<double>(count.active - not_multiplied));
  EXPECT_EQ(cost.attention_flops, 62 * 4.0 * 4096 * 2 * (2048 * 2049 / 2));
  EXPECT_EQ(cost.weight_bytes, 2 * (count.total - 152064 * 4096 + 4096 * 4096));
}

}  // namespace
}  // namespace moescope
