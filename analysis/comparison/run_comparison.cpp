#include "analysis/comparison/run_comparison.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "analysis/record/forward_record.h"
#include "analysis/record/recorded_products.h"
#include "analysis/record/recorded_sketches.h"
#include "analysis/runs/run_notes.h"
#include "metrics/entry/metric.h"
#include "metrics/entry/metric_names.h"
#include "metrics/routing/expert_load.h"
#include "metrics/weights/sketched_drift.h"
#include "metrics/weights/weight_drift.h"
#include "metrics/weights/weight_sketch.h"
#include "readers/errors.h"
#include "readers/recorded/recorded_keys.h"
#include "readers/schema/datasets.h"
#include "readers/text/closest_names.h"
#include "readers/text/name_list.h"

namespace moescope {
namespace {

using Names = std::vector<std::string>;

std::size_t index_of(const RunFile& run, const Names& names, const std::string& name) {
  if (const std::optional<std::size_t> index = find_name(names, name)) return *index;
  throw UsageError("no checkpoint '" + name + "' in " + run.path().string(), "it holds " + name_list(names));
}

// Whether a pass was finished for both.
bool finished(const RunFile& run, Dataset<std::uint8_t> pass, std::size_t a, std::size_t b) {
  if (!run.contains(pass)) return false;
  const auto status = run.read(pass);
  return status[a] != 0 && status[b] != 0;
}

// One value per tensor at a pair of checkpoints.
std::vector<double> pair_values(const RunFile& run, Dataset<double> path, std::size_t a, std::size_t b,
                                std::size_t tensors) {
  return run.read(path, {{0, a, b}, {tensors, 1, 1}});
}

// norm(B - A)² of each tensor from the steps between the checkpoints; NaN where one of them was not measured.
std::vector<double> squares_of_steps(const RunFile& run, std::size_t a, std::size_t b, std::size_t tensors) {
  const std::size_t first = std::min(a, b), steps = std::max(a, b) - first;
  std::vector<double> squares(tensors);
  if (steps == 0) return squares;
  const std::vector<double> deltas =  // (tensors, steps, steps)
      run.read(dataset::weights_delta_inner_product, {{0, first, first}, {tensors, steps, steps}});
  for (std::size_t w = 0; w < tensors; ++w) {
    for (std::size_t i = 0; i < steps * steps; ++i) squares[w] += deltas[w * steps * steps + i];
  }
  return squares;
}

// The same, estimated.
std::vector<double> squares_of_sketches(const RunFile& run, std::size_t a, std::size_t b,
                                        std::size_t tensors) {
  std::vector<double> squares;
  for (std::uint64_t first = 0; first < tensors; first += tensors_at_once) {
    const std::uint64_t count = std::min<std::uint64_t>(tensors_at_once, tensors - first);
    const RecordedSketches sketches = read_sketches(run, first, count);
    for (std::uint64_t w = first; w < first + count; ++w) {
      const std::span<const float> of_both[] = {sketches.of(a, w), sketches.of(b, w)};
      squares.push_back(sketched_squares(of_both)[1]);
    }
  }
  return squares;
}

// Where they were once compared, but a step between them was not: from the distance that was recorded then.
void fill_from_drift(const RunFile& run, std::size_t a, std::size_t b, std::vector<double>& squares) {
  if (std::ranges::none_of(squares, [](double square) { return std::isnan(square); })) return;
  const std::size_t tensors = squares.size();
  for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {  // the other way where a norm is 0
    const auto drift = run.read(dataset::weights_relative_drift, {{from, to, 0}, {1, 1, tensors}});
    const auto norm = run.read(dataset::weights_norm, {{from, 0}, {1, tensors}});
    for (std::size_t w = 0; w < tensors; ++w) {
      if (std::isnan(squares[w])) squares[w] = std::pow(drift[w] * norm[w], 2);
    }
  }
}

bool were_compared(const RunFile& run, std::size_t a, std::size_t b) {
  if (!run.contains(dataset::status_pair_done)) return true;  // of an earlier version, which had all or none
  return run.read(dataset::status_pair_done, {{a, b}, {1, 1}}).front() == 1;
}

// The inner products (2, 2) and the squared distance (1, 1) of each tensor; `estimated` from sketches.
std::vector<WeightInnerProducts> pair_products(const RunFile& run, std::size_t a, std::size_t b,
                                               std::size_t tensors, bool estimated) {
  const auto aa = pair_values(run, dataset::weights_inner_product, a, a, tensors);
  const auto ab = pair_values(run, dataset::weights_inner_product, a, b, tensors);
  const auto bb = pair_values(run, dataset::weights_inner_product, b, b, tensors);
  std::vector<double> squares =
      estimated ? squares_of_sketches(run, a, b, tensors) : squares_of_steps(run, a, b, tensors);
  if (!estimated) fill_from_drift(run, a, b, squares);
  std::vector<WeightInnerProducts> products;
  for (std::size_t w = 0; w < tensors; ++w) {
    if (aa[w] == 0 && bb[w] == 0) squares[w] = 0;
    const double inner = estimated ? (aa[w] + bb[w] - squares[w]) / 2 : ab[w];
    products.push_back({2, {aa[w], inner, inner, bb[w]}, {squares[w]}});
  }
  return products;
}

WeightChange change_of(const WeightInnerProducts& products, std::string name, std::int64_t layer,
                       std::int64_t expert) {
  const auto norms = weight_norms(products);
  return {std::move(name),           layer, expert, norms[0], norms[1], relative_drift(products)[1],
          weight_cosine(products)[1]};
}

void add(WeightInnerProducts& sum, const WeightInnerProducts& products) {
  if (sum.checkpoints == 0) sum = WeightInnerProducts::zero(2);
  sum.add(products.inner_product, products.delta_inner_product);
}

// A change that cannot be measured, of weights that were zero or are not finite, comes first.
void sort_by_drift(std::vector<WeightChange>& changes) {
  const auto rank = [](const WeightChange& change) {
    if (!std::isnan(change.relative_drift)) return change.relative_drift;
    return is_unmoved(change) ? 0 : std::numeric_limits<double>::infinity();
  };
  std::stable_sort(changes.begin(), changes.end(),
                   [&](const WeightChange& x, const WeightChange& y) { return rank(x) > rank(y); });
}

void compare_weights(const RunFile& run, std::size_t a, std::size_t b, RunComparison& result) {
  const Names tensors = run.read(dataset::tensor);
  const std::vector<WeightKey> keys = recorded_keys(run);
  const bool estimated = !were_compared(run, a, b) && run.contains(dataset::weights_sketch);
  if (estimated) result.weights_standard_error = std::sqrt(0.5 / sketch_size);
  const auto products = pair_products(run, a, b, tensors.size(), estimated);
  WeightInnerProducts whole, without_norms;
  std::map<RoleGroup, WeightInnerProducts> by_role;
  std::map<std::int64_t, WeightInnerProducts> by_layer;
  std::map<std::pair<std::int64_t, std::int64_t>, WeightInnerProducts> by_expert;
  for (std::size_t w = 0; w < tensors.size(); ++w) {
    const WeightKey& key = keys[w];
    result.tensors.push_back(change_of(products[w], tensors[w], key.layer, key.expert));
    add(whole, products[w]);
    if (role_group(key.role) != RoleGroup::norm) add(without_norms, products[w]);
    add(by_role[role_group(key.role)], products[w]);
    if (key.layer >= 0) add(by_layer[key.layer], products[w]);
    if (key.expert >= 0) add(by_expert[{key.layer, key.expert}], products[w]);
  }
  result.whole.push_back(change_of(whole, "model", -1, -1));
  result.without_norms.push_back(change_of(without_norms, "model_without_norms", -1, -1));
  for (const auto& [group, sum] : by_role) {
    result.roles.push_back(change_of(sum, std::string(role_group_name(group)), -1, -1));
  }
  for (const auto& [layer, sum] : by_layer) result.layers.push_back(change_of(sum, "", layer, -1));
  for (const auto& [key, sum] : by_expert)
    result.experts.push_back(change_of(sum, "", key.first, key.second));
  sort_by_drift(result.experts);
  sort_by_drift(result.tensors);
}

void compare_losses(const RunFile& run, std::size_t a, std::size_t b, RunComparison& result) {
  const Names domains = run.read(dataset::domain);
  const std::uint64_t count = domains.size();
  const auto before = run.read<double>(metric_path(metric::loss), {{a, 0}, {1, count}});
  const auto after = run.read<double>(metric_path(metric::loss), {{b, 0}, {1, count}});
  for (std::size_t d = 0; d < count; ++d) result.losses.push_back({domains[d], before[d], after[d]});
  result.losses.push_back({"all domains",
                           run.read<double>(metric_path(pooled_name(metric::loss)), {{a}, {1}}).front(),
                           run.read<double>(metric_path(pooled_name(metric::loss)), {{b}, {1}}).front()});
}

// Tokens routed to each expert, all domains together: (L, E) of one checkpoint.
std::vector<std::int64_t> pooled_counts(const RunFile& run, std::size_t checkpoint) {
  const auto shape = run.shape(dataset::routing_expert_count);  // (C, D, L, E)
  const auto counts =
      run.read(dataset::routing_expert_count, {{checkpoint, 0, 0, 0}, {1, shape[1], shape[2], shape[3]}});
  return sum_over_domains(counts, shape[1]);
}

// Half the sum of the absolute differences of n / sum n.
double total_variation(std::span<const std::int64_t> before, std::span<const std::int64_t> after) {
  const auto shares_before = relative_load(before), shares_after = relative_load(after);
  double sum = 0;
  for (std::size_t e = 0; e < before.size(); ++e) sum += std::abs(shares_before[e] - shares_after[e]);
  return sum / (2 * static_cast<double>(before.size()));
}

// Tokens that chose experts in each layer, all domains together.
std::vector<std::int64_t> choosing_tokens_of_layers(const RunFile& run, std::size_t checkpoint) {
  const ForwardRecord record = read_forward_record(run).value();
  return sum_over_domains(choosing_tokens(run, record, checkpoint), record.domains);
}

void compare_routing(const RunFile& run, std::size_t a, std::size_t b, RunComparison& result) {
  const auto layers = run.read(dataset::moe_layer);
  if (layers.empty()) return;
  const auto agreement =
      run.read<double>(metric_path(metric::routing_agreement), {{a, b, 0}, {1, 1, layers.size()}});
  const auto before = pooled_counts(run, a), after = pooled_counts(run, b);
  const auto tokens_before = choosing_tokens_of_layers(run, a),
             tokens_after = choosing_tokens_of_layers(run, b);
  const std::size_t experts = before.size() / layers.size();
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const auto layer_before = std::span(before).subspan(l * experts, experts);
    const auto layer_after = std::span(after).subspan(l * experts, experts);
    result.routing.push_back({layers[l], agreement[l], total_variation(layer_before, layer_after),
                              max_violation(layer_before), max_violation(layer_after)});
    const auto load_before = expert_load(layer_before, tokens_before[l]),
               load_after = expert_load(layer_after, tokens_after[l]);
    for (std::size_t e = 0; e < experts; ++e) {
      result.loads.push_back({layers[l], static_cast<std::int64_t>(e), load_before[e], load_after[e]});
    }
  }
  // A change that is unknown, since no token chose experts there, comes last.
  const auto size = [](const LoadChange& load) {
    const double change = std::abs(load.after - load.before);
    return std::isnan(change) ? -1 : change;
  };
  std::stable_sort(result.loads.begin(), result.loads.end(),
                   [&](const LoadChange& x, const LoadChange& y) { return size(x) > size(y); });
}

// The warnings of both checkpoints, of the steps between them and of the texts.
std::vector<std::string> notes_of_pair(const RunFile& run, std::size_t a, std::size_t b) {
  if (!run.contains(dataset::notes)) return {};
  const Names all = run.read(dataset::notes);
  const NoteRows rows = NoteRows::of(run);
  Names notes;
  const auto add = [&](std::size_t row) {
    if (!all[row].empty()) notes.push_back(all[row]);
  };
  for (const std::size_t c : std::set{a, b}) {
    add(rows.of_weights(c));
    add(rows.of_forward(c));
  }
  for (std::size_t step = std::min(a, b); step < std::max(a, b); ++step) add(rows.of_step(step));
  add(rows.of_tokens());
  return notes;
}

}  // namespace

bool is_unmoved(const WeightChange& change) {
  return change.relative_drift == 0 || (change.norm_before == 0 && change.norm_after == 0);
}

RunComparison compare_in_run(const RunFile& run, const std::string& before, const std::string& after) {
  const Names names = run.read(dataset::checkpoint);
  const std::size_t a = index_of(run, names, before), b = index_of(run, names, after);
  const auto tokens = run.read(dataset::tokens_seen);
  RunComparison result;
  result.before = names[a];
  result.after = names[b];
  result.tokens_before = tokens[a];
  result.tokens_after = tokens[b];
  const bool weights = finished(run, dataset::status_weights, a, b),
             forward = finished(run, dataset::status_forward, a, b);
  if (!weights && !forward) {
    throw FormatError(run.path().string(), "",
                      "neither the weights nor the losses of both checkpoints are finished");
  }
  result.notes = notes_of_pair(run, a, b);
  if (weights) compare_weights(run, a, b, result);
  if (forward) {
    compare_losses(run, a, b, result);
    compare_routing(run, a, b, result);
  }
  return result;
}

}  // namespace moescope
