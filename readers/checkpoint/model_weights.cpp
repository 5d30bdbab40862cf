#include "readers/checkpoint/model_weights.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <limits>
#include <optional>
#include <stdexcept>
#include <unordered_set>
#include <utility>

#include "readers/checkpoint/missing_tensor.h"
#include "readers/errors.h"
#include "readers/model/gguf_names.h"
#include "readers/model/weight_table.h"
#include "readers/text/quoted_text.h"

namespace moescope {
namespace {

using Shape = std::vector<std::uint64_t>;

constexpr std::size_t most_notes = 8;  // about single tensors; the others are counted

/// Where a layer finds the weights of one role in fused storage; those of experts one after another.
struct FusedPart {
  Role role;
  const StoredTensor* stored;
  std::uint64_t elements;  // of all parts together, of one expert
  std::uint64_t before;    // of the parts before this one
  bool transposed = false;
  const StoredTensor* scales = nullptr;  // of blocks in 4 bits
};

/// Matches the rules of a family against the stored tensors, and remembers which were used.
class Resolver {
 public:
  explicit Resolver(const Checkpoint& checkpoint)
      : checkpoint_(checkpoint),
        config_(checkpoint.config()),
        family_(family_of(config_)),
        is_gguf_(checkpoint.format() == ShardFormat::gguf),
        fused_(is_gguf_ ? gguf_fused() : std::span<const FusedRule>(family_.fused)) {}

  std::vector<Weight> resolve();
  std::vector<std::string> notes(std::span<const Weight> resolved) const;

 private:
  std::string shard_file(std::size_t shard) const;
  double spread_in_steps(const Weight& weight) const;
  std::vector<std::string> notes_on_coarse_biases(std::span<const Weight> resolved) const;
  Weight find_weight(const WeightRule& rule, const WeightKey& key);
  StoredScales find_scales(const Weight& weight, const StoredTensor& stored, bool is_part);
  const FusedPart* fused_part(const WeightKey& key);
  std::vector<FusedPart> find_fused_parts(std::int64_t layer);
  const WeightRule* first_rule(const FusedRule& fused, std::int64_t layer) const;
  std::vector<FusedPart> fused_parts(const FusedRule& fused, const WeightRule& first, std::int64_t layer);
  FusedPart packed_part(const FusedRule& fused, std::int64_t layer);
  static void read_packed(const FusedPart& part, Weight& weight);
  const FusedRule* stored_fusion(std::int64_t layer) const;
  void require_no_single_expert(const FusedRule& fused, std::int64_t layer) const;
  const StoredTensor& require(const std::string& name, const Shape& shape,
                              std::optional<DType> dtype = std::nullopt);
  std::string name_of(std::string_view name, std::int64_t layer, std::int64_t expert = -1) const;
  std::string stored_name(const WeightRule& rule, const WeightKey& key) const;
  bool has_shape(const StoredTensor& stored, const Shape& shape) const;
  bool is_beyond_layers(std::string_view name) const;
  std::string other_part(std::string_view name) const;

