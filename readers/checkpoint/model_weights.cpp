#include "readers/checkpoint/model_weights.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <unordered_set>
#include <utility>

#include "readers/checkpoint/missing_tensor.h"
#include "readers/errors.h"
#include "readers/model/weight_table.h"
#include "readers/text/quoted_text.h"

namespace moescope {
namespace {

using Shape = std::vector<std::uint64_t>;
using Rules = std::span<const WeightRule>;

constexpr std::size_t most_notes = 8;  // about single tensors; the others are counted

std::string tensor_thing(const std::string& name) {
  return "tensor " + single_quoted(name);
}

bool is_expert_rule(const WeightRule& rule) {
  return rule.scope == Scope::routed_expert;
}

/// Where the experts of one layer find one of their matrices in fused storage.
struct FusedPart {
  const WeightRule* rule;
  const StoredTensor* stored;
  std::uint64_t parts;  // matrices stacked per expert
  std::uint64_t part;   // which of them
};

/// Matches the rules of a family against the stored tensors, and remembers which were used.
class Resolver {
 public:
  explicit Resolver(const Checkpoint& checkpoint)
      : checkpoint_(checkpoint), config_(checkpoint.config()), table_(family_table(config_)) {}

  std::vector<Weight> resolve();
  std::vector<std::string> notes(std::span<const Weight> resolved) const;

 private:
  std::string shard_file(std::size_t shard) const;
  double spread_in_steps(const Weight& weight) const;
  std::vector<std::string> notes_on_coarse_biases(std::span<const Weight> resolved) const;
  void add_all(Rules rules, std::int64_t layer, Scope outside);
  void add_layer(std::int64_t layer);
  void add_experts(Rules rules, std::int64_t layer);
  bool has_fused_experts(Rules rules, std::int64_t layer) const;
  std::vector<FusedPart> find_fused_parts(Rules rules, std::int64_t layer);
  void add_own(const WeightRule& rule, std::int64_t layer, std::int64_t expert);
  void add_slice(const FusedPart& part, std::int64_t layer, std::int64_t expert);
  const StoredTensor& require(const std::string& name, const Shape& shape);
  Weight describe(const WeightRule& rule, std::int64_t layer, std::int64_t expert, std::string name,
                  const StoredTensor& stored) const;
  bool is_beyond_layers(std::string_view name) const;

