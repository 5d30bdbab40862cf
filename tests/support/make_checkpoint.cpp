/// make_checkpoint: writes random checkpoints in the shape of released models, whole or cut.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "readers/errors.h"
#include "tests/support/full_width_checkpoint.h"
#include "tests/support/random_corpus.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

struct Options {
  std::vector<std::string> positional;  // DIR
  FullWidthOptions checkpoint;
  std::uint64_t checkpoints = 1;
  std::string change = "0.01";
  std::string corpus;
  std::uint64_t tokens = 4096, sequence_length = 2048;
  bool sparse = false, overwrite = false, quiet = false;
};

/// An option for one number of the model's shape.
struct ShapeOption {
  const char* name;
  const char* field;  // of ModelConfig, but for the dense layers'
  std::uint64_t minimum;
  const char* meaning;
};

constexpr ShapeOption shape_options[] = {
    {"layers", "num_hidden_layers", 1, "decoder layers"},
    {"dense-layers", "first_k_dense_replace", 0, "how many of them, the first, are dense"},
    {"width", "hidden_size", 1, "hidden size"},
    {"heads", "num_attention_heads", 1, "attention heads"},
    {"kv-heads", "num_key_value_heads", 1, "key and value heads"},
    {"head-dim", "head_dim", 2, "elements of a head"},
    {"dense-width", "intermediate_size", 1, "intermediate size of a dense layer"},
    {"expert-width", "moe_intermediate_size", 1, "intermediate size of an expert"},
    {"experts", "n_routed_experts", 1, "routed experts of a layer"},
    {"shared-experts", "n_shared_experts", 0, "shared experts of a layer"},
    {"top-k", "num_experts_per_tok", 1, "routed experts a token takes"},
    {"vocabulary", "vocab_size", 1, "token ids"},
};
constexpr std::uint64_t not_given = std::uint64_t{1} << 62;
using ShapeNumbers = std::array<std::uint64_t, std::size(shape_options)>;

constexpr char description[] =
    "Writes a checkpoint of random weights in Hugging Face layout, in the shape of a released model or one cut "
    "from it. The same options give the same bytes.";
constexpr char example[] =
    "make_checkpoint --layers 8 --vocabulary 8192 cold8     35 GB, larger than memory\n"
    "make_checkpoint --sparse dots1                         285.5 GB that take 2.6 GB of disk\n"
    "make_checkpoint --layers 2 --vocabulary 8192 --corpus ids.npy --tokens 16384 warm2\n"
    "make_checkpoint --shape deepseek_v3 --storage fp8 --layers 2 --dense-layers 1 --experts 32 latent2";

void set_storage(const std::string& name, PlannedStorage& storage) {
  if (name != "bf16" && name != "fp8")
    throw UsageError("--storage: expected bf16 or fp8, found '" + name + "'");
  storage.dtype = name == "fp8" ? DType::f8_e4m3 : DType::bf16;
}

/// What would be no model is refused where the configuration is parsed.
void set_shape(const std::string& shape, const ShapeNumbers& numbers, nlohmann::ordered_json& config) {
  config = released_shape(shape);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto& [name, field, minimum, meaning] = shape_options[i];
    if (numbers[i] != not_given && !resize(config, field, static_cast<std::int64_t>(numbers[i])))
      throw UsageError("--" + std::string(name) + ": the shape has no such size");
  }
}

bool parse(const Arguments& arguments, Options& options) {
  CommandLine line({"make_checkpoint", "[options] DIR", description, example, ""});
  std::string shape = "dots1", storage = "bf16";
  ShapeNumbers numbers;
  numbers.fill(not_given);
  line.text("shape", "NAME", &shape, "the released model: " + shape_names() + " (dots1)");
  line.text("storage", "TYPE", &storage, "bf16, or fp8: projections in F8_E4M3 with scales of blocks (bf16)");
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    line.number(shape_options[i].name, "N", &numbers[i], shape_options[i].minimum, shape_options[i].meaning);
  }
  line.number("seed", "N", &options.checkpoint.seed, 0, "seed of all values (1)");
  line.size("shard-size", &options.checkpoint.shard_bytes, "bytes of tensors in one shard, at most (5GB)");
  line.flag("sparse", &options.sparse,
            "projections of attention and MLPs are holes: zeros that take no disk; the rest is real");
  line.number("checkpoints", "N", &options.checkpoints, 1,
              "make a series: DIR/01T, DIR/02T, …, each the one before plus a small random change");
  line.text("change", "X", &options.change,
            "standard deviation of that change, relative to the weights' own (0.01)");
  line.text("corpus", "FILE.npy", &options.corpus, "also write random token ids, int32 [sequences, length]");
  line.number("tokens", "N", &options.tokens, 1, "how many token ids (4096)");
  line.number("sequence-length", "N", &options.sequence_length, 1, "tokens of a sequence of them (2048)");
  line.flag("overwrite", &options.overwrite, "replace the checkpoints that are in DIR");
  line.flag("quiet,q", &options.quiet, "print only errors");
  line.positional("DIR", &options.positional, 1, 1);
  if (!line.parse(arguments)) return false;
  set_shape(shape, numbers, options.checkpoint.config);
  set_storage(storage, options.checkpoint.storage);
  if (options.sparse) options.checkpoint.holes = Holes::projections;
  return true;
}

