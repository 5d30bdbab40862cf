#include "tests/support/checkpoint_builder.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <utility>

#include "readers/files/source_file.h"
#include "tests/support/special_values.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using Json = nlohmann::ordered_json;

/// Normal deviates that depend on the seed and the tensor's name alone. std::normal_distribution may differ
/// between standard libraries; twelve uniform numbers may not.
class Deviates {
 public:
  Deviates(std::uint64_t seed, const std::string& name) : engine_(seed) {
    for (const char c : name) engine_.seed(engine_() ^ static_cast<unsigned char>(c));
  }
  double next() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(engine_() >> 11) * 0x1p-53;
    return sum;
  }

 private:
  std::mt19937_64 engine_;
};

// What is too large becomes infinite.
std::uint16_t to_f16(float value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  const double magnitude = std::fabs(static_cast<double>(value));
  if (magnitude == 0) return sign;
  if (std::isnan(value)) return 0x7E00;
  if (std::isinf(value)) return sign | 0x7C00;
  const int exponent = std::max(std::ilogb(magnitude), -14);
  const auto units = static_cast<std::int64_t>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  const std::int64_t code =
      units + (static_cast<std::int64_t>(exponent + 14) << 10);  // carries into the exponent
  return static_cast<std::uint16_t>(sign | std::min<std::int64_t>(code, 0x7C00));
}

void append_little_endian(std::string& data, std::uint64_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i) data += static_cast<char>(value >> (8 * i) & 0xFF);
}

// Replaces PREFIX{e}.PART.weight of all experts by one tensor [E, parts * rows, cols].
void fuse(BuiltCheckpoint& checkpoint, std::int64_t experts, const std::string& prefix,
          const std::vector<std::string>& parts, const std::string& fused_name) {
  const BuiltTensor& first = checkpoint.tensor(prefix + "0." + parts.front() + ".weight");
  BuiltTensor fused{prefix + fused_name,
                    first.dtype,
                    {static_cast<std::uint64_t>(experts), parts.size() * first.shape[0], first.shape[1]},
                    {}};
  for (std::int64_t expert = 0; expert < experts; ++expert) {
    for (const std::string& part : parts) {
      const std::string name = prefix + std::to_string(expert) + "." + part + ".weight";
      fused.data += checkpoint.tensor(name).data;
      checkpoint.drop(name);
    }
  }
  checkpoint.tensors.push_back(std::move(fused));
}

// Both layouts hold the same values.
void fuse_experts(BuiltCheckpoint& checkpoint, const CheckpointOptions& options) {
  for (std::int64_t layer = 0; layer < options.num_hidden_layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".mlp.experts.";
    const auto of_layer = [&](const BuiltTensor& tensor) { return tensor.name.starts_with(prefix); };
    if (std::none_of(checkpoint.tensors.begin(), checkpoint.tensors.end(), of_layer)) continue;
    fuse(checkpoint, options.n_routed_experts, prefix, {"gate_proj", "up_proj"}, "gate_up_proj");
    fuse(checkpoint, options.n_routed_experts, prefix, {"down_proj"}, "down_proj");
  }
}

}  // namespace

std::string encode_elements(const std::vector<float>& values, DType dtype) {
  std::string data;
  data.reserve(values.size() * dtype_bytes(dtype, 1));
  for (const float value : values) {
    if (dtype == DType::bf16) append_little_endian(data, to_bf16(value), 2);
    if (dtype == DType::f16) append_little_endian(data, to_f16(value), 2);
    if (dtype == DType::f32) append_little_endian(data, std::bit_cast<std::uint32_t>(value), 4);
  }
  return data;
}

std::string safetensors_bytes(std::string_view header, std::string_view buffer) {
  std::string bytes;
  append_little_endian(bytes, header.size(), 8);
  return bytes.append(header).append(buffer);
}

std::string safetensors_bytes(const std::vector<BuiltTensor>& tensors, const Json& metadata) {
  Json header = Json::object();
  if (!metadata.is_null()) header["__metadata__"] = metadata;
  std::string buffer;
  for (const BuiltTensor& tensor : tensors) {
    const std::size_t begin = buffer.size();
    buffer += tensor.data;
    header[tensor.name] = {{"dtype", dtype_name(tensor.dtype)},
                           {"shape", tensor.shape},
                           {"data_offsets", {begin, buffer.size()}}};
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // as the reference writer aligns the data
  return safetensors_bytes(text, buffer);
}

BuiltTensor& BuiltCheckpoint::tensor(const std::string& name) {
  for (BuiltTensor& candidate : tensors) {
    if (candidate.name == name) return candidate;
  }
  throw std::out_of_range("no tensor " + name);
}

void BuiltCheckpoint::drop(const std::string& name) {
  tensor(name);
  std::erase_if(tensors, [&](const BuiltTensor& candidate) { return candidate.name == name; });
}

void BuiltCheckpoint::write(const std::filesystem::path& directory) const {
  write_file(directory / "config.json", config.dump(2));
  Json weight_map = Json::object();
  std::uint64_t total_size = 0;
  for (std::size_t shard = 0; shard < shards; ++shard) {
    const std::size_t first = tensors.size() * shard / shards, last = tensors.size() * (shard + 1) / shards;
    const std::vector<BuiltTensor> part(tensors.begin() + static_cast<std::ptrdiff_t>(first),
                                        tensors.begin() + static_cast<std::ptrdiff_t>(last));
    write_file(directory / shard_name(shard, shards), safetensors_bytes(part));
    for (const BuiltTensor& stored : part) {
      weight_map[stored.name] = shard_name(shard, shards);
      total_size += stored.data.size();
    }
  }
  if (shards == 1) return;
  const Json index = {{"metadata", {{"total_size", total_size}}}, {"weight_map", weight_map}};
  write_file(directory / "model.safetensors.index.json", index.dump(2));
}

BuiltTensor build_tensor(const PlannedTensor& planned, std::uint64_t seed) {
  Deviates deviates(seed, planned.name);
  std::vector<float> values(planned.size());
  for (float& value : values) value = static_cast<float>(planned.mean + planned.deviation * deviates.next());
  return {planned.name, planned.dtype, planned.shape, encode_elements(values, planned.dtype)};
}

BuiltCheckpoint build_checkpoint(const CheckpointOptions& options) {
  BuiltCheckpoint checkpoint{plan_config(options), {}, options.shards};
  for (const PlannedTensor& planned : plan_tensors(options)) {
    checkpoint.tensors.push_back(build_tensor(planned, options.seed));
  }
  if (options.fused_experts) fuse_experts(checkpoint, options);
  return checkpoint;
}

void write_checkpoint(const std::filesystem::path& directory, const CheckpointOptions& options) {
  build_checkpoint(options).write(directory);
}

void edit_bytes(const std::filesystem::path& file, const std::function<void(std::string&)>& edit) {
  std::string bytes = read_whole_file(file);
  edit(bytes);
  write_file(file, bytes);
}

void edit_json(const std::filesystem::path& file, const std::function<void(Json&)>& edit) {
  edit_bytes(file, [&](std::string& text) {
    Json document = Json::parse(text);
    edit(document);
    text = document.dump(2);
  });
}

void edit_header(const std::filesystem::path& shard, const std::function<void(std::string&)>& edit) {
  edit_bytes(shard, [&](std::string& bytes) {
    std::uint64_t length = 0;
    for (unsigned i = 8; i-- > 0;) length = length << 8 | static_cast<unsigned char>(bytes[i]);
    std::string header = bytes.substr(8, length);
    edit(header);
    bytes = safetensors_bytes(header, bytes.substr(8 + length));
  });
}

}  // namespace moescope
