/// make_checkpoint: writes random checkpoints of any shape, the real one of dots.llm1 by default.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
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
  std::int64_t CheckpointOptions::*field;
  std::uint64_t minimum;
  const char* meaning;
};

constexpr ShapeOption shape_options[] = {
    {"layers", &CheckpointOptions::num_hidden_layers, 1, "decoder layers (62)"},
    {"dense-layers", &CheckpointOptions::first_k_dense_replace, 0,
     "how many of them, the first, are dense (1)"},
    {"width", &CheckpointOptions::hidden_size, 1, "hidden size (4096)"},
    {"heads", &CheckpointOptions::num_attention_heads, 1, "attention heads (32)"},
    {"kv-heads", &CheckpointOptions::num_key_value_heads, 1, "key and value heads (as many as heads)"},
    {"head-dim", &CheckpointOptions::head_dim, 2, "elements of a head (width / heads)"},
    {"dense-width", &CheckpointOptions::intermediate_size, 1, "intermediate size of a dense layer (10944)"},
    {"expert-width", &CheckpointOptions::moe_intermediate_size, 1, "intermediate size of an expert (1408)"},
    {"experts", &CheckpointOptions::n_routed_experts, 1, "routed experts of a layer (128)"},
    {"shared-experts", &CheckpointOptions::n_shared_experts, 0, "shared experts of a layer (2)"},
    {"top-k", &CheckpointOptions::num_experts_per_tok, 1, "routed experts a token takes (6)"},
    {"vocabulary", &CheckpointOptions::vocab_size, 1, "token ids (152064)"},
};

constexpr char description[] =
    "Writes a checkpoint of random weights in Hugging Face layout, bf16. Without options it has the shape of "
    "dots.llm1: 62 layers, 285.5 GB. The same options give the same bytes.";
constexpr char example[] =
    "make_checkpoint --layers 8 --vocabulary 8192 cold8     35 GB, larger than memory\n"
    "make_checkpoint --sparse dots1                         285.5 GB that take 2.6 GB of disk\n"
    "make_checkpoint --layers 2 --vocabulary 8192 --corpus ids.npy --tokens 16384 warm2";

// Numbers of the shape arrive unsigned; zero where the option was not given.
bool parse(const Arguments& arguments, Options& options) {
  CommandLine line({"make_checkpoint", "[options] DIR", description, example, ""});
  std::vector<std::uint64_t> shape;
  CheckpointOptions& model = options.checkpoint.model;
  model.num_key_value_heads = 0;
  for (const ShapeOption& option : shape_options) {
    shape.push_back(static_cast<std::uint64_t>(model.*option.field));
  }
  for (std::size_t i = 0; i < shape.size(); ++i) {
    line.number(shape_options[i].name, "N", &shape[i], shape_options[i].minimum, shape_options[i].meaning);
  }
  line.number("seed", "N", &model.seed, 0, "seed of all values (1)");
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
  for (std::size_t i = 0; i < shape.size(); ++i) {
    model.*shape_options[i].field = static_cast<std::int64_t>(shape[i]);
  }
  if (model.num_key_value_heads == 0) model.num_key_value_heads = model.num_attention_heads;
  if (options.sparse) options.checkpoint.holes = Holes::projections;
  return true;
}

// What would be no dots1 model, in terms of the options.
void check(Options& options) {
  const CheckpointOptions& model = options.checkpoint.model;
  const auto require = [](bool holds, const char* problem) {
    if (!holds) throw UsageError(problem);
  };
  require(model.head_dim != 0 || model.hidden_size % model.num_attention_heads == 0,
          "--width: expected a multiple of --heads, or --head-dim");
  require(model.num_attention_heads % model.num_key_value_heads == 0,
          "--heads: expected a multiple of --kv-heads");
  require(model.num_experts_per_tok <= model.n_routed_experts, "--top-k: expected at most --experts");
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
    const CheckpointOptions& model = options.checkpoint.model;
    write_random_corpus(options.corpus, options.tokens / length, length, model.vocab_size, model.seed);
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
