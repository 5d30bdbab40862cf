#include "plots/findings/run_description.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "plots/figure/figure_text.h"
#include "readers/errors.h"
#include "readers/model/model_config.h"
#include "readers/model/parameter_count.h"
#include "readers/model/routing_words.h"
#include "readers/recorded/attribute_text.h"
#include "readers/recorded/recorded_config.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

/// "142,774,381,696".
std::string grouped(double number) {
  std::string digits = std::to_string(static_cast<long long>(number));
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
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
  if (!run.contains(dataset::checkpoint_info_config_json)) return;
  try {
    const ModelConfig config = recorded_config(run);
    const ParameterCount parameters = count_parameters(config);
    facts.experts_per_token = static_cast<std::uint64_t>(config.num_experts_per_tok);
    facts.total_parameters = parameters.total;
    facts.active_parameters = parameters.active;
    facts.glance.emplace_back("Hidden size, vocabulary", grouped(static_cast<double>(config.hidden_size)) +
                                                             ", " +
                                                             grouped(static_cast<double>(config.vocab_size)));
    facts.glance.emplace_back("Router", routing_words(config));
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

void describe_model(const RunFile& run, ReportFacts& facts) {
  const RunLabels& labels = facts.labels;
  auto& glance = facts.glance;
  glance.emplace_back("Model type", attribute_text(run, "/", "model_type"));
  if (const std::size_t count = facts.checkpoints.size(); count > 0) {
    const std::string range = token_range(labels), after = range.empty() ? "" : ", " + range;
    glance.emplace_back("Checkpoints", std::to_string(count) + after);
    facts.subtitle = std::to_string(count) + (count == 1 ? " checkpoint" : " checkpoints") + after;
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
  return !attribute_text(run, dataset::status_group, "identity_part").empty();
}

std::vector<std::uint8_t> flags(const RunFile& run, Dataset<std::uint8_t> dataset) {
  return run.contains(dataset) ? run.read(dataset) : std::vector<std::uint8_t>();
}

}  // namespace

void describe_run(const RunFile& run, ReportFacts& facts) {
  facts.title = common_title(facts.labels, attribute_text(run, "/", "model_type"));
  if (facts.title.empty()) facts.title = "Mixture of experts";
  describe_model(run, facts);
  describe_provenance(run, facts);
}

std::vector<std::string> unfinished_parts(const RunFile& run) {
  std::vector<std::string> sentences;
  const std::vector<std::uint8_t> forward = flags(run, dataset::status_forward),
                                  weights = flags(run, dataset::status_weights),
                                  pairs = flags(run, dataset::status_pair_done);
  const auto done = [](const std::vector<std::uint8_t>& all) { return std::ranges::count(all, 1); };
  const auto size = [](const std::vector<std::uint8_t>& all) {
    return static_cast<std::ptrdiff_t>(all.size());
  };
  if (run.contains(dataset::loss_nll) && done(forward) < size(forward)) {
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

}  // namespace moescope
