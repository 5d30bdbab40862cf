#include "tests/plots/sample_run.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "metrics/catalogue/catalogue.h"
#include "metrics/statistics.h"
#include "readers/run_file/run_file.h"
#include "readers/schema/datasets.h"
#include "readers/schema/run_schema.h"

namespace moescope {
namespace {

const std::vector<std::string> roles = {"embedding", "attention", "router", "routed_expert", "whole_model"};

/// The index of `dimension` in a metric's `axes`, e.g. index("checkpoint").
struct Place {
  const Metric& metric;
  const std::vector<std::size_t>& indices;
  double operator()(const std::string& dimension) const {
    for (std::size_t i = 0; i < metric.axes.size(); ++i) {
      if (metric.axes[i] == dimension) return static_cast<double>(indices[i]);
    }
    return 0;
  }
};

double load_of(double expert) {
  return expert == 0 ? 0 : expert == 1 ? 2 : 1;
}

/// Metrics of the way that weights went.
double value_of_path(const Place& at) {
  const std::string& name = at.metric.name;
  const double c = at("checkpoint"), step = at("checkpoint_step"), component = at("component");
  if (name == "expert_relative_drift")
    return std::abs(c - at("other_checkpoint")) / 10 * (1 + at("expert") / 10);
  if (name == "role_path_length") return 2 * c * (1 + at("role"));
  if (name == "role_tortuosity") return c == 0 ? nan : 1 + c / 10;
  if (name == "role_update_rms_per_token") return 1e-15 * (1 + at("role")) / (1 + step);
  if (name == "role_update_direction") return 1 - std::abs(step - at("other_checkpoint_step")) / 2;
  if (name == "role_trajectory_share") return std::pow(0.5, component + 1);
  if (name == "role_trajectory_coordinate") return component == 0 ? c : component == 1 ? c * c / 4 : 0;
  return 0.5;
}

bool has(const Metric& metric, const std::string& dimension) {
  return std::find(metric.axes.begin(), metric.axes.end(), dimension) != metric.axes.end();
}

double value_of(const SampleRun& sample, const Place& at) {
  const std::string& name = at.metric.name;
  const bool drift = name.find("_drift") != std::string::npos;
  if (sample.still && (drift || name == "dead_experts" || name == "role_trajectory_coordinate")) return 0;
  if (sample.broken && has(at.metric, "moe_layer") && !drift && at("moe_layer") == 0 &&
      at("checkpoint") == static_cast<double>(sample.checkpoints.size() - 1))
    return nan;
  const auto checkpoints = static_cast<double>(sample.checkpoints.size());
  const double chance = static_cast<double>(sample.chosen) / static_cast<double>(sample.experts);
  const double c = at("checkpoint"), gap = std::abs(c - at("other_checkpoint")), layer = at("moe_layer");
  const double entropy = std::log(static_cast<double>(sample.experts)) * (1 - c / (2 * checkpoints));
  if (name == "loss") return 2 + at("domain") + std::exp(-c);
  if (name == "loss_pooled") return 2.5 + std::exp(-c);
  if (name == "expert_load") return chance * load_of(at("expert"));
  if (name == "relative_load") return load_of(at("expert"));
  if (name == "max_violation") return 1 / (1 + c) + layer / 10;
  if (name == "max_violation_pooled") return (1 / (1 + c) + layer / 10) / 2;
  if (name == "router_entropy" || name == "router_entropy_pooled") return entropy;
  if (name == "router_entropy_quantile")
    return entropy * std::vector<double>{0.8, 1, 1.1}[static_cast<std::size_t>(at("quantile"))];
  if (name == "router_saturation")
    return chance + (1 - chance) * c / std::max(checkpoints - 1, 1.0) * (1 - layer / 100);
  if (name == "routing_agreement") return 1 - gap / (2 * checkpoints);
  if (name == "layer_relative_drift" && at("role") == 0) return nan;
  if (name == "layer_relative_drift" || name == "role_relative_drift") return gap / 10 * (1 + at("role"));
  if (name == "role_sketched_drift") return gap / 10 * (1 + at("role")) * 1.01;
  if (name == "role_sketched_drift_error") return gap / 10 * (1 + at("role")) * 0.02;
  if (name == "role_norm") return 10 + c;
  return value_of_path(at);
}

bool has_step(const Metric& metric) {
  return std::any_of(metric.axes.begin(), metric.axes.end(), [](const std::string& axis) {
    return axis == "checkpoint_step" || axis == "component";
  });
}

std::vector<double> by_domain(const SampleRun& sample, double first) {
  std::vector<double> values;
  for (std::size_t d = 0; d < sample.domains.size(); ++d)
    values.push_back(first * static_cast<double>(1 + d));
  return values;
}

void write_metric(RunFile& run, const SampleRun& sample, const Metric& metric) {
  const std::string path = "/metrics/" + metric.name;
  run.define(
      {path, ElementType::f8, metric.axes, metric.unit, metric.long_name, metric.description, metric.source});
  run.set_attribute(path, "formula", metric.formula);
  const double chance = static_cast<double>(sample.chosen) / static_cast<double>(sample.experts);
  if (metric.name == "router_saturation" || metric.name == "routing_agreement") {
    run.set_attribute(path, "chance", chance);
    run.set_attribute(path, "upper_bound", 1.0);
  }
  if (metric.name == "max_violation") run.set_attribute(path, "upper_bound", 1 / chance - 1);
  if (metric.name == "max_violation_pooled") run.set_attribute(path, "chance", 0.15);
  for (const auto& [name, first] : {std::pair("dead_experts", 0.1), std::pair("max_violation", 0.2)}) {
    if (metric.name == name) run.set_attribute(path, "chance_by_domain", by_domain(sample, first));
  }
  if (metric.name == "router_entropy" || metric.name == "router_entropy_quantile") {
    run.set_attribute(path, "upper_bound", std::log(static_cast<double>(sample.experts)));
  }
  const std::vector<std::uint64_t> shape = run.shape(path);
  std::vector<std::size_t> indices(shape.size(), 0);
  std::vector<double> values;
  const std::size_t count = std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
  for (std::size_t i = 0; i < count; ++i) {
    values.push_back(value_of(sample, Place{metric, indices}));
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      if (++indices[axis] < shape[axis]) break;
      indices[axis] = 0;
    }
  }
  run.write<double>(path, values);
}

std::vector<std::int64_t> numbers(std::int64_t first, std::int64_t end) {
  std::vector<std::int64_t> result;
  for (std::int64_t i = first; i < end; ++i) result.push_back(i);
  return result;
}

std::vector<std::string> parts(const SampleRun& sample) {
  std::vector<std::string> names = {"embedding"};
  for (std::int64_t layer = 0; layer < sample.layers; ++layer)
    names.push_back("layer " + std::to_string(layer));
  names.push_back("head");
  return names;
}

void define_dimensions(RunFile& run, const SampleRun& sample) {
  run.define_dimension(raw_dataset(dataset::checkpoint), sample.checkpoints);
  run.define_dimension(raw_dataset(dataset::other_checkpoint), sample.checkpoints);
  run.define_dimension(raw_dataset(dataset::layer), numbers(0, sample.layers));
  run.define_dimension(raw_dataset(dataset::role), roles);
  run.define_dimension(raw_dataset(dataset::quantile), std::vector<double>{0.05, 0.5, 0.95});
  run.define_dimension(raw_dataset(dataset::moe_layer), numbers(1, sample.layers));
  run.define_dimension(raw_dataset(dataset::expert), numbers(0, sample.experts));
  if (const std::size_t steps = sample.checkpoints.size() - 1; steps > 0 && sample.weights) {
    run.define_dimension("checkpoint_step", steps);
    run.define_dimension("other_checkpoint_step", steps);
    run.define_dimension(raw_dataset(dataset::component), numbers(1, static_cast<std::int64_t>(steps) + 1));
  }
  if (!sample.forward) return;
  run.define_dimension(raw_dataset(dataset::domain), sample.domains);
  run.define_dimension(raw_dataset(dataset::pass_part), parts(sample));
}

std::string config_json(const SampleRun& sample) {
  return R"({"model_type": "dots1", "hidden_size": 64, "num_hidden_layers": )" +
         std::to_string(sample.layers) +
         R"(, "hidden_act": "silu", "attention_bias": false, "num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": 160,)"
         R"( "moe_intermediate_size": 32, "n_shared_experts": 2, "first_k_dense_replace": 1, "norm_topk_prob": true,)"
         R"( "routed_scaling_factor": 2.5, "scoring_func": "sigmoid", "rms_norm_eps": 1e-6, "rope_theta": 1e7,)"
         R"( "max_position_embeddings": 2048, "vocab_size": 1024, "tie_word_embeddings": false,)"
         R"( "n_routed_experts": )" +
         std::to_string(sample.experts) + R"(, "num_experts_per_tok": )" + std::to_string(sample.chosen) +
         "}";
}

void write_provenance(RunFile& run, const SampleRun& sample) {
  const std::size_t count = sample.checkpoints.size();
  run.set_attribute("/", "moescope_version", std::string("0.1.0"));
  run.set_attribute("/", "command_line", std::string("moescope analyze tiny --corpus prose.jsonl -o run.h5"));
  run.set_attribute("/", "precision", std::string("bf16"));
  run.set_attribute("/", "model_type", std::string("dots1"));
  run.set_attribute("/", "corpus_sha256", std::string(64, 'a'));
  for (const std::string& path : std::vector<std::string>{
           dataset::tokens_seen, dataset::step, dataset::phase, dataset::checkpoint_info_config_json,
           dataset::checkpoint_info_fingerprint, dataset::checkpoint_info_path}) {
    run.define(raw_dataset(path));
  }
  run.write(dataset::tokens_seen, sample.tokens);
  run.write(dataset::step, std::vector<double>(count, nan));
  run.write(dataset::checkpoint_info_config_json, std::vector<std::string>(count, config_json(sample)));
  run.write(dataset::checkpoint_info_fingerprint, std::vector<std::string>(count, std::string(64, 'f')));
}

/// The router and one matrix of one expert in each MoE layer.
std::vector<std::string> tensors(const SampleRun& sample) {
  std::vector<std::string> names;
  for (std::int64_t layer = 1; layer < sample.layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".mlp.";
    names.push_back(prefix + "gate.weight");
    names.push_back(prefix + "experts.0.up_proj.weight");
  }
  return names;
}

/// (C, W): value_of(checkpoint, layer) of each second tensor, from `first` on.
void write_spectra(RunFile& run, const std::string& path, std::size_t first,
                   const std::function<double(double, double)>& value_of) {
  run.define(raw_dataset(path));
  const std::vector<std::uint64_t> shape = run.shape(path);
  std::vector<double> values;
  for (std::size_t c = 0; c < shape[0]; ++c) {
    for (std::size_t w = 0; w < shape[1]; ++w) {
      const double value = value_of(static_cast<double>(c), static_cast<double>(w / 2));
      values.push_back(w % 2 == first ? value : nan);
    }
  }
  run.write<double>(path, values);
}

void write_router_rows(RunFile& run, const SampleRun& sample) {
  run.define_dimension(raw_dataset(dataset::other_expert), numbers(0, sample.experts));
  run.define(raw_dataset(dataset::weights_router_row_cosine));
  const auto layers = static_cast<std::size_t>(sample.layers - 1);
  std::vector<float> cosines;
  for (std::size_t router = 0; router < sample.checkpoints.size() * layers; ++router) {
    for (std::int64_t e = 0; e < sample.experts; ++e) {
      for (std::int64_t other = 0; other < sample.experts; ++other)
        cosines.push_back(1 - static_cast<float>(std::abs(e - other)) / 10);
    }
  }
  run.write(dataset::weights_router_row_cosine, cosines);
  if (sample.checkpoints.size() < 2) return;
  std::vector<std::int32_t> match;
  for (std::size_t step = 0; step + 1 < sample.checkpoints.size(); ++step) {
    for (std::int64_t i = 0; i < sample.experts * (sample.layers - 1); ++i) {
      const auto e = static_cast<std::int32_t>(i % sample.experts);
      match.push_back(step + 1 == sample.permuted && e < 2 ? 1 - e : e);
    }
  }
  for (const std::string path : {dataset::weights_expert_match, dataset::weights_expert_weight_match}) {
    run.define(raw_dataset(path));
    run.define(raw_dataset(path + "_cosine"));
    run.write<std::int32_t>(path, match);
    run.write<double>(path + "_cosine",
                      std::vector<double>(match.size(), path == dataset::weights_expert_match ? 0.9 : 0.8));
  }
}

void write_weight_record(RunFile& run, const SampleRun& sample) {
  run.define_dimension(raw_dataset(dataset::tensor), tensors(sample));
  write_spectra(run, dataset::weights_stable_rank, 0,
                [](double c, double layer) { return 2 + c + layer / 10; });
  write_spectra(run, dataset::weights_effective_rank, 0,
                [](double c, double layer) { return 2 * (2 + c + layer / 10); });
  write_spectra(run, dataset::weights_power_law_alpha, 1, [](double c, double) { return 4 - c / 10; });
  write_router_rows(run, sample);
}

/// Values (C, P) or (C), by value_of(checkpoint, part).
void write_measurement(RunFile& run, const std::string& path,
                       const std::function<double(std::size_t, std::size_t)>& value_of) {
  run.define(raw_dataset(path));
  const std::vector<std::uint64_t> shape = run.shape(path);
  std::vector<double> values;
  for (std::size_t c = 0; c < shape[0]; ++c) {
    for (std::size_t part = 0; part < (shape.size() > 1 ? shape[1] : 1); ++part)
      values.push_back(value_of(c, part));
  }
  run.write<double>(path, values);
}

void write_measurements(RunFile& run, const SampleRun& sample) {
  const auto rising = [](double first, double step) {
    return [=](std::size_t, std::size_t part) { return first + step * static_cast<double>(part); };
  };
  write_measurement(run, dataset::io_read_seconds, rising(1, 0));
  write_measurement(run, dataset::io_wait_seconds, rising(0.25, 0));
  write_measurement(run, dataset::io_compute_seconds, rising(2, 0.5));
  write_measurement(run, dataset::io_flops, rising(1e10, 0));
  const auto last = static_cast<double>(sample.unmeasured);
  const double count = static_cast<double>(sample.checkpoints.size());
  const auto measured = [=](double value) {
    return [=](std::size_t c, std::size_t) { return static_cast<double>(c) < count - last ? value : nan; };
  };
  write_measurement(run, dataset::io_wall_seconds, measured(10.0 * static_cast<double>(sample.layers + 2)));
  write_measurement(run, dataset::io_overlap_efficiency, measured(0.75));
}

}  // namespace