  const Checkpoint& checkpoint_;
  const ModelConfig& config_;
  const Family& family_;
  bool is_gguf_;
  std::span<const FusedRule> fused_;
  std::int64_t fused_layer_ = -1;  // whose fused parts these are
  std::vector<FusedPart> fused_parts_;
  std::unordered_set<const StoredTensor*> used_;  // of the checkpoint's tensors
};

std::vector<Weight> Resolver::resolve() {
  std::vector<Weight> weights;
  visit_weights(config_, [&](const WeightRule& rule, const WeightKey& key) {
    weights.push_back(find_weight(rule, key));
  });
  return weights;
}

/// Of a tensor, as the storage calls it.
std::string Resolver::name_of(std::string_view name, std::int64_t layer, std::int64_t expert) const {
  if (!is_gguf_) return tensor_name(family_, name, layer, expert);
  return layer < 0 ? std::string(name)
                   : std::string(gguf_layer_prefix) + std::to_string(layer) + "." + std::string(name);
}

/// Of a weight's own tensor; of several names the one that is there.
std::string Resolver::stored_name(const WeightRule& rule, const WeightKey& key) const {
  const auto names = is_gguf_ ? gguf_names(rule.role) : std::span<const std::string_view>(&rule.name, 1);
  for (const std::string_view name : names) {
    std::string whole = name_of(name, key.layer, key.expert);
    if (checkpoint_.find(whole) != nullptr) return whole;
  }
  return name_of(names.empty() ? rule.name : names.front(), key.layer, key.expert);
}

Weight Resolver::find_weight(const WeightRule& rule, const WeightKey& key) {
  const WeightShape shape = shape_of(rule, config_);
  Weight weight;
  weight.key = key;
  weight.name = tensor_name(family_, rule.name, key.layer, key.expert);
  weight.rows = shape.rows;
  weight.cols = shape.cols;
  const FusedPart* part = key.layer >= 0 ? fused_part(key) : nullptr;
  const StoredTensor& stored =
      part ? *part->stored : require(stored_name(rule, key), stored_shape(rule, config_));
  weight.dtype = stored.info.dtype;
  weight.shard = stored.shard;
  weight.offset = stored.info.offset;
  if (is_quantised_dtype(weight.dtype)) weight.scales = find_scales(weight, stored, part != nullptr);
  if (part) {
    weight.transposed = part->transposed;
    if (part->scales != nullptr) read_packed(*part, weight);
    const auto expert = static_cast<std::uint64_t>(std::max<std::int64_t>(0, key.expert));
    weight.offset += dtype_bytes(weight.dtype, expert * part->elements + part->before);
  }
  return weight;
}

/// Two E2M1 numbers a byte.
void Resolver::read_packed(const FusedPart& part, Weight& weight) {
  weight.dtype = DType::f4;
  weight.scales = mxfp4_scales;
  weight.scales->shard = part.scales->shard;
  weight.scales->offset =
      part.scales->info.offset + static_cast<std::uint64_t>(weight.key.expert) * weight.scale_bytes();
}

/// NAME_scale_inv, of blocks, or NAME_scale, of rows (DeepSeek-V3's release, and compressed-tensors).
StoredScales Resolver::find_scales(const Weight& weight, const StoredTensor& stored, bool is_part) {
  const std::string of_blocks = weight.name + "_scale_inv", of_rows = weight.name + "_scale";
  const bool in_blocks = checkpoint_.find(of_blocks) != nullptr;
  const std::string& file = checkpoint_.shards()[stored.shard].name();
  const std::string type(dtype_name(weight.dtype));
  if (weight.rows == 1 || weight.key.role == Role::embedding || is_part)
    throw FormatError(file, tensor_thing(stored.info.name), "expected dtype BF16, F16 or F32, found " + type);
  if (!in_blocks && checkpoint_.find(of_rows) == nullptr) {
    throw FormatError(file, tensor_thing(weight.name),
                      "is stored as " + type + ", but has no scale (expected " + single_quoted(of_blocks) +
                          " or " + single_quoted(of_rows) + ")");
  }
  StoredScales scales;
  scales.block_rows = in_blocks ? static_cast<std::uint64_t>(config_.quantisation.block_rows) : 1;
  scales.block_cols = in_blocks ? static_cast<std::uint64_t>(config_.quantisation.block_cols) : weight.cols;
  const StoredTensor& found =
      require(in_blocks ? of_blocks : of_rows, {scales.rows_for(weight.rows), scales.cols_for(weight.cols)});
  if (is_quantised_dtype(found.info.dtype))
    throw FormatError(file, tensor_thing(found.info.name), "expected dtype BF16, F16 or F32, found " + type);
  scales.dtype = found.info.dtype;
  scales.shard = found.shard;
  scales.offset = found.info.offset;
  return scales;
}

/// Null where a weight is stored by itself.
const FusedPart* Resolver::fused_part(const WeightKey& key) {
  if (fused_layer_ != key.layer) fused_parts_ = find_fused_parts(key.layer);
  fused_layer_ = key.layer;
  const auto part = std::ranges::find(fused_parts_, key.role, &FusedPart::role);
  return part == fused_parts_.end() ? nullptr : &*part;
}

/// The rule of a fused tensor's first part, where the model has it in this layer; else null.
const WeightRule* Resolver::first_rule(const FusedRule& fused, std::int64_t layer) const {
  const auto rule = std::ranges::find_if(family_.weights, [&](const WeightRule& r) {
    return r.role == fused.parts.front() && applies(r, layer, config_);
  });
  return rule == family_.weights.end() ? nullptr : &*rule;
}

/// What is fused always, and the experts of a layer where one fused tensor of theirs is stored.
std::vector<FusedPart> Resolver::find_fused_parts(std::int64_t layer) {
  const FusedRule* stored = stored_fusion(layer);
  if (stored != nullptr) require_no_single_expert(*stored, layer);
  std::vector<FusedPart> parts;
  for (const FusedRule& fused : fused_) {
    const WeightRule* rule = first_rule(fused, layer);
    if (rule == nullptr || (!fused.only && stored == nullptr)) continue;
    std::ranges::copy(fused_parts(fused, *rule, layer), std::back_inserter(parts));
  }
  return parts;
}

std::vector<FusedPart> Resolver::fused_parts(const FusedRule& fused, const WeightRule& first,
                                             std::int64_t layer) {
  if (fused.transposed && checkpoint_.find(name_of(fused.name, layer) + "_blocks") != nullptr)
    return {packed_part(fused, layer)};
  std::uint64_t elements = 0;
  std::vector<FusedPart> parts;
  for (const Role role : fused.parts) {
    parts.push_back({role, nullptr, 0, elements});
    elements += shape_of(role, config_).size();
  }
  const std::uint64_t columns = shape_of(first, config_).cols;
  Shape shape = first.is_vector() ? Shape{elements} : Shape{elements / columns, columns};
  if (fused.transposed) std::ranges::reverse(shape);
  if (first.scope == Scope::routed_expert)
    shape.insert(shape.begin(), static_cast<std::uint64_t>(config_.n_routed_experts));
  const StoredTensor& stored = require(name_of(fused.name, layer), shape);
  for (FusedPart& part : parts) {
    part.stored = &stored;
    part.elements = elements;
    part.transposed = fused.transposed;
  }
  return parts;
}

FusedPart Resolver::packed_part(const FusedRule& fused, std::int64_t layer) {
  const Role role = fused.parts.front();
  const WeightShape shape = shape_of(role, config_);
  const std::string name = name_of(fused.name, layer);
  const auto experts = static_cast<std::uint64_t>(config_.n_routed_experts);
  const StoredTensor& blocks =
      require(name + "_blocks", {experts, shape.rows, shape.cols / mxfp4_block, mxfp4_block / 2}, DType::u8);
  const StoredTensor& scales =
      require(name + "_scales", {experts, shape.rows, shape.cols / mxfp4_block}, DType::u8);
  return {role, &blocks, shape.size(), 0, false, &scales};
}

const FusedRule* Resolver::stored_fusion(std::int64_t layer) const {
  for (const FusedRule& fused : fused_) {
    if (!fused.only && checkpoint_.find(name_of(fused.name, layer)) != nullptr) return &fused;
  }
  return nullptr;
}

void Resolver::require_no_single_expert(const FusedRule& fused, std::int64_t layer) const {
  for (const WeightRule& rule : family_.weights) {
    if (rule.scope != Scope::routed_expert) continue;
    const std::string own = name_of(rule.name, layer, 0);
    const StoredTensor* stored = checkpoint_.find(own);
    if (stored == nullptr) continue;
    throw FormatError(
        checkpoint_.shards()[stored->shard].name(), tensor_thing(own),
        "is stored by itself and also inside the fused " + single_quoted(name_of(fused.name, layer)));
  }
}

/// GGUF leaves out the extents of 1 that a shape begins with.
bool Resolver::has_shape(const StoredTensor& stored, const Shape& shape) const {
  if (stored.info.shape == shape) return true;
  const auto without_ones = [](const Shape& whole) {
    return Shape(std::ranges::find_if(whole, [](std::uint64_t extent) { return extent != 1; }), whole.end());
  };
  return is_gguf_ && without_ones(stored.info.shape) == without_ones(shape);
}

/// Of the shape, and of this dtype or any that weights have.
const StoredTensor& Resolver::require(const std::string& name, const Shape& shape,
                                      std::optional<DType> dtype) {
  const auto found = checkpoint_.tensors().find(name);
  if (found == checkpoint_.tensors().end()) {
    const MissingTensor why = explain_missing(checkpoint_, name);
    throw FormatError(checkpoint_.path().string(), tensor_thing(name),
                      "is missing (expected shape " + format_shape(shape) + ")" +
                          (why.found.empty() ? "" : "; " + why.found),
                      why.hint);
  }
  const StoredTensor& stored = found->second;
  const std::string& file = checkpoint_.shards()[stored.shard].name();
  if (!has_shape(stored, shape)) {
    throw FormatError(file, tensor_thing(name),
                      "expected shape " + format_shape(shape) + ", found " + format_shape(stored.info.shape));
  }
  const bool fits = dtype ? stored.info.dtype == *dtype
                          : is_weight_dtype(stored.info.dtype) || is_quantised_dtype(stored.info.dtype);
  if (!fits) {
    throw FormatError(file, tensor_thing(name),
                      "expected dtype " +
                          (dtype      ? std::string(dtype_name(*dtype))
                           : is_gguf_ ? "BF16, F16, F32 or Q8_0"
                                      : "BF16, F16, F32 or F8_E4M3") +
                          ", found " + std::string(dtype_name(stored.info.dtype)));
  }
  used_.insert(&stored);
  return stored;
}

bool Resolver::is_beyond_layers(std::string_view name) const {
  const std::string_view prefix = is_gguf_ ? gguf_layer_prefix : family_.layer_prefix;
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
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

/// What a tensor belongs to that the model's weights do not use; empty where that is not known.
std::string Resolver::other_part(std::string_view name) const {
  for (const OtherPart& part : family_.other_parts) {
    if (name.starts_with(part.prefix)) return std::string(part.what) + " (" + std::string(part.prefix) + "*)";
  }
  const std::string layers = std::to_string(config_.num_hidden_layers);
  return is_beyond_layers(name)
             ? "layers from " + layers + " on (multi-token prediction; the model has " + layers + " layers)"
             : "";
}

std::vector<std::string> Resolver::notes(std::span<const Weight> resolved) const {
  std::vector<std::string> notes = notes_on_coarse_biases(resolved);
  if (used_.size() == checkpoint_.tensors().size()) return notes;
  std::map<std::string, std::size_t> others;
  std::size_t unknown = 0;
  for (const auto& [name, stored] : checkpoint_.tensors()) {
    if (used_.contains(&stored)) continue;
    if (const std::string part = other_part(name); !part.empty()) {
      ++others[part];
    } else if (++unknown <= most_notes) {
      notes.push_back(shard_file(stored.shard) + ": " + tensor_thing(name) +
                      ": has no role in this model and is skipped");
    }
  }
  if (unknown > most_notes) {
    notes.push_back(std::to_string(unknown - most_notes) + " further tensors without a role are skipped");
  }
  for (const auto& [part, count] : others)
    notes.push_back(std::to_string(count) + " tensors of " + part + " are skipped");
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

ModelWeights ModelWeights::with_vocabulary(std::uint64_t rows) const {
  ModelWeights result = *this;
  for (Weight& weight : result.weights_) {
    if (weight.key.role == Role::embedding || weight.key.role == Role::head)
      weight.rows = std::min(weight.rows, rows);
  }
  return result;
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

std::optional<WeightDifference> first_difference(std::span<const Weight> expected,
                                                 std::span<const Weight> found) {
  for (std::size_t w = 0; w < std::max(expected.size(), found.size()); ++w) {
    const Weight* a = w < expected.size() ? &expected[w] : nullptr;
    const Weight* b = w < found.size() ? &found[w] : nullptr;
    const bool same = a != nullptr && b != nullptr && a->key == b->key && a->name == b->name &&
                      a->rows == b->rows && a->cols == b->cols;
    if (!same) return WeightDifference{a, b};
  }
  return std::nullopt;
}

}  // namespace moescope
