#include "plots/report/report_facts.h"

#include <algorithm>
#include <numeric>

#include "metrics/entry/metric.h"
#include "metrics/entry/metric_names.h"
#include "plots/figure/figure_text.h"
#include "plots/report/expert_moves.h"
#include "readers/errors.h"
#include "readers/model/model_config.h"
#include "readers/model/parameter_count.h"
#include "readers/recorded/attribute_text.h"
#include "readers/recorded/recorded_config.h"
#include "readers/recorded/recorded_notes.h"

namespace moescope {
namespace {

/// "142,774,381,696".
std::string grouped(double number) {
  std::string digits = std::to_string(static_cast<long long>(number));
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

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

LayerFacts layer_facts(std::span<const double> values, double unit = 1) {
  LayerFacts facts;
  for (const double value : values) facts.layers.push_back(value / unit);
  facts.mean = mean_of(facts.layers);
  return facts;
}

/// A metric [C, L], or [C, D, L] as it is.
void read_layers(const RunFile& run, const std::string& name, std::vector<CheckpointFacts>& facts,
                 LayerFacts CheckpointFacts::*member, double unit = 1) {
  for_each_checkpoint(run, name, facts,
                      [&](CheckpointFacts& f, auto values) { f.*member = layer_facts(values, unit); });
}

/// A metric [C, D, L] of all domains together, or their average where the file has no other.
void read_pooled_layers(const RunFile& run, const std::string& name, std::vector<CheckpointFacts>& facts,
                        LayerFacts CheckpointFacts::*member, double unit = 1) {
  if (has_metric(run, pooled_name(name))) return read_layers(run, pooled_name(name), facts, member, unit);
  if (!has_metric(run, name)) return;
  const Values values = average_over_domains(run, read_metric(run, name));
  if (values.data.empty()) return;
  for (std::size_t c = 0; c < facts.size(); ++c) facts[c].*member = layer_facts(row(values, c), unit);
}

std::vector<std::uint8_t> flags(const RunFile& run, const char* path) {
  return run.contains(path) ? run.read<std::uint8_t>(path) : std::vector<std::uint8_t>();
}

void read_loss(const RunFile& run, std::vector<CheckpointFacts>& facts) {
  for_each_checkpoint(run, metric::loss, facts, [](CheckpointFacts& f, auto values) {
    f.domain_loss.assign(values.begin(), values.end());
    if (values.size() == 1) f.loss = values[0];
  });
  for_each_checkpoint(run, pooled_name(metric::loss), facts,
                      [](CheckpointFacts& f, auto values) { f.loss = values[0]; });
  for (CheckpointFacts& f : facts) f.perplexity = std::exp(f.loss);
  if (!run.contains("/loss/nonfinite_count")) return;
  const std::vector<std::int64_t> nonfinite = run.read<std::int64_t>("/loss/nonfinite_count");  // (C, D)
  const std::size_t domains = nonfinite.size() / std::max<std::size_t>(facts.size(), 1);
  for (std::size_t i = 0; i < nonfinite.size(); ++i) facts[i / domains].nonfinite_losses += nonfinite[i];
}

void read_routing(const RunFile& run, const RunLabels& labels, std::vector<CheckpointFacts>& facts) {
  read_pooled_layers(run, metric::max_violation, facts, &CheckpointFacts::max_violation);
  read_pooled_layers(run, metric::load_entropy, facts, &CheckpointFacts::load_entropy);
  read_pooled_layers(run, metric::router_entropy, facts, &CheckpointFacts::router_entropy,
                     highest_entropy(labels));
  read_pooled_layers(run, metric::topk_mass, facts, &CheckpointFacts::topk_mass);
  read_layers(run, metric::dead_experts, facts, &CheckpointFacts::dead_experts);
  read_layers(run, metric::router_saturation, facts, &CheckpointFacts::saturation);
}

ChanceFacts read_chance(const RunFile& run) {
  const auto chance_of = [&](const std::string& name) {
    return has_metric(run, name) ? metric_text(run, name).chance : std::nullopt;
  };
  ChanceFacts chance;
  chance.max_violation = chance_of(pooled_name(metric::max_violation));
  chance.topk_mass = chance_of(metric::topk_mass);
  chance.saturation = chance_of(metric::router_saturation);
  if (has_metric(run, metric::dead_experts)) {
    const double dead = mean_of(metric_text(run, metric::dead_experts).chance_by_domain);
    if (std::isfinite(dead)) chance.dead_experts = dead;
  }
  return chance;
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
std::vector<bool> roles_that_exist(const RunFile& run, const RunLabels& labels) {
  std::vector<bool> exist(labels.roles.size(), !has_metric(run, metric::role_norm));
  if (!has_metric(run, metric::role_norm)) return exist;
  const Values norm = read_metric(run, metric::role_norm);
  for (std::size_t i = 0; i < norm.data.size(); ++i) {
    if (std::isfinite(norm.data[i])) exist[i % exist.size()] = true;
  }
  return exist;
}

std::vector<CheckpointFacts> read_checkpoints(const RunFile& run, const RunLabels& labels) {
  std::vector<CheckpointFacts> facts(labels.checkpoints.size());
  std::vector<std::string> fingerprints(facts.size());
  const std::vector<std::uint8_t> measured = flags(run, "/status/forward");
  if (run.contains("/checkpoint_info/fingerprint")) {
    fingerprints = run.read<std::string>("/checkpoint_info/fingerprint");
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
  read_routing(run, labels, facts);
  read_drift(run, facts);
  read_path(run, labels, facts);
  return facts;
}

std::string common_title(const RunLabels& labels, const std::string& model_type) {
  if (labels.checkpoints.size() < 2 || labels.short_checkpoints[0] == labels.checkpoints[0])
    return model_type;
  std::string title = labels.checkpoints[0];
  title.resize(title.size() - labels.short_checkpoints[0].size() - 1);
  return title;
}

/// Sizes that only the configuration tells; a run file without a readable one goes without.
void read_configuration(const RunFile& run, ReportFacts& facts) {
  if (!run.contains("/checkpoint_info/config_json")) return;
  try {
    const ModelConfig config = recorded_config(run);
    const ParameterCount parameters = count_parameters(config);
    facts.experts_per_token = static_cast<std::uint64_t>(config.num_experts_per_tok);
    facts.total_parameters = parameters.total;
    facts.active_parameters = parameters.active;
    facts.glance.emplace_back("Hidden size, vocabulary", grouped(static_cast<double>(config.hidden_size)) +
                                                             ", " +
                                                             grouped(static_cast<double>(config.vocab_size)));
    facts.glance.emplace_back("Router", std::string(score_function_name(config.routing.score)) +
                                            " scores, top " + std::to_string(config.num_experts_per_tok) +
                                            " of " + std::to_string(config.n_routed_experts) +
                                            " routed experts, and " +
                                            std::to_string(config.n_shared_experts) + " shared");
  } catch (const InputError&) {
    facts.glance.emplace_back("Configuration", "not one this version reads");
  }
}

std::string token_range(const RunLabels& labels) {
  const double first = labels.tokens_seen.front(), last = labels.tokens_seen.back();
  if (std::isnan(first) || std::isnan(last)) return {};
  const std::string range = labels.tokens_seen.size() == 1
                                ? "after " + format_tokens(first)
                                : "from " + format_tokens(first) + " to " + format_tokens(last);
  return range + " training tokens" + (labels.tokens_are_as_named ? " as their names count them" : "");
}

void describe_run(const RunFile& run, ReportFacts& facts) {
  const RunLabels& labels = facts.labels;
  auto& glance = facts.glance;
  glance.emplace_back("Model type", attribute_text(run, "/", "model_type"));
  if (!facts.checkpoints.empty()) {
    const std::string range = token_range(labels);
    glance.emplace_back("Checkpoints",
                        std::to_string(facts.checkpoints.size()) + (range.empty() ? "" : ", " + range));
  }
  if (!labels.layers.empty()) {
    glance.emplace_back(
        "Layers", std::to_string(labels.layers.size()) +
                      (labels.moe_layers.empty() ? ""
                                                 : ", of which " + std::to_string(labels.moe_layers.size()) +
                                                       " with routed experts"));
  }
  read_configuration(run, facts);
  if (facts.total_parameters > 0) {
    glance.emplace_back("Parameters", grouped(static_cast<double>(facts.total_parameters)) + ", of which " +
                                          grouped(static_cast<double>(facts.active_parameters)) +
                                          " active per token");
  }
  if (!facts.domain_tokens.empty()) {
    std::string corpus;
    for (std::size_t d = 0; d < labels.domains.size(); ++d) {
      corpus += (d == 0 ? "" : ", ") + labels.domains[d] + " " + grouped(facts.domain_tokens[d]);
    }
    const double all = std::accumulate(facts.domain_tokens.begin(), facts.domain_tokens.end(), 0.0);
    glance.emplace_back("Evaluation tokens", grouped(all) + " (" + corpus + ")");
  }
  glance.emplace_back("Arithmetic", attribute_text(run, "/", "precision"));
  std::erase_if(glance, [](const auto& entry) { return entry.second.empty(); });
}

void describe_provenance(const RunFile& run, ReportFacts& facts) {
  facts.provenance = {{"Run file", run.path().filename().string()},
                      {"Created", attribute_text(run, "/", "created")},
                      {"Command line", attribute_text(run, "/", "command_line")},
                      {"moescope version", attribute_text(run, "/", "moescope_version")},
                      {"Run file format", attribute_text(run, "/", "format_version")},
                      {"SHA-256 of the corpus", attribute_text(run, "/", "corpus_sha256")},
                      {"SHA-256 of the tokenizer", attribute_text(run, "/", "tokenizer_sha256")}};
  std::erase_if(facts.provenance, [](const auto& entry) { return entry.second.empty(); });
}

/// Of an analysis that is shared by several jobs.
bool is_part(const RunFile& run) {
  return !attribute_text(run, "/status", "identity_part").empty();
}

/// What an analysis that was interrupted, or a checkpoint that was deleted, has left open.
std::vector<std::string> unfinished(const RunFile& run) {
  std::vector<std::string> sentences;
  const std::vector<std::uint8_t> forward = flags(run, "/status/forward"),
                                  weights = flags(run, "/status/weights"),
                                  pairs = flags(run, "/status/pair_done");
  const auto done = [](const std::vector<std::uint8_t>& all) { return std::ranges::count(all, 1); };
  const auto size = [](const std::vector<std::uint8_t>& all) {
    return static_cast<std::ptrdiff_t>(all.size());
  };
  if (run.contains("/loss/nll") && done(forward) < size(forward)) {
    sentences.push_back("This run is not finished: it has the forward passes of " +
                        std::to_string(done(forward)) + " of " + std::to_string(forward.size()) +
                        " checkpoints so far. " +
                        (!is_part(run) ? "Repeating its command goes on with it."
                                       : "It is one part of an analysis: moescope merge joins the parts."));
  }
  if (!pairs.empty() && done(weights) < size(weights)) {
    sentences.emplace_back(
        "The weight pass of this run is not finished: what is told of weights is missing.");
  } else if (done(pairs) < size(pairs)) {
    sentences.push_back("Of " + std::to_string((pairs.size() - weights.size()) / 2) +
                        " pairs of checkpoints, " + std::to_string((size(pairs) - done(pairs)) / 2) +
                        " were never read side by side (one was deleted before the other came, or they come "
                        "from runs that were joined): their distances are known from sketches only, as "
                        "estimates.");
  }
  return sentences;
}

}  // namespace

std::size_t LayerFacts::known() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(layers, [](double value) { return std::isfinite(value); }));
}

ReportFacts read_report_facts(const RunFile& run) {
  ReportFacts facts;
  facts.labels = read_labels(run);
  facts.checkpoints = read_checkpoints(run, facts.labels);
  facts.title = common_title(facts.labels, attribute_text(run, "/", "model_type"));
  if (facts.title.empty()) facts.title = "Mixture of experts";
  facts.notes = read_notes(run);
  facts.unfinished = unfinished(run);
  facts.expert_moves = expert_moves(run);
  if (run.contains("/routing/token_count")) facts.domain_tokens = run.read<double>("/routing/token_count");
  facts.chance = read_chance(run);
  facts.load_is_pooled = has_metric(run, pooled_name(metric::max_violation));
  facts.role_exists = roles_that_exist(run, facts.labels);
  describe_run(run, facts);
  describe_provenance(run, facts);
  return facts;
}

}  // namespace moescope
