#include "tests/support/full_width_checkpoint.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <span>
#include <system_error>
#include <utility>

#include "tests/support/checkpoint_builder.h"
#include "tests/support/normal_values.h"
#include "tests/support/streamed_file.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t buffer_bytes = std::size_t{4} << 20;

bool is_hole(const PlannedTensor& tensor, Holes holes) {
  return holes == Holes::all || (holes == Holes::projections && tensor.projection);
}

// The reference writer's order.
bool lies_before(const PlannedTensor& a, const PlannedTensor& b) {
  const unsigned a_bits = dtype_block(a.dtype).bits, b_bits = dtype_block(b.dtype).bits;
  return a_bits != b_bits ? a_bits > b_bits : a.name < b.name;
}

std::string header_text(const PlannedShard& shard) {
  nlohmann::ordered_json header = {{"__metadata__", {{"format", "pt"}}}};
  std::uint64_t begin = 0;
  for (const PlannedTensor& tensor : shard.tensors) {
    const std::uint64_t end = begin + tensor.bytes();
    header[tensor.name] = {
        {"dtype", dtype_name(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {begin, end}}};
    begin = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // as the reference writer aligns the data
  return text;
}

std::string gigabytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f GB", static_cast<double>(bytes) * 1e-9);
  return text;
}

/// Writes shard after shard through one buffer.
class ShardWriter {
 public:
  ShardWriter(const FullWidthOptions& options, const WriteProgress& progress)
      : options_(options), progress_(progress), buffer_(buffer_bytes) {}

  void write(const fs::path& path, const PlannedShard& shard);

 private:
  void write_values(StreamedFile& file, const PlannedTensor& tensor);

  const FullWidthOptions& options_;
  const WriteProgress& progress_;
  std::vector<std::byte> buffer_;
  std::uint64_t written_ = 0;
};

void ShardWriter::write_values(StreamedFile& file, const PlannedTensor& tensor) {
  const NormalValues values(options_.seed, tensor.name,
                            {tensor.mean, tensor.deviation, options_.changes, options_.change}, tensor.dtype);
  const std::uint64_t element = dtype_bytes(tensor.dtype, 1);
  for (std::uint64_t done = 0; done < tensor.bytes();) {
    const auto part =
        std::span(buffer_).first(std::min<std::uint64_t>(buffer_.size(), tensor.bytes() - done));
    values.fill(done / element, part);
    file.write(part);
    done += part.size();
    written_ += part.size();
    if (progress_) progress_(written_);
  }
}

void ShardWriter::write(const fs::path& path, const PlannedShard& shard) {
  StreamedFile file(path);
  const std::string header = safetensors_bytes(header_text(shard), {});
  file.write(std::as_bytes(std::span(header)));
  for (const PlannedTensor& tensor : shard.tensors) {
    if (is_hole(tensor, options_.holes)) {
      file.skip(tensor.bytes());
    } else {
      write_values(file, tensor);
    }
  }
  file.close();
}

std::vector<PlannedTensor> plan(const FullWidthOptions& options) {
  return plan_tensors(parse_model_config(options.config.dump(), "config.json"), options.storage);
}

std::string config_text(const FullWidthOptions& options) {
  nlohmann::ordered_json config = options.config;
  if (options.storage.dtype == DType::f8_e4m3) {
    config["quantization_config"] = {
        {"fmt", "e4m3"}, {"quant_method", "fp8"}, {"weight_block_size", {scale_block, scale_block}}};
  }
  return config.dump(2) + "\n";
}

void write_index(const fs::path& path, const std::vector<PlannedShard>& shards) {
  nlohmann::json index = {{"metadata", {{"total_size", 0}}}, {"weight_map", nlohmann::json::object()}};
  std::uint64_t total_size = 0;
  for (const PlannedShard& shard : shards) {
    total_size += shard.bytes();
    for (const PlannedTensor& tensor : shard.tensors) index["weight_map"][tensor.name] = shard.name;
  }
  index["metadata"]["total_size"] = total_size;
  write_file(path, index.dump(2) + "\n");
}

}  // namespace

std::uint64_t PlannedShard::bytes() const {
  std::uint64_t sum = 0;
  for (const PlannedTensor& tensor : tensors) sum += tensor.bytes();
  return sum;
}

std::vector<PlannedShard> plan_shards(const FullWidthOptions& options) {
  std::vector<PlannedShard> shards(1);
  std::uint64_t used = 0;  // of the last shard
  for (PlannedTensor& tensor : plan(options)) {
    const std::uint64_t bytes = tensor.bytes();
    if (used > 0 && used + bytes > options.shard_bytes) {
      shards.emplace_back();
      used = 0;
    }
    used += bytes;
    shards.back().tensors.push_back(std::move(tensor));
  }
  for (std::size_t i = 0; i < shards.size(); ++i) {
    shards[i].name = shard_name(i, shards.size());
    std::sort(shards[i].tensors.begin(), shards[i].tensors.end(), lies_before);
  }
  return shards;
}

std::uint64_t stored_bytes(const FullWidthOptions& options) {
  std::uint64_t sum = 0;
  for (const PlannedTensor& tensor : plan(options)) {
    if (!is_hole(tensor, options.holes)) sum += tensor.bytes();
  }
  return sum;
}

void require_free_space(const fs::path& directory, std::uint64_t bytes) {
  fs::path existing = fs::absolute(directory);
  while (!fs::exists(existing)) existing = existing.parent_path();
  const std::uint64_t available = fs::space(existing).available;
  if (available >= bytes) return;
  throw std::system_error(ENOSPC, std::generic_category(),
                          directory.string() + ": needs " + gigabytes(bytes) + ", the disk has " +
                              gigabytes(available) + " free");
}

void write_full_width_checkpoint(const fs::path& directory, const FullWidthOptions& options,
                                 const WriteProgress& progress) {
  require_free_space(directory, stored_bytes(options));
  fs::create_directories(directory);
  const std::vector<PlannedShard> shards = plan_shards(options);
  ShardWriter writer(options, progress);
  for (const PlannedShard& shard : shards) writer.write(directory / shard.name, shard);
  if (shards.size() > 1) write_index(directory / "model.safetensors.index.json", shards);
  write_file(directory / "config.json", config_text(options));
}

}  // namespace moescope
