#include "analysis/record/forward_record.h"

#include <algorithm>

#include "readers/errors.h"
#include "readers/recorded/recorded_config.h"
#include "readers/schema/datasets.h"
#include "readers/schema/run_schema.h"

namespace moescope {
namespace {

void read_routing_sizes(const RunFile& run, ForwardRecord& record) {
  if (!run.contains(dataset::routing_expert_count)) return;
  const std::vector<std::uint64_t> counts = run.shape(dataset::routing_expert_count);  // (C, D, L, E)
  record.moe_layers = counts[2];
  record.experts = counts[3];
  record.top_k = run.shape(dataset::routing_topk_index)[3];
  record.eligible = record.experts;
  if (!run.contains(dataset::checkpoint_info_config_json)) return;
  const ModelConfig config = recorded_config(run);
  record.eligible =
      static_cast<std::size_t>(config.routing.eligible(static_cast<std::int64_t>(record.experts)));
}

std::vector<std::vector<std::size_t>> tokens_by_domain(const RunFile& run, std::size_t domains) {
  std::vector<std::vector<std::size_t>> tokens(domains);
  const std::vector<std::int32_t> domain = run.read(dataset::corpus_domain);
  for (std::size_t t = 0; t < domain.size(); ++t) {
    if (domain[t] < 0 || static_cast<std::size_t>(domain[t]) >= domains)
      throw FormatError(run.path().string(), dataset::corpus_domain, "names a domain that is not there");
    tokens[static_cast<std::size_t>(domain[t])].push_back(t);
  }
  return tokens;
}

/// What stands in the file where a token chose nothing: the largest number of the type, which is no expert.
std::uint16_t stored_no_expert(std::uint64_t experts) {
  return expert_index_type(experts) == ElementType::u1 ? 255 : no_expert;
}

/// One token's row: all of it experts, or none of it.
void restore_choice(const RunFile& run, std::uint64_t experts, std::span<std::uint16_t> chosen) {
  const std::uint16_t none = stored_no_expert(experts);
  if (std::ranges::all_of(chosen, [&](std::uint16_t index) { return index == none; })) {
    std::ranges::fill(chosen, no_expert);
    return;
  }
  const auto wrong = std::ranges::find_if(chosen, [&](std::uint16_t index) { return index >= experts; });
  if (wrong == chosen.end()) return;
  throw FormatError(run.path().string(), dataset::routing_topk_index,
                    "names an expert that is not there (expected less than " + std::to_string(experts) +
                        ", found " + std::to_string(*wrong) + ")");
}

}  // namespace

RecordedChoices read_choices(const RunFile& run, std::size_t checkpoint, std::size_t moe_layer) {
  const std::vector<std::uint64_t> shape = run.shape(dataset::routing_topk_index);  // (C, L, T, K)
  const std::uint64_t tokens = shape[2], top_k = shape[3],
                      experts = run.shape(dataset::routing_expert_count)[3];
  RecordedChoices choices{
      run.read(dataset::routing_topk_index, {{checkpoint, moe_layer, 0, 0}, {1, 1, tokens, top_k}}), top_k};
  for (std::size_t t = 0; t < tokens; ++t)
    restore_choice(run, experts, std::span(choices.experts).subspan(t * top_k, top_k));
  return choices;
}

std::vector<bool> tokens_with_successor(const RunFile& run) {
  const std::vector<std::int32_t> position = run.read(dataset::corpus_position);
  std::vector<bool> result(position.size());
  for (std::size_t t = 0; t + 1 < position.size(); ++t) result[t] = position[t + 1] != 0;
  return result;
}

std::vector<std::int64_t> choosing_tokens(const RunFile& run, const ForwardRecord& record,
                                          std::size_t checkpoint) {
  std::vector<std::int64_t> tokens;
  for (const std::vector<std::size_t>& of_domain : record.domain_tokens)
    tokens.insert(tokens.end(), record.moe_layers, static_cast<std::int64_t>(of_domain.size()));
  if (!run.contains(dataset::routing_nonfinite_count))
    return tokens;  // of an earlier version, where all chose
  const auto nonfinite = run.read(dataset::routing_nonfinite_count,
                                  {{checkpoint, 0, 0}, {1, record.domains, record.moe_layers}});
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] -= nonfinite[i];
  return tokens;
}

std::optional<ForwardRecord> read_forward_record(const RunFile& run) {
  if (!run.contains(dataset::loss_nll) || !run.contains(dataset::corpus_domain)) return std::nullopt;
  ForwardRecord record;
  const std::vector<std::uint64_t> losses = run.shape(dataset::loss_nll);  // (C, T)
  record.checkpoints = losses[0];
  record.tokens = losses[1];
  record.domains = run.shape(dataset::domain)[0];
  for (const std::uint8_t status : run.read(dataset::status_forward)) record.finished.push_back(status == 1);
  record.domain_tokens = tokens_by_domain(run, record.domains);
  record.has_successor = tokens_with_successor(run);
  read_routing_sizes(run, record);
  return record;
}

std::vector<double> of_tokens(std::span<const double> per_token, std::span<const std::size_t> tokens) {
  std::vector<double> values;
  values.reserve(tokens.size());
  for (const std::size_t token : tokens) values.push_back(per_token[token]);
  return values;
}

}  // namespace moescope
