#include "readers/checkpoint/model_weights.h"
#include "readers/checkpoint/checkpoint.h"
#include "readers/model/model_config.h"
#include "readers/model/parameter_count.h"
#include "readers/model/weight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/source_path.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::filesystem::path data_directory = source_path("data");

std::string bytes_of(const Checkpoint& checkpoint, const Weight& weight) {
  std::string bytes(weight.bytes(), '\0');
  checkpoint.shards()[weight.shard].read(weight.offset, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

void expect_same_weights(const Checkpoint& a, const Checkpoint& b) {
  const ModelWeights weights_a(a), weights_b(b);
  ASSERT_EQ(weights_a.all().size(), weights_b.all().size());
  for (std::size_t i = 0; i < weights_a.all().size(); ++i) {
    const Weight &x = weights_a.all()[i], &y = weights_b.all()[i];
    ASSERT_TRUE(x.key == y.key) << x.name << " and " << y.name;
    EXPECT_EQ(x.name, y.name);
    EXPECT_EQ(x.dtype, y.dtype) << x.name;
    EXPECT_TRUE(bytes_of(a, x) == bytes_of(b, y)) << x.name;
  }
}

/// The message of the FormatError that a broken checkpoint causes; empty when there is none.
std::string failure_of(const BuiltCheckpoint& built) {
  TemporaryDirectory directory;
  built.write(directory.path());
  try {
    const Checkpoint checkpoint = Checkpoint::open(directory.path());
    const ModelWeights weights(checkpoint);
  } catch (const FormatError& error) {
    return error.what();
  }
  return {};
}

struct OpenedModel {
  explicit OpenedModel(const BuiltCheckpoint& built)
      : checkpoint((built.write(directory.path()), Checkpoint::open(directory.path()))),
        weights(checkpoint) {}
  explicit OpenedModel(const CheckpointOptions& options = {}) : OpenedModel(build_checkpoint(options)) {}
  TemporaryDirectory directory;
  Checkpoint checkpoint;
  ModelWeights weights;
};

TEST(TensorRoles, AllCheckpointsOfTheDemoSeriesAreValid) {
  std::size_t checkpoints = 0;
  for (const auto& entry : std::filesystem::directory_iterator(data_directory / "tiny-dots1")) {
    if (!entry.is_directory()) continue;
    const Checkpoint checkpoint = Checkpoint::open(entry.path());
    const ModelWeights weights(checkpoint);
    EXPECT_THAT(checkpoint.notes(), IsEmpty()) << entry.path();
    EXPECT_THAT(weights.notes(), IsEmpty()) << entry.path();
    std::uint64_t size = 0;
    for (const Weight& weight : weights.all()) size += weight.size();
    EXPECT_EQ(size, count_parameters(checkpoint.config()).total);
    ++checkpoints;
  }
  EXPECT_EQ(checkpoints, 13u);
}

TEST(TensorRoles, AConfigurationDescribesTheWeightsThatAreStored) {
  for (const char* path : {"tiny-dots1/tiny-dots1-05T", "variants/a_groups", "variants/b_gqa",
                           "variants/g_sliding", "variants/k_fused"}) {
    const Checkpoint checkpoint = Checkpoint::open(data_directory / path);
    const ModelWeights stored(checkpoint), described(checkpoint.config(), DType::f32);
    ASSERT_EQ(described.all().size(), stored.all().size()) << path;
    for (std::size_t i = 0; i < stored.all().size(); ++i) {
      const Weight &x = stored.all()[i], &y = described.all()[i];
      EXPECT_TRUE(x.key == y.key) << path << ": " << x.name << " and " << y.name;
      EXPECT_EQ(x.name, y.name);
      EXPECT_EQ(x.rows, y.rows) << x.name;
      EXPECT_EQ(x.cols, y.cols) << x.name;
      EXPECT_EQ(y.dtype, DType::f32) << x.name;
      EXPECT_EQ(&described.at(x.key), &y);
    }
  }
}

TEST(TensorRoles, AllVariantsAreValid) {
  for (const char* name : {"a_groups", "b_gqa", "base", "g_sliding", "k_fused"}) {
    const Checkpoint checkpoint = Checkpoint::open(data_directory / "variants" / name);
    EXPECT_THAT(ModelWeights(checkpoint).notes(), IsEmpty()) << name;
  }
}

// data/variants: k_fused holds base's numbers in the fused layout.
TEST(TensorRoles, FusedLayoutOfTheReferenceGivesTheSameWeights) {
  expect_same_weights(Checkpoint::open(data_directory / "variants/base"),
                      Checkpoint::open(data_directory / "variants/k_fused"));
}

TEST(TensorRoles, BuiltLayoutsGiveTheSameWeights) {
  CheckpointOptions options;
  const OpenedModel separate(options);
  options.fused_experts = true;
  options.shards = 3;
  const OpenedModel fused(options);
  expect_same_weights(separate.checkpoint, fused.checkpoint);
}

// 142,774,381,696 parameters, 14,016,588,928 active: derived from the architecture in arXiv 2506.05767,
// Table 6.
TEST(TensorRoles, ParameterCountOfDotsLlm1) {
  const std::string file = data_directory / "dots_llm1/config.json";
  const ModelConfig config = parse_model_config(read_whole_file(file), file);
  const ParameterCount count = count_parameters(config);
  EXPECT_EQ(count.total, 142'774'381'696u);
  EXPECT_EQ(count.active, 14'016'588'928u);
}

TEST(TensorRoles, CanonicalOrderIsEmbeddingLayersNormHead) {
  CheckpointOptions options;
  options.num_hidden_layers = 2;
  options.n_routed_experts = 2;
  options.num_experts_per_tok = 1;
  const OpenedModel model(options);
  std::vector<std::string> names;
  for (const Weight& weight : model.weights.all()) names.push_back(weight.name);
  const std::string a = "model.layers.0.", b = "model.layers.1.";
  EXPECT_THAT(
      names,
      ElementsAre("model.embed_tokens.weight", a + "input_layernorm.weight", a + "self_attn.q_proj.weight",
                  a + "self_attn.k_proj.weight", a + "self_attn.v_proj.weight", a + "self_attn.q_norm.weight",
                  a + "self_attn.k_norm.weight", a + "self_attn.o_proj.weight",
                  a + "post_attention_layernorm.weight", a + "mlp.gate_proj.weight", a + "mlp.up_proj.weight",
                  a + "mlp.down_proj.weight", b + "input_layernorm.weight", b + "self_attn.q_proj.weight",
                  b + "self_attn.k_proj.weight", b + "self_attn.v_proj.weight", b + "self_attn.q_norm.weight",
                  b + "self_attn.k_norm.weight", b + "self_attn.o_proj.weight",
                  b + "post_attention_layernorm.weight", b + "mlp.gate.weight",
                  b + "mlp.gate.e_score_correction_bias", b + "mlp.experts.0.gate_proj.weight",
                  b + "mlp.experts.0.up_proj.weight", b + "mlp.experts.0.down_proj.weight",
                  b + "mlp.experts.1.gate_proj.weight", b + "mlp.experts.1.up_proj.weight",
                  b + "mlp.experts.1.down_proj.weight", b + "mlp.shared_experts.gate_proj.weight",
                  b + "mlp.shared_experts.up_proj.weight", b + "mlp.shared_experts.down_proj.weight",
                  "model.norm.weight", "lm_head.weight"));
}

TEST(TensorRoles, FindsAWeightByKeyAndNothingWhereThereIsNone) {
  const OpenedModel model;
  const Weight& down = model.weights.at({Role::expert_down, 2, 7});
  EXPECT_EQ(down.name, "model.layers.2.mlp.experts.7.down_proj.weight");
  EXPECT_EQ(down.rows, 16u);
  EXPECT_EQ(down.cols, 8u);
  EXPECT_EQ(model.weights.find({Role::router, 0, -1}), nullptr);  // layer 0 is dense
  EXPECT_EQ(model.weights.find({Role::expert_down, 2, 8}), nullptr);
  EXPECT_THROW(model.weights.at({Role::router, 0, -1}), std::out_of_range);
}

TEST(TensorRoles, NamesShardAndTensorOfAWrongShape) {
  BuiltCheckpoint built = build_checkpoint();
  built.tensor("model.layers.1.mlp.gate.weight").shape = {16, 8};
  EXPECT_THAT(failure_of(built), HasSubstr("/model.safetensors: tensor 'model.layers.1.mlp.gate.weight': "
                                           "expected shape [8, 16], found [16, 8]"));
}

TEST(TensorRoles, NamesAMissingTensorAndItsShape) {
  BuiltCheckpoint built = build_checkpoint();
  built.drop("model.layers.2.mlp.experts.5.up_proj.weight");
  EXPECT_THAT(failure_of(built), HasSubstr("tensor 'model.layers.2.mlp.experts.5.up_proj.weight': is missing "
                                           "(expected shape [8, 16])"));
}

TEST(TensorRoles, NamesTheFusedTensorWhenTheOtherOneIsFused) {
  CheckpointOptions options;
  options.fused_experts = true;
  BuiltCheckpoint built = build_checkpoint(options);
  built.drop("model.layers.1.mlp.experts.down_proj");
  EXPECT_THAT(
      failure_of(built),
      HasSubstr("tensor 'model.layers.1.mlp.experts.down_proj': is missing (expected shape [8, 16, 8])"));
}

TEST(TensorRoles, RefusesExpertsStoredInBothLayouts) {
  CheckpointOptions options;
  options.fused_experts = true;
  BuiltCheckpoint built = build_checkpoint(options);
  built.tensors.push_back({"model.layers.1.mlp.experts.0.up_proj.weight", DType::bf16, {1}, "ab"});
  EXPECT_THAT(failure_of(built), HasSubstr("is stored by itself and also inside the fused "
                                           "'model.layers.1.mlp.experts.gate_up_proj'"));
}

TEST(TensorRoles, RefusesADTypeThatIsNoWeight) {
  BuiltCheckpoint built = build_checkpoint();
  built.tensor("model.norm.weight").dtype = DType::i16;
  EXPECT_THAT(failure_of(built),
              HasSubstr("tensor 'model.norm.weight': expected dtype BF16, F16, F32 or F8_E4M3, found I16"));
}

// A cast would give numbers, but not the model's.
TEST(TensorRoles, RefusesQuantisedWeightsWithoutTheirScales) {
  const auto quantise = [](BuiltCheckpoint& built, const std::string& name) -> BuiltTensor& {
    BuiltTensor& tensor = built.tensor(name);
    tensor.dtype = DType::f8_e4m3;
    tensor.data.resize(tensor.data.size() / 2);  // of BF16
    return tensor;
  };
  const std::string query = "model.layers.0.self_attn.q_proj.weight";
  BuiltCheckpoint built = build_checkpoint();
  const std::vector<std::uint64_t> shape = quantise(built, query).shape;
  EXPECT_THAT(failure_of(built), HasSubstr("is stored as F8_E4M3, but has no scale (expected '" + query +
                                           "_scale_inv' or '" + query + "_scale')"));
  built.tensors.push_back({query + "_scale", DType::f32, {shape[0], 1}, std::string(shape[0] * 4, '\0')});
  EXPECT_EQ(failure_of(built), "");
  built.tensors.back().shape = {1, shape[0]};
  EXPECT_THAT(failure_of(built), HasSubstr("_scale': expected shape"));
  BuiltCheckpoint norm = build_checkpoint();
  quantise(norm, "model.norm.weight");
  EXPECT_THAT(failure_of(norm),
              HasSubstr("'model.norm.weight': expected dtype BF16, F16 or F32, found F8_E4M3"));
  BuiltCheckpoint embedding = build_checkpoint();
  quantise(embedding, "model.embed_tokens.weight");
  EXPECT_THAT(failure_of(embedding), HasSubstr("expected dtype BF16, F16 or F32, found F8_E4M3"));
}

TEST(TensorRoles, AcceptsEveryWeightDTypeAndAnyMixture) {
  for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
    CheckpointOptions options;
    options.dtype = dtype;
    options.bias_dtype = DType::bf16;
    const OpenedModel model(options);
    EXPECT_EQ(model.weights.at({Role::head, -1, -1}).dtype, dtype);
    EXPECT_EQ(model.weights.at({Role::score_correction_bias, 1, -1}).dtype, DType::bf16);
  }
}

TEST(TensorRoles, TiedModelHasNoHead) {
  CheckpointOptions options;
  options.tie_word_embeddings = true;
  const OpenedModel model(options);
  EXPECT_EQ(model.weights.find({Role::head, -1, -1}), nullptr);
  EXPECT_THAT(model.weights.notes(), IsEmpty());
}

TEST(TensorRoles, AHeadStoredInATiedModelIsTheHeadUnlessItIsTheEmbedding) {
  BuiltCheckpoint built = build_checkpoint();
  built.config["tie_word_embeddings"] = true;
  const OpenedModel differs(built);
  EXPECT_EQ(differs.weights.at({Role::head, -1, -1}).name, "lm_head.weight");
  EXPECT_THAT(differs.weights.notes(), IsEmpty());
  built.tensor("lm_head.weight").data = built.tensor("model.embed_tokens.weight").data;
  const OpenedModel equal(built);
  EXPECT_EQ(equal.weights.find({Role::head, -1, -1}), nullptr);
}

TEST(TensorRoles, AMissingHeadNamesTheKeyThatAsksForIt) {
  BuiltCheckpoint built = build_checkpoint();
  built.drop("lm_head.weight");
  EXPECT_THAT(failure_of(built), HasSubstr("tensor 'lm_head.weight': is missing (expected shape [40, 16]); "
                                           "config.json: 'tie_word_embeddings' is false"));
}

TEST(TensorRoles, NamesWithAnotherPrefixAreNamed) {
  const auto with = [](const std::function<std::string(const std::string&)>& rename) {
    BuiltCheckpoint built = build_checkpoint();
    for (BuiltTensor& tensor : built.tensors) tensor.name = rename(tensor.name);
    return failure_of(built);
  };
  const auto nested = [](const std::string& name) {
    return name.starts_with("model.") ? "model.language_model." + name.substr(6) : name;
  };
  EXPECT_THAT(with(nested),
              HasSubstr("it is stored as 'model.language_model.embed_tokens.weight', with the prefix "
                        "'model.language_model.' in place of 'model.'"));
  EXPECT_THAT(
      with([](const std::string& name) { return name.starts_with("model.") ? name.substr(6) : name; }),
      HasSubstr("it is stored as 'embed_tokens.weight', without the prefix 'model.'"));
  for (const char* prefix : {"_orig_mod.", "module."}) {
    EXPECT_THAT(
        with([&](const std::string& name) { return prefix + name; }),
        HasSubstr("it is stored as '" + std::string(prefix) +
                  "model.embed_tokens.weight', with the prefix '" + prefix + "model.' in place of 'model.'"));
  }
}

TEST(TensorRoles, NamesWithAPartInsideAreNamed) {
  BuiltCheckpoint built = build_checkpoint();
  built.tensor("model.layers.1.mlp.gate.weight").name = "model.layers.1._orig_mod.mlp.gate.weight";
  built.tensor("lm_head.weight").name = "module.lm_head.weight";
  EXPECT_THAT(failure_of(built),
              HasSubstr("tensor 'model.layers.1.mlp.gate.weight': is missing (expected shape [8, 16]); it is "
                        "stored as 'model.layers.1._orig_mod.mlp.gate.weight'"));
  built.tensor("model.layers.1._orig_mod.mlp.gate.weight").name = "model.layers.1.mlp.gate.weight";
  EXPECT_THAT(failure_of(built),
              HasSubstr("it is stored as 'module.lm_head.weight', with the prefix 'module.'"));
}

// safetensors' save_model stores tensors that share their memory once, and the others' names in __metadata__.
TEST(TensorRoles, AnAliasInTheMetadataIsNamed) {
  BuiltCheckpoint built = build_checkpoint();
  built.drop("lm_head.weight");
  TemporaryDirectory directory;
  built.write(directory.path());
  write_file(directory / "model.safetensors",
             safetensors_bytes(built.tensors, {{"lm_head.weight", "model.embed_tokens.weight"}}));
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  try {
    const ModelWeights weights(checkpoint);
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("__metadata__ calls it the same as 'model.embed_tokens.weight'"));
  }
}

TEST(TensorRoles, ABiasOfFewStepsOfBf16IsNoted) {
  const auto notes = [](float center, float spread, DType dtype) {
    CheckpointOptions options;
    options.bias_dtype = dtype;
    BuiltCheckpoint built = build_checkpoint(options);
    std::vector<float> values(8);
    for (std::size_t e = 0; e < values.size(); ++e) values[e] = center + spread * static_cast<float>(e) / 7;
    for (const char* layer : {"1", "2"}) {
      built.tensor("model.layers." + std::string(layer) + ".mlp.gate.e_score_correction_bias").data =
          encode_elements(values, dtype);
    }
    return OpenedModel(built).weights.notes();
  };
  // Between 4 and 8, neighbours in BF16 are 1/32 apart.
  EXPECT_THAT(notes(6.75f, 0.125f, DType::bf16),
              ElementsAre(HasSubstr(
                  "the score correction bias of 2 layers is stored as BF16 and spans few of its steps, so "
                  "that its differences are rounded away: 4 steps in layer")));
  EXPECT_THAT(notes(6.75f, 0.125f, DType::f32), IsEmpty());
  EXPECT_THAT(notes(4.5f, 3.0f, DType::bf16), IsEmpty());
  EXPECT_THAT(notes(0.0f, 0.05f, DType::bf16), IsEmpty());
  EXPECT_THAT(notes(0.0f, 0.0f, DType::bf16), IsEmpty());
}

TEST(TensorRoles, AttentionBiasesBelongToTheModelOnlyWithAttentionBias) {
  CheckpointOptions options;
  options.attention_bias = true;
  const OpenedModel model(options);
  EXPECT_EQ(model.weights.at({Role::key_bias, 0, -1}).cols, 8u);
  EXPECT_EQ(model.weights.at({Role::attention_output_bias, 2, -1}).cols, 16u);
  BuiltCheckpoint without = build_checkpoint(options);
  without.config["attention_bias"] = false;
  const OpenedModel ignoring(without);
  EXPECT_EQ(ignoring.weights.find({Role::key_bias, 0, -1}), nullptr);
  EXPECT_EQ(ignoring.weights.notes().size(), 9u);  // 12 tensors: 8 named, the others in one note
}

TEST(TensorRoles, LayersBeyondTheModelAreSkippedWithOneNote) {
  BuiltCheckpoint built = build_checkpoint();
  built.config["num_hidden_layers"] = 2;
  const OpenedModel model(built);
  EXPECT_EQ(model.weights.find({Role::router, 2, -1}), nullptr);
  EXPECT_THAT(model.weights.notes(),
              ElementsAre(testing::ContainsRegex("^[0-9]+ tensors of layers from 2 on")));
}

TEST(TensorRoles, UnknownTensorIsANote) {
  BuiltCheckpoint built = build_checkpoint();
  built.tensors.push_back({"model.rotary_emb.inv_freq", DType::f32, {1}, "abcd"});
  EXPECT_THAT(
      OpenedModel(built).weights.notes(),
      ElementsAre("model.safetensors: tensor 'model.rotary_emb.inv_freq': has no role in this model and is "
                  "skipped"));  // without the directory, which whoever shows the note knows
}

TEST(TensorRoles, EveryOtherLayerMayBeDense) {
  CheckpointOptions options;
  options.num_hidden_layers = 5;
  options.first_k_dense_replace = 0;
  options.moe_layer_freq = 2;
  const OpenedModel model(options);
  EXPECT_THAT(model.checkpoint.config().moe_layers(), ElementsAre(0, 2, 4));
  EXPECT_NE(model.weights.find({Role::dense_up, 3, -1}), nullptr);
}

TEST(TensorRoles, ModelsWithoutSharedExpertsHaveNone) {
  CheckpointOptions options;
  options.n_shared_experts = 0;
  const OpenedModel model(options);
  EXPECT_EQ(model.weights.find({Role::shared_up, 1, -1}), nullptr);
  EXPECT_EQ(count_parameters(model.checkpoint.config()).total * 2 + 2 * 8 * 2,  // bf16; two biases in f32
            model.checkpoint.bytes());
}

TEST(FirstDifference, IsNoneWhereOnlyTheStorageDiffers) {
  CheckpointOptions options;
  const OpenedModel one(options);
  options.dtype = DType::f32;
  options.fused_experts = true;
  const OpenedModel other(options);
  EXPECT_FALSE(first_difference(one.weights.all(), other.weights.all()));
}

TEST(FirstDifference, IsTheFirstWeightOfAnotherNameOrShapeOrWithoutACounterpart) {
  const OpenedModel model;
  const std::vector<Weight> expected(model.weights.all().begin(), model.weights.all().end());
  std::vector<Weight> found = expected;
  found[7].rows += 1;
  found[9].name += "?";
  const auto shape = first_difference(expected, found);
  ASSERT_TRUE(shape);
  EXPECT_EQ(shape->expected, &expected[7]);
  EXPECT_EQ(shape->found, &found[7]);
  found[7] = expected[7];
  EXPECT_EQ(first_difference(expected, found)->found, &found[9]);
  found = expected;
  found.pop_back();
  EXPECT_EQ(first_difference(expected, found)->found, nullptr);
  EXPECT_EQ(first_difference(found, expected)->expected, nullptr);
}

}  // namespace
}  // namespace moescope
