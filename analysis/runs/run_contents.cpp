#include "analysis/runs/run_contents.h"

#include <algorithm>

#include "analysis/record/recorded_roles.h"
#include "analysis/record/weight_recorder.h"
#include "analysis/runs/run_notes.h"
#include "metrics/weights/weight_sketch.h"
#include "readers/model/weight_table.h"
#include "readers/schema/run_schema.h"

namespace moescope {
namespace {

/// Levels over tokens: 0.05, 0.5 and 0.95.
constexpr std::uint64_t quantiles = 3;

std::map<std::string, std::uint64_t> dimension_sizes(const ModelConfig& config, const RunExtent& extent) {
  const auto size = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
  const std::uint64_t steps = std::max<std::uint64_t>(1, extent.checkpoints) - 1;
  return {
      {"checkpoint", extent.checkpoints},
      {"other_checkpoint", extent.checkpoints},
      {"checkpoint_step", steps},
      {"other_checkpoint_step", steps},
      {"domain", extent.domains},
      {"token", extent.tokens},
      {"tensor", extent.tensors},
      {"layer", size(config.num_hidden_layers)},
      {"moe_layer", config.moe_layers().size()},
      {"expert", size(config.n_routed_experts)},
      {"other_expert", size(config.n_routed_experts)},
      {"rank", size(config.num_experts_per_tok)},
      {"hidden_unit", size(config.hidden_size)},
      {"vocabulary", size(config.vocab_size)},
      {"pass_part", size(config.num_hidden_layers) + 2},
      {"role", role_labels().size()},
      {"component", steps},
      {"probability", recorded_probabilities().size()},
      {"magnitude", bfloat16_magnitudes},
      {"step_bin", step_bins},
      {"sketch_element", sketch_size},
      {"quantile", quantiles},
      {"note", NoteRows{0, extent.checkpoints}.count()},
  };
}

}  // namespace

RunContents run_contents(const AnalysisScope& scope, const ModelConfig& config, const RunExtent& extent) {
  RunContents contents;
  contents.forward = scope.forward;
  contents.weights = scope.weights;
  contents.moe_layers = !config.moe_layers().empty();
  contents.correction_bias = shape_of(Role::score_correction_bias, config).size() > 0;
  contents.steps = extent.checkpoints > 1;
  contents.sketches = scope.records_sketches();
  contents.spectra = scope.measures_spectra();
  contents.router_logits = scope.save.router_logits;
  contents.hidden_states = scope.save.hidden_states;
  contents.logits = scope.save.logits;
  contents.sizes = dimension_sizes(config, extent);
  return contents;
}

DatasetSpec recorded_spec(const DatasetRow& row, const RunContents& contents) {
  DatasetSpec spec = row;
  if (row.narrow) spec.type = expert_index_type(contents.sizes.at("expert"));
  return spec;
}

}  // namespace moescope
