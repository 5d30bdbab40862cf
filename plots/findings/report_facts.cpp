#include "plots/findings/report_facts.h"

#include <algorithm>
#include <cmath>

#include "metrics/catalogue/catalogue.h"
#include "metrics/entry/metric.h"
#include "metrics/entry/metric_names.h"
#include "plots/findings/expert_moves.h"
#include "plots/findings/run_description.h"
#include "readers/recorded/recorded_notes.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

std::span<const double> row(const Values& values, std::size_t checkpoint) {
  const std::size_t length = values.data.size() / std::max<std::size_t>(values.shape[0], 1);
  return std::span<const double>(values.data).subspan(checkpoint * length, length);
}

/// Calls `fill(facts of c, values of c)` for every checkpoint if the file holds /metrics/NAME.
template <class Fill>
void for_each_checkpoint(const RunFile& run, const std::string& name, std::vector<CheckpointFacts>& facts,
                         Fill fill) {
  if (!has_metric(run, name)) return;
  const Values values = read_metric(run, name);
  if (values.data.empty()) return;
  for (std::size_t c = 0; c < facts.size(); ++c) fill(facts[c], row(values, c));
}

/// What is told of a metric, by the dataset that it is taken from.
struct SummarySource {
  Values values;  // (C, ...)
  double unit = 1;
  std::optional<double> chance;
};

/// Of all domains' tokens together, or their average where the file has no other; or of each domain.
SummarySource read_source(const RunFile& run, const Metric& metric) {
  const MetricText text = metric_text(run, metric.name);
  SummarySource source{.values = {}, .unit = 1, .chance = text.chance};
  if (metric.summary->of_upper_bound) source.unit = unit_of_upper_bound(text);
  if (!metric.summary->each_domain && has_metric(run, pooled_name(metric.name))) {
    source.values = read_metric(run, pooled_name(metric.name));
    source.chance = metric_text(run, pooled_name(metric.name)).chance;
    return source;
  }
  source.values = read_metric(run, metric.name);
  if (!has_axis(metric, "domain")) return source;
  if (metric.summary->each_domain) {
    source.chance = mean_of(text.chance_by_domain);
  } else {
    source.values = average_over_domains(run, source.values);
  }
  return source;
}

LayerFacts layer_facts(std::span<const double> values, double unit) {
  LayerFacts facts;
  for (const double value : values) facts.layers.push_back(value / unit);
  facts.mean = mean_of(facts.layers);
  return facts;
}

void read_summaries(const RunFile& run, ReportFacts& facts) {
  for (const Metric& metric : metric_catalogue()) {
    if (!metric.summary || !has_metric(run, metric.name)) continue;
    const SummarySource source = read_source(run, metric);
    if (source.chance && std::isfinite(*source.chance)) facts.chance[metric.name] = *source.chance;
    if (source.values.data.empty()) continue;
    for (std::size_t c = 0; c < facts.checkpoints.size(); ++c)
      facts.checkpoints[c].summaries[metric.name] = layer_facts(row(source.values, c), source.unit);
  }
}

void read_loss(const RunFile& run, std::vector<CheckpointFacts>& facts) {
  for_each_checkpoint(run, metric::loss, facts, [](CheckpointFacts& f, auto values) {
    f.domain_loss.assign(values.begin(), values.end());
    if (values.size() == 1) f.loss = values[0];
  });
  for_each_checkpoint(run, pooled_name(metric::loss), facts,
                      [](CheckpointFacts& f, auto values) { f.loss = values[0]; });
  for (CheckpointFacts& f : facts) f.perplexity = std::exp(f.loss);
  if (!run.contains(dataset::loss_nonfinite_count)) return;
  const std::vector<std::int64_t> nonfinite = run.read(dataset::loss_nonfinite_count);  // (C, D)
  const std::size_t domains = nonfinite.size() / std::max<std::size_t>(facts.size(), 1);
  for (std::size_t i = 0; i < nonfinite.size(); ++i) facts[i / domains].nonfinite_losses += nonfinite[i];
}

