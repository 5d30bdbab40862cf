#include "analysis/record/forward_recorder.h"

#include <cmath>

#include "analysis/machine/parallel.h"
#include "analysis/record/forward_record.h"
#include "metrics/routing/router_distribution.h"
#include "metrics/statistics.h"
#include "readers/schema/datasets.h"
#include "readers/schema/run_schema.h"

namespace moescope {
namespace {

constexpr std::uint8_t no_flips = 255;  // of a token that chose nothing

/// The part of a [checkpoint, MoE layer, token, …] dataset that one router output fills.
Slab routing_slab(std::size_t checkpoint, const RouterOutput& routing,
                  std::vector<std::uint64_t> inner = {}) {
  Slab slab{{checkpoint, routing.moe_layer, routing.first_token}, {1, 1, routing.tokens}};
  for (std::uint64_t extent : inner) {
    slab.start.push_back(0);
    slab.count.push_back(extent);
  }
  return slab;
}

}  // namespace

ForwardRecorder::ForwardRecorder(RunFile& run, std::size_t checkpoint, const Corpus& corpus,
                                 const RecordOptions& options, ThreadPool& threads)
    : run_(run), checkpoint_(checkpoint), corpus_(corpus), options_(options), threads_(threads) {}

void ForwardRecorder::router_output(const RouterOutput& routing) {
  write_choices(routing);
  write_distribution(routing);
  if (options_.router_logits) {
    run_.write(dataset::routing_router_logit, routing_slab(checkpoint_, routing, {routing.logits.columns}),
               routing.logits.values);
  }
}

void ForwardRecorder::write_choices(const RouterOutput& routing) {
  const Slab choices = routing_slab(checkpoint_, routing, {routing.top_k});
  if (expert_index_type(routing.scores.columns) == ElementType::u1) {
    const std::vector<std::uint8_t> narrow(routing.topk_index.begin(), routing.topk_index.end());
    run_.write<std::uint8_t>(std::string(dataset::routing_topk_index), choices, narrow);
  } else {
    run_.write(dataset::routing_topk_index, choices, routing.topk_index);
  }
  run_.write(dataset::routing_topk_weight, choices, routing.topk_weight);
  run_.write(dataset::routing_margin, routing_slab(checkpoint_, routing), routing.margin);

  if (!run_.contains(dataset::routing_bias_flips)) return;
  std::vector<std::uint8_t> flips(routing.tokens, no_flips);
  for (std::size_t t = 0; t < routing.tokens; ++t) {
    if (!routing.chooses(t)) continue;
    flips[t] = static_cast<std::uint8_t>(bias_flips(routing.experts(t), routing.unbiased_experts(t)));
  }
  run_.write(dataset::routing_bias_flips, routing_slab(checkpoint_, routing), flips);
}

void ForwardRecorder::write_distribution(const RouterOutput& routing) {
  std::vector<float> entropy(routing.tokens, static_cast<float>(nan)), mass(entropy), share(entropy),
      spread(entropy);
  for_each_row(threads_, routing.tokens, [&](std::size_t t) {
    if (!routing.chooses(t)) return;
    std::vector<double> distribution(routing.scores.columns);
    router_distribution(routing, t, distribution);
    entropy[t] = static_cast<float>(router_entropy(distribution));
    mass[t] = static_cast<float>(topk_mass(distribution, routing.experts(t)));
    share[t] = static_cast<float>(top1_share(routing.weights(t)));
    spread[t] = static_cast<float>(topk_weight_entropy(routing.weights(t)));
  });
  const Slab slab = routing_slab(checkpoint_, routing);
  run_.write(dataset::routing_entropy, slab, entropy);
  run_.write(dataset::routing_topk_mass, slab, mass);
  run_.write(dataset::routing_top1_share, slab, share);
  run_.write(dataset::routing_topk_weight_entropy, slab, spread);
}

void ForwardRecorder::hidden_state(std::int64_t layer, std::size_t first_token, const Matrix& x) {
  if (!options_.hidden_states) return;
  const Slab slab{{checkpoint_, static_cast<std::uint64_t>(layer), first_token, 0},
                  {1, 1, x.rows, x.columns}};
  run_.write(dataset::hidden_hidden_state, slab, x.values);
}

void ForwardRecorder::token_losses(std::size_t first_token, std::span<const float> nll) {
  run_.write(dataset::loss_nll, {{checkpoint_, first_token}, {1, nll.size()}}, nll);
}

void ForwardRecorder::logits(std::size_t first_token, std::size_t first_row, const Matrix& logits) {
  const Slab slab{{checkpoint_, first_token, first_row}, {1, logits.rows, logits.columns}};
  run_.write(dataset::logits_logit, slab, logits.values);
}

void ForwardRecorder::finish() {
  count_losses();
  if (run_.contains(dataset::routing_expert_count)) count_choices();
}

void ForwardRecorder::count_losses() {
  const std::vector<float> nll = run_.read(dataset::loss_nll, {{checkpoint_, 0}, {1, corpus_.tokens()}});
  std::vector<std::int64_t> nonfinite(corpus_.domains.size());
  for (std::size_t s = 0; s + 1 < corpus_.sequence_start.size(); ++s) {
    for (std::size_t t = corpus_.sequence_start[s]; t + 1 < corpus_.sequence_start[s + 1]; ++t) {
      if (!std::isfinite(nll[t])) ++nonfinite[static_cast<std::size_t>(corpus_.domain[t])];
    }
  }
  run_.write(dataset::loss_nonfinite_count, {{checkpoint_, 0}, {1, nonfinite.size()}}, nonfinite);
}

void ForwardRecorder::count_choices() {
  const std::vector<std::uint64_t> shape = run_.shape(dataset::routing_expert_count);  // (C, D, L, E)
  const std::uint64_t domains = shape[1], layers = shape[2], experts = shape[3];
  std::vector<std::int64_t> count(domains * layers * experts), nonfinite(domains * layers);
  for (std::uint64_t layer = 0; layer < layers; ++layer) {
    const RecordedChoices choices = read_choices(run_, checkpoint_, layer);
    for (std::size_t t = 0; t < corpus_.tokens(); ++t) {
      const std::uint64_t row = static_cast<std::uint64_t>(corpus_.domain[t]) * layers + layer;
      if (!has_choice(choices.of(t))) {
        ++nonfinite[row];
        continue;
      }
      for (const std::uint16_t expert : choices.of(t)) ++count[row * experts + expert];
    }
  }
  run_.write(dataset::routing_expert_count, {{checkpoint_, 0, 0, 0}, {1, domains, layers, experts}}, count);
  run_.write(dataset::routing_nonfinite_count, {{checkpoint_, 0, 0}, {1, domains, layers}}, nonfinite);
}

}  // namespace moescope