void check(Options& options) {
  const auto require = [](bool holds, const char* problem) {
    if (!holds) throw UsageError(problem);
  };
  require(options.corpus.empty() || options.tokens % std::min(options.tokens, options.sequence_length) == 0,
          "--tokens: expected a multiple of --sequence-length");
  char* end = nullptr;
  options.checkpoint.change = std::strtod(options.change.c_str(), &end);
  require(end != options.change.c_str() && *end == '\0' && options.checkpoint.change >= 0,
          "--change: expected a number of at least 0");
}

bool is_checkpoint_file(const fs::path& file) {
  return file.extension() == ".safetensors" || file.filename() == "config.json" ||
         file.filename() == "model.safetensors.index.json";
}

void prepare(const fs::path& directory, bool overwrite) {
  if (!fs::exists(directory) || fs::is_empty(directory)) return;
  if (!overwrite) {
    throw UsageError(directory.string() + ": is not empty", "--overwrite replaces the checkpoint in it");
  }
  std::vector<fs::path> old;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (is_checkpoint_file(entry.path())) old.push_back(entry.path());
  }
  for (const fs::path& file : old) fs::remove(file);
}

// 0 -> "01T"
std::string series_name(std::size_t checkpoint) {
  char name[32];
  std::snprintf(name, sizeof name, "%02zuT", checkpoint + 1);
  return name;
}

std::vector<fs::path> directories(const Options& options) {
  const fs::path directory = options.positional.front();
  if (options.checkpoints == 1) return {directory};
  std::vector<fs::path> result;
  for (std::size_t i = 0; i < options.checkpoints; ++i) result.push_back(directory / series_name(i));
  return result;
}

void write_checkpoints(Options& options) {
  const std::vector<fs::path> targets = directories(options);
  for (const fs::path& target : targets) prepare(target, options.overwrite);
  const std::uint64_t each = stored_bytes(options.checkpoint), all = each * targets.size();
  require_free_space(targets.front(), all);
  const auto start = std::chrono::steady_clock::now();
  ProgressBar bar(options.quiet);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    options.checkpoint.changes = i;
    write_full_width_checkpoint(targets[i], options.checkpoint, [&](std::uint64_t bytes) {
      const auto written = static_cast<double>(i * each + bytes);
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      bar.update(targets[i].filename().string(), written / static_cast<double>(all),
                 format_bytes(written / seconds) + "/s");
    });
  }
}

void summarize(const Options& options) {
  const std::vector<PlannedShard> shards = plan_shards(options.checkpoint);
  std::uint64_t tensors = 0, bytes = 0;
  for (const PlannedShard& shard : shards) {
    tensors += shard.tensors.size();
    bytes += shard.bytes();
  }
  std::cout << options.positional.front() << ": " << options.checkpoints << " x " << tensors << " tensors in "
            << shards.size() << " shards, " << format_bytes(static_cast<double>(bytes)) << ", of which "
            << format_bytes(static_cast<double>(stored_bytes(options.checkpoint))) << " are not holes\n";
}

void run(const Arguments& arguments) {
  Options options;
  if (!parse(arguments, options)) return;
  check(options);
  write_checkpoints(options);
  if (!options.corpus.empty()) {
    const std::size_t length = std::min(options.tokens, options.sequence_length);
    write_random_corpus(options.corpus, options.tokens / length, length,
                        options.checkpoint.config.at("vocab_size"), options.checkpoint.seed);
  }
  if (!options.quiet) summarize(options);
}

int fail(int code, const std::string& message) {
  std::cerr << "make_checkpoint: " << message << '\n';
  return code;
}

}  // namespace
}  // namespace moescope

int main(int argc, char** argv) try {
  moescope::run({argv + (argc > 0 ? 1 : 0), argv + argc});
  return 0;
} catch (const moescope::UsageError& error) {
  return moescope::fail(2, error.what() + (error.hint().empty() ? "" : "\nhint: " + error.hint()));
} catch (const std::exception& error) {
  return moescope::fail(1, error.what());
}
