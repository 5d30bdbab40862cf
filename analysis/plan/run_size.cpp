#include "analysis/plan/run_size.h"

#include <algorithm>

#include "analysis/record/recorded_roles.h"
#include "analysis/record/spectra_record.h"
#include "analysis/record/weight_recorder.h"
#include "analysis/runs/run_notes.h"
#include "metrics/catalogue/catalogue.h"
#include "readers/schema/run_schema.h"

namespace moescope {
namespace {

using Sizes = std::map<std::string, std::uint64_t>;

/// Attributes and dimension scales of one dataset.
constexpr std::uint64_t dataset_overhead = 3 << 10;

std::uint64_t element_bytes(ElementType type) {
  switch (type) {
    case ElementType::u1:
      return 1;
    case ElementType::u2:
      return 2;
    case ElementType::u4:
    case ElementType::i4:
    case ElementType::f4:
      return 4;
    case ElementType::i8:
    case ElementType::f8:
      return 8;
    case ElementType::text:
      break;
  }
  return 0;
}

Sizes dimension_sizes(const ModelConfig& config, const RunExtent& extent) {
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
      {"quantile", 3},
      {"note", NoteRows{0, extent.checkpoints}.count()},
  };
}

bool is_below(const std::string& path, const char* group) {
  return path.starts_with(group);
}

/// Whether a dataset is about the updates from one checkpoint to the next.
bool is_of_steps(const DatasetSpec& spec) {
  return std::ranges::any_of(spec.dimensions, [](const std::string& dimension) {
    return dimension == "checkpoint_step" || dimension == "step_bin" || dimension == "component";
  });
}

bool is_of_sketches(const std::string& path) {
  return path == "/weights/sketch" || path.starts_with("/weights/expert_weight_match");
}

/// Whether a run records this part of the schema.
bool is_recorded(const DatasetSpec& spec, const RunExtent& extent) {
  const std::string& path = spec.path;
  if (path == "/routing/router_logit") return extent.scope.forward && extent.scope.save.router_logits;
  if (is_below(path, "/hidden/")) return extent.scope.forward && extent.scope.save.hidden_states;
  if (is_below(path, "/logits/")) return extent.scope.forward && extent.scope.save.logits;
  if (is_below(path, "/io/spectra_")) return extent.scope.weights && extent.scope.measures_spectra();
  if (is_spectra_dataset(path) && !extent.scope.measures_spectra()) return false;
  if (is_of_sketches(path) && !extent.scope.sketches) return false;
  if (is_of_steps(spec)) return extent.scope.weights && extent.checkpoints > 1;
  if (path == "/other_expert") return extent.scope.weights;
  if (path == "/probability") return extent.scope.weights;
  if (path == "/tensor" || path == "/status/tensor_done" || path == "/status/pair_done" ||
      is_below(path, "/weights/") || is_below(path, "/io/weight_pass_"))
    return extent.scope.weights;
  if (path == "/domain" || is_below(path, "/corpus/") || is_below(path, "/routing/") ||
      is_below(path, "/loss/") || path == "/pass_part" || is_below(path, "/io/")) {
    return extent.scope.forward;
  }
  return true;
}

PlannedDataset plan_dataset(std::string path, ElementType type, const std::vector<std::string>& dimensions,
                            const Sizes& sizes) {
  PlannedDataset dataset{std::move(path), type, {}};
  for (const std::string& dimension : dimensions) dataset.shape.push_back(sizes.at(dimension));
  return dataset;
}

}  // namespace

std::uint64_t PlannedDataset::elements() const {
  std::uint64_t elements = 1;
  for (std::uint64_t extent : shape) elements *= extent;
  return elements;
}

std::uint64_t PlannedDataset::bytes() const {
  return elements() * (type == ElementType::text ? text_bytes : element_bytes(type));
}

std::vector<PlannedDataset> planned_datasets(const ModelConfig& config, const RunExtent& extent) {
  const Sizes sizes = dimension_sizes(config, extent);
  std::vector<PlannedDataset> datasets;
  for (const DatasetSpec& spec : raw_datasets()) {
    if (!is_recorded(spec, extent)) continue;
    datasets.push_back(plan_dataset(spec.path, spec.type, spec.dimensions, sizes));
    if (spec.path == "/notes") datasets.back().text_bytes = note_bytes;
    if (spec.path == "/routing/topk_index")
      datasets.back().type = expert_index_type(static_cast<std::uint64_t>(config.n_routed_experts));
  }
  for (const Metric& metric : metric_catalogue()) {
    if (!(is_from_weights(metric) ? extent.scope.weights : extent.scope.forward)) continue;
    if (is_from_sketches(metric) && !extent.scope.sketches) continue;
    PlannedDataset dataset = plan_dataset(metric_path(metric.name), ElementType::f8, metric.axes, sizes);
    if (dataset.elements() > 0) datasets.push_back(std::move(dataset));  // one checkpoint has no steps
  }
  return datasets;
}

std::uint64_t run_file_bytes(const ModelConfig& config, const RunExtent& extent) {
  std::uint64_t bytes = 0;
  for (const PlannedDataset& dataset : planned_datasets(config, extent))
    bytes += dataset.bytes() + dataset_overhead;
  return bytes;
}

}  // namespace moescope