  const Checkpoint& checkpoint_;
  const ModelConfig& config_;
  const FamilyTable& table_;
  std::vector<Weight> weights_;
  std::unordered_set<const StoredTensor*> used_;  // of the checkpoint's tensors
};

std::vector<Weight> Resolver::resolve() {
  add_all(table_.rules, -1, Scope::before_layers);
  for (std::int64_t layer = 0; layer < config_.num_hidden_layers; ++layer) add_layer(layer);
  add_all(table_.rules, -1, Scope::after_layers);
  return std::move(weights_);
}

// Outside the layers only the rules of scope `outside`.
void Resolver::add_all(Rules rules, std::int64_t layer, Scope outside) {
  for (const WeightRule& rule : rules) {
    if (layer < 0 && rule.scope != outside) continue;
    if (applies(rule, layer, config_)) add_own(rule, layer, -1);
  }
}

void Resolver::add_layer(std::int64_t layer) {
  const Rules rules = table_.rules;
  const auto first = std::find_if(rules.begin(), rules.end(), is_expert_rule);
  const auto last = std::find_if_not(first, rules.end(), is_expert_rule);
  add_all(Rules(rules.begin(), first), layer, Scope::every_layer);
  if (config_.is_moe_layer(layer)) add_experts(Rules(first, last), layer);
  add_all(Rules(last, rules.end()), layer, Scope::every_layer);
}

void Resolver::add_experts(Rules rules, std::int64_t layer) {
  const bool fused = has_fused_experts(rules, layer);
  const std::vector<FusedPart> parts = fused ? find_fused_parts(rules, layer) : std::vector<FusedPart>();
  for (std::int64_t expert = 0; expert < config_.n_routed_experts; ++expert) {
    for (const FusedPart& part : parts) add_slice(part, layer, expert);
    if (fused) continue;
    for (const WeightRule& rule : rules) add_own(rule, layer, expert);
  }
}

bool Resolver::has_fused_experts(Rules rules, std::int64_t layer) const {
  const auto fused = std::find_if(table_.fused.begin(), table_.fused.end(), [&](const FusedRule& rule) {
    return checkpoint_.find(tensor_name(rule.name, layer, -1)) != nullptr;
  });
  if (fused == table_.fused.end()) return false;
  for (const WeightRule& rule : rules) {
    const std::string own = tensor_name(rule.name, layer, 0);
    const StoredTensor* stored = checkpoint_.find(own);
    if (stored == nullptr) continue;
    throw FormatError(checkpoint_.shards()[stored->shard].name(), tensor_thing(own),
                      "is stored by itself and also inside the fused " +
                          single_quoted(tensor_name(fused->name, layer, -1)));
  }
  return true;
}

std::vector<FusedPart> Resolver::find_fused_parts(Rules rules, std::int64_t layer) {
  std::vector<FusedPart> parts;
  for (const WeightRule& rule : rules) {
    for (const FusedRule& fused : table_.fused) {
      const auto role = std::find(fused.parts.begin(), fused.parts.end(), rule.role);
      if (role == fused.parts.end()) continue;
      const Shape shape{extent_size(Extent::experts, config_),
                        fused.parts.size() * extent_size(rule.rows, config_),
                        extent_size(rule.cols, config_)};
      parts.push_back({&rule, &require(tensor_name(fused.name, layer, -1), shape), fused.parts.size(),
                       static_cast<std::uint64_t>(role - fused.parts.begin())});
    }
  }
  return parts;
}

void Resolver::add_own(const WeightRule& rule, std::int64_t layer, std::int64_t expert) {
  const std::uint64_t rows = extent_size(rule.rows, config_), cols = extent_size(rule.cols, config_);
  std::string name = tensor_name(rule.name, layer, expert);
  const StoredTensor& stored = require(name, rule.rows == Extent::one ? Shape{cols} : Shape{rows, cols});
  weights_.push_back(describe(rule, layer, expert, std::move(name), stored));
}

void Resolver::add_slice(const FusedPart& part, std::int64_t layer, std::int64_t expert) {
  Weight weight =
      describe(*part.rule, layer, expert, tensor_name(part.rule->name, layer, expert), *part.stored);
  weight.offset += (static_cast<std::uint64_t>(expert) * part.parts + part.part) * weight.bytes();
  weights_.push_back(std::move(weight));
}

const StoredTensor& Resolver::require(const std::string& name, const Shape& shape) {
  const auto found = checkpoint_.tensors().find(name);
  if (found == checkpoint_.tensors().end()) {
    const MissingTensor why = explain_missing(checkpoint_, name);
    throw FormatError(checkpoint_.directory().string(), tensor_thing(name),
                      "is missing (expected shape " + format_shape(shape) + ")" +
                          (why.found.empty() ? "" : "; " + why.found),
                      why.hint);
  }
  const StoredTensor& stored = found->second;
  const std::string& file = checkpoint_.shards()[stored.shard].name();
  if (stored.info.shape != shape) {
    throw FormatError(file, tensor_thing(name),
                      "expected shape " + format_shape(shape) + ", found " + format_shape(stored.info.shape));
  }
  if (!is_weight_dtype(stored.info.dtype)) {
    throw FormatError(file, tensor_thing(name),
                      "expected dtype BF16, F16 or F32, found " + std::string(dtype_name(stored.info.dtype)));
  }
  used_.insert(&stored);
  return stored;
}

Weight Resolver::describe(const WeightRule& rule, std::int64_t layer, std::int64_t expert, std::string name,
                          const StoredTensor& stored) const {
  Weight weight;
  weight.key = {rule.role, layer, expert};
  weight.name = std::move(name);
  weight.dtype = stored.info.dtype;
  weight.rows = extent_size(rule.rows, config_);
  weight.cols = extent_size(rule.cols, config_);
  weight.shard = stored.shard;
  weight.offset = stored.info.offset;
  return weight;
}

bool Resolver::is_beyond_layers(std::string_view name) const {
  if (!name.starts_with(table_.layer_prefix)) return false;
  name.remove_prefix(table_.layer_prefix.size());
  std::int64_t layer = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
  return error == std::errc() && end != name.data() + name.size() && *end == '.' &&
         layer >= config_.num_hidden_layers;
}

// The file's name alone, as the user sees it in the checkpoint's directory.
std::string Resolver::shard_file(std::size_t shard) const {
  return std::filesystem::path(checkpoint_.shards()[shard].name()).filename().string();
}

// The spread of a BF16 vector in units of the distance between its neighbours in BF16 at its largest value.
double Resolver::spread_in_steps(const Weight& weight) const {
  std::vector<std::uint16_t> bits(weight.size());
  checkpoint_.shards()[weight.shard].read(weight.offset, std::as_writable_bytes(std::span(bits)));
  float least = std::numeric_limits<float>::infinity(), most = -least;
  for (const std::uint16_t pattern : bits) {
    const auto value = std::bit_cast<float>(std::uint32_t{pattern} << 16);
    if (!std::isfinite(value)) continue;
    least = std::min(least, value);
    most = std::max(most, value);
  }
  const float largest = std::max(std::fabs(least), std::fabs(most));
  if (!(most > least) || !std::isnormal(largest)) return 0;
  constexpr int fraction_bits = 7;
  return (double{most} - double{least}) / std::ldexp(1.0, std::ilogb(largest) - fraction_bits);
}

/// A correction bias is a sum of small steps of training: in BF16, at its usual size, little of them is left.
std::vector<std::string> Resolver::notes_on_coarse_biases(std::span<const Weight> resolved) const {
  constexpr double few_steps = 16;
  std::size_t coarse = 0;
  const Weight* worst = nullptr;
  double fewest = few_steps;
  for (const Weight& weight : resolved) {
    if (weight.key.role != Role::score_correction_bias || weight.dtype != DType::bf16) continue;
    const double steps = spread_in_steps(weight);
    if (steps == 0 || steps > few_steps) continue;
    ++coarse;
    if (steps > fewest) continue;
    fewest = steps;
    worst = &weight;
  }
  if (worst == nullptr) return {};
  return {"the score correction bias of " + std::to_string(coarse) +
          (coarse == 1 ? " layer is" : " layers is") +
          " stored as BF16 and spans few of its steps, so that its differences are rounded away: " +
          std::to_string(static_cast<int>(fewest)) + " steps in layer " + std::to_string(worst->key.layer)};
}

std::vector<std::string> Resolver::notes(std::span<const Weight> resolved) const {
  std::vector<std::string> notes = notes_on_coarse_biases(resolved);
  if (used_.size() == checkpoint_.tensors().size()) return notes;
  std::size_t beyond = 0, unknown = 0;
  for (const auto& [name, stored] : checkpoint_.tensors()) {
    if (used_.contains(&stored)) continue;
    if (is_beyond_layers(name)) {
      ++beyond;
    } else if (++unknown <= most_notes) {
      notes.push_back(shard_file(stored.shard) + ": " + tensor_thing(name) +
                      ": has no role in this model and is skipped");
    }
  }
  if (unknown > most_notes) {
    notes.push_back(std::to_string(unknown - most_notes) + " further tensors without a role are skipped");
  }
  if (beyond > 0) {
    notes.push_back(std::to_string(beyond) + " tensors of layers from " +
                    std::to_string(config_.num_hidden_layers) +
                    " on (multi-token prediction) are skipped: the model has " +
                    std::to_string(config_.num_hidden_layers) + " layers");
  }
  return notes;
}

}  // namespace

ModelWeights::ModelWeights(const Checkpoint& checkpoint) {
  Resolver resolver(checkpoint);
  weights_ = resolver.resolve();
  notes_ = resolver.notes(weights_);
  build_index();
}

ModelWeights::ModelWeights(const ModelConfig& config, DType dtype)
    : weights_(described_weights(config, dtype)) {
  build_index();
}

void ModelWeights::build_index() {
  for (std::size_t i = 0; i < weights_.size(); ++i) index_.emplace(weights_[i].key, i);
}

const Weight* ModelWeights::find(const WeightKey& key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &weights_[found->second];
}

const Weight& ModelWeights::at(const WeightKey& key) const {
  if (const Weight* weight = find(key)) return *weight;
  throw std::out_of_range("no weight of role " + std::string(role_name(key.role)) + " in layer " +
                          std::to_string(key.layer) + ", expert " + std::to_string(key.expert));
}

}  // namespace moescope