void write_sample_run(const std::filesystem::path& path, const SampleRun& sample) {
  RunFile run = RunFile::create(path);
  define_dimensions(run, sample);
  write_provenance(run, sample);
  for (const Metric& metric : metric_catalogue()) {
    if (has_step(metric) && sample.checkpoints.size() < 2) continue;
    if (is_from_weights(metric) ? sample.weights : sample.forward) write_metric(run, sample, metric);
  }
  if (sample.weights) write_weight_record(run, sample);
  if (sample.forward) {
    run.define(raw_dataset(dataset::routing_token_count));
    run.write(dataset::routing_token_count, std::vector<std::int64_t>(sample.domains.size(), 1000));
    if (sample.measured) write_measurements(run, sample);
  }
  run.flush();
}

SampleRun large_sample() {
  SampleRun sample;
  sample.checkpoints.clear();
  sample.tokens.clear();
  sample.domains.clear();
  for (int c = 0; c < 13; ++c) {
    sample.checkpoints.push_back("dots.llm1-" + std::to_string(c) + "T");
    sample.tokens.push_back(c * 1e12);
  }
  for (int d = 0; d < 22; ++d) sample.domains.push_back("Pile domain " + std::to_string(d));
  sample.layers = 62;
  sample.experts = 128;
  sample.chosen = 6;
  return sample;
}

SampleRun hostile_sample() {
  SampleRun sample;
  sample.checkpoints = {"</script><script>alert(1)</script>", "`touch pwned`", "$(touch pwned)",
                        "'; system 'touch pwned'"};
  sample.tokens.assign(4, nan);
  sample.domains = {"<img src=x onerror=alert(1)>",
                    "a'b\"c\\n@d_{e}^f",
                    "line\nbreak\te\xff",
                    "{{data}} <!-- <script>",
                    "'\n!touch pwned\n#",
                    "\xe4\xb8\xad\xe6\x96\x87 \xe2\x80\xae"
                    "desrever"};
  return sample;
}

}  // namespace moescope