void read_norms(const RunFile& run, std::vector<CheckpointFacts>& facts) {
  if (!has_metric(run, metric::role_norm)) return;
  const Values norm = read_metric(run, metric::role_norm);
  for (std::size_t c = 0; c < facts.size(); ++c) {
    for (std::size_t role = 0; role < norm.shape[1]; ++role) facts[c].norm.push_back(norm.at(c, role));
  }
}

void read_drift(const RunFile& run, std::vector<CheckpointFacts>& facts) {
  if (!has_metric(run, metric::role_relative_drift)) return;
  const Values drift = read_metric(run, metric::role_relative_drift);
  for (std::size_t c = 0; c < facts.size(); ++c) {
    for (std::size_t role = 0; role < drift.shape[2]; ++role) {
      facts[c].drift.push_back(drift.at(0, c, role));
      facts[c].step_drift.push_back(c == 0 ? unknown_number : drift.at(c - 1, c, role));
    }
  }
}

void read_path(const RunFile& run, const RunLabels& labels, std::vector<CheckpointFacts>& facts) {
  const auto whole = std::find(labels.roles.begin(), labels.roles.end(), whole_model_label);
  if (!has_metric(run, metric::role_tortuosity) || whole == labels.roles.end()) return;
  const Values tortuosity = read_metric(run, metric::role_tortuosity);
  for (std::size_t c = 0; c < facts.size(); ++c)
    facts[c].tortuosity = tortuosity.at(c, whole - labels.roles.begin());
}

/// A role that the model has has a norm, unless its weights are not finite at every checkpoint.
std::vector<bool> roles_that_exist(const ReportFacts& facts) {
  std::vector<bool> exist(facts.labels.roles.size(), facts.checkpoints.front().norm.empty());
  for (const CheckpointFacts& checkpoint : facts.checkpoints) {
    for (std::size_t role = 0; role < checkpoint.norm.size(); ++role) {
      if (std::isfinite(checkpoint.norm[role])) exist[role] = true;
    }
  }
  return exist;
}

std::vector<CheckpointFacts> read_checkpoints(const RunFile& run, const RunLabels& labels) {
  std::vector<CheckpointFacts> facts(labels.checkpoints.size());
  std::vector<std::string> fingerprints(facts.size());
  const std::vector<std::uint8_t> measured =
      run.contains(dataset::status_forward) ? run.read(dataset::status_forward) : std::vector<std::uint8_t>();
  if (run.contains(dataset::checkpoint_info_fingerprint)) {
    fingerprints = run.read(dataset::checkpoint_info_fingerprint);
  }
  for (std::size_t c = 0; c < facts.size(); ++c) {
    facts[c].name = labels.checkpoints[c];
    facts[c].phase = labels.phases[c];
    facts[c].fingerprint = fingerprints[c];
    facts[c].tokens = labels.tokens_seen[c];
    facts[c].step = labels.step[c];
    facts[c].measured = c >= measured.size() || measured[c] == 1;
  }
  read_loss(run, facts);
  read_norms(run, facts);
  read_drift(run, facts);
  read_path(run, labels, facts);
  return facts;
}

}  // namespace

std::size_t LayerFacts::known() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(layers, [](double value) { return std::isfinite(value); }));
}

const LayerFacts& CheckpointFacts::of(std::string_view metric) const {
  static const LayerFacts nothing;
  const auto found = summaries.find(metric);
  return found == summaries.end() ? nothing : found->second;
}

std::optional<double> chance_of(const ReportFacts& facts, std::string_view metric) {
  const auto found = facts.chance.find(metric);
  return found == facts.chance.end() ? std::nullopt : std::optional(found->second);
}

ReportFacts read_report_facts(const RunFile& run) {
  ReportFacts facts;
  facts.labels = read_labels(run);
  facts.checkpoints = read_checkpoints(run, facts.labels);
  read_summaries(run, facts);
  facts.notes = read_notes(run);
  facts.unfinished = unfinished_parts(run);
  facts.expert_moves = expert_moves(run);
  if (run.contains(dataset::routing_token_count))
    facts.domain_tokens = run.read<double>(dataset::routing_token_count);
  facts.load_is_pooled = has_metric(run, pooled_name(metric::max_violation));
  facts.role_exists = roles_that_exist(facts);
  describe_run(run, facts);
  return facts;
}

}  // namespace moescope
