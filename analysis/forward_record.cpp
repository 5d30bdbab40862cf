#include "analysis/forward_record.h"

#include "readers/errors.h"

namespace moescope {
namespace {

void read_routing_sizes(const RunFile& run, ForwardRecord& record) {
  if (!run.contains("/routing/expert_count")) return;
  const std::vector<std::uint64_t> counts = run.shape("/routing/expert_count");  // (C, D, L, E)
  record.moe_layers = counts[2];
  record.experts = counts[3];
  record.top_k = run.shape("/routing/topk_index")[3];
}

std::vector<std::vector<std::size_t>> tokens_by_domain(const RunFile& run, std::size_t domains) {
  std::vector<std::vector<std::size_t>> tokens(domains);
  const std::vector<std::int32_t> domain = run.read<std::int32_t>("/corpus/domain");
  for (std::size_t t = 0; t < domain.size(); ++t) {
    if (domain[t] < 0 || static_cast<std::size_t>(domain[t]) >= domains)
      throw FormatError(run.path().string(), "/corpus/domain", "names a domain that is not there");
    tokens[static_cast<std::size_t>(domain[t])].push_back(t);
  }
  return tokens;
}

}  // namespace

std::optional<ForwardRecord> read_forward_record(const RunFile& run) {
  if (!run.contains("/loss/nll") || !run.contains("/corpus/domain")) return std::nullopt;
  ForwardRecord record;
  const std::vector<std::uint64_t> losses = run.shape("/loss/nll");  // (C, T)
  record.checkpoints = losses[0];
  record.tokens = losses[1];
  record.domains = run.shape("/domain")[0];
  for (const std::uint8_t status : run.read<std::uint8_t>("/status/forward"))
    record.finished.push_back(status == 1);
  record.domain_tokens = tokens_by_domain(run, record.domains);
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
