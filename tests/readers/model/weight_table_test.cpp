#include "readers/model/weight_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/support/scheme_family.h"

namespace moescope {
namespace {

using testing::ElementsAre;

ModelConfig scheme_model(const nlohmann::ordered_json& edit = nlohmann::ordered_json::object()) {
  nlohmann::ordered_json config = scheme_config();
  config.update(edit);
  return parse_model_config(config.dump(), "config.json", scheme_families());
}

// The rules of this family stand in quite another order.
TEST(VisitWeights, GoesByRolesWhateverTheOrderOfTheRules) {
  const ModelConfig config = scheme_model({{"num_hidden_layers", 1},
                                           {"mixture", {true}},
                                           {"sliding", {false}},
                                           {"experts", 2},
                                           {"num_experts_per_tok", 1}});
  std::vector<std::string> names;
  for (const Weight& weight : described_weights(config, DType::f32)) names.push_back(weight.name);
  EXPECT_THAT(names, ElementsAre("embedding.weight", "block.0.norm_1", "block.0.query.weight",
                                 "block.0.key.weight", "block.0.value.weight", "block.0.query.norm",
                                 "block.0.key.norm", "block.0.output.weight", "block.0.norm_2",
                                 "block.0.router.weight", "block.0.router.bias", "block.0.experts.0.gate",
                                 "block.0.experts.0.up", "block.0.experts.0.down", "block.0.experts.1.gate",
                                 "block.0.experts.1.up", "block.0.experts.1.down", "block.0.shared.gate",
                                 "block.0.shared.up", "block.0.shared.down", "norm.weight", "output.weight"));
}

TEST(ShapeOf, ARoleIsThatOfTheRuleThatTheModelFollows) {
  EXPECT_EQ(shape_of(Role::query_norm, scheme_model()).cols, 8u);  // one head
  EXPECT_EQ(shape_of(Role::query_norm, scheme_model({{"query_key_norm", "full_width"}})).cols, 32u);
  EXPECT_EQ(shape_of(Role::query_norm, scheme_model({{"query_key_norm", "none"}})).cols, 0u);
  EXPECT_EQ(shape_of(Role::expert_down, scheme_model()).rows, 16u);
  EXPECT_EQ(shape_of(Role::dense_gate, scheme_model({{"mixture", {true, true, true}}})).size(), 0u);
}

TEST(WeightKeys, KnowEveryDescribedWeightByItsName) {
  const ModelConfig config = scheme_model();
  const auto keys = weight_keys(config);
  const std::vector<Weight> weights = described_weights(config, DType::bf16);
  EXPECT_EQ(keys.size(), weights.size());  // no name twice
  for (const Weight& weight : weights) EXPECT_TRUE(keys.at(weight.name) == weight.key) << weight.name;
}

TEST(DescribedWeights, OfAQuantisedModelAreLinearLayersInEightBits) {
  ModelConfig config = scheme_model();
  config.quantisation = {ScaledBy::blocks, 16, 8};
  for (const Weight& weight : described_weights(config, DType::bf16)) {
    const RoleGroup group = role_group(weight.key.role);
    const bool stays = weight.rows == 1 || group == RoleGroup::embedding || group == RoleGroup::router ||
                       group == RoleGroup::head;
    EXPECT_EQ(weight.scales.has_value(), !stays) << weight.name;
    const DType outside = weight.key.role == Role::score_correction_bias ? DType::f32 : DType::bf16;
    EXPECT_EQ(weight.dtype, stays ? outside : DType::f8_e4m3) << weight.name;
    const std::uint64_t blocks = ((weight.rows + 15) / 16) * ((weight.cols + 7) / 8);
    EXPECT_EQ(weight.scale_bytes(), stays ? 0 : 4 * blocks) << weight.name;
  }
}

// What a pass takes one after another must not be torn apart, and a role without a fused part would be lost.
TEST(KnownFamilies, HaveRulesThatFitTogether) {
  for (const Family& family : known_families()) {
    const auto is_expert = [&](Role role) {
      return std::ranges::any_of(family.weights, [&](const WeightRule& rule) {
        return rule.role == role && rule.scope == Scope::routed_expert;
      });
    };
    for (const FusedRule& fused : family.fused)
      EXPECT_TRUE(fused.only || std::ranges::all_of(fused.parts, is_expert)) << fused.name;
    std::set<std::string_view> names;
    for (const WeightRule& rule : family.weights) {
      EXPECT_EQ(rule.scope == Scope::routed_expert, role_group(rule.role) == RoleGroup::routed_expert);
      EXPECT_EQ(rule.scope == Scope::routed_expert, rule.name.find("{e}") != std::string_view::npos);
      EXPECT_TRUE(rule.present != nullptr || names.insert(rule.name).second) << rule.name;
    }
    EXPECT_NE(family.read_schemes, nullptr);
    EXPECT_NE(family.architectures.empty(), !family.is_megatron);
  }
}

}  // namespace
}  // namespace moescope
