#pragma once
/// Checkpoints of any family and size, up to hundreds of gigabytes, written in constant memory. They open
/// like real ones, and a forward pass through them gives finite, lively numbers: random weights of the size
/// that keeps activations near 1, random routers, so that experts are used about equally but not evenly.
///
/// Layout: as transformers' save_pretrained leaves it. Tensors are dealt out to shards in canonical order
/// (embedding, layers ascending, final norm, head), a new shard whenever the next tensor would make the
/// current one too large; inside a shard they are sorted by dtype, larger first, then by name, so that expert
/// 10 comes before expert 2 and down_proj before gate_proj.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/checkpoint_plan.h"
#include "tests/support/released_shape.h"

namespace moescope {

/// What is left out of the files: it reads as zeros and takes no disk.
enum class Holes {
  none,
  projections,  // of attention and MLPs: embedding, head, norms, routers and biases remain
  all,          // every tensor: only the headers remain
};

struct FullWidthOptions {
  nlohmann::ordered_json config = released_shape("dots1");
  PlannedStorage storage;  // bf16, f32 or f8_e4m3
  std::uint64_t seed = 1;
  std::uint64_t shard_bytes = 5'000'000'000;  // of tensors, at most, unless one alone is larger
  Holes holes = Holes::none;
  std::size_t changes =
      0;  // the number of this checkpoint in a series: each is the one before plus a random ...
  double change = 0.01;  // ... tensor of this size, relative to the tensor's standard deviation
};

struct PlannedShard {
  std::string name;
  std::vector<PlannedTensor> tensors;  // as they lie in the file

  std::uint64_t bytes() const;  // of tensors, holes included
};
std::vector<PlannedShard> plan_shards(const FullWidthOptions& options);

/// Bytes of tensors that are not holes: what will lie on the disk, but for headers.
std::uint64_t stored_bytes(const FullWidthOptions& options);

/// Told the bytes of tensors written so far, holes excluded, every few MiB.
using WriteProgress = std::function<void(std::uint64_t bytes)>;

/// The same options give the same bytes; a tensor's values depend on nothing but the seed and its name. Makes
/// the directory; config.json comes last, so that what was interrupted is no checkpoint. Throws
/// std::system_error, also when the disk has not enough room or a file is there already.
void write_full_width_checkpoint(const std::filesystem::path& directory, const FullWidthOptions& options,
                                 const WriteProgress& progress = {});

/// Throws std::system_error when the file system of `directory` (which need not exist) has less room.
void require_free_space(const std::filesystem::path& directory, std::uint64_t bytes);

}  // namespace moescope
