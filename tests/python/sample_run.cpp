/// Writes a run file with every dataset of the raw record: sample_run FILE. Sizes differ, so that no two
/// dimensions can be mixed up; values count up.

#include <cstdio>
#include <exception>
#include <numeric>

#include "readers/run_file/run_file.h"
#include "readers/schema/datasets.h"
#include "readers/schema/run_schema.h"

namespace moescope {
namespace {

using Texts = std::vector<std::string>;

std::vector<std::int64_t> numbers(std::int64_t first, std::size_t size) {
  std::vector<std::int64_t> values(size);
  std::iota(values.begin(), values.end(), first);
  return values;
}

void define_dimensions(RunFile& run) {
  run.define_dimension(raw_dataset(dataset::checkpoint), Texts{"00T", "05T", "größer"});
  run.define_dimension(raw_dataset(dataset::other_checkpoint), Texts{"00T", "05T", "größer"});
  run.define_dimension(raw_dataset(dataset::domain), Texts{"c", "math, old", "prose", "Python"});
  run.define_dimension(raw_dataset(dataset::layer), numbers(0, 6));
  run.define_dimension(raw_dataset(dataset::moe_layer), numbers(1, 5));
  run.define_dimension(raw_dataset(dataset::expert), numbers(0, 16));
  run.define_dimension(raw_dataset(dataset::other_expert), numbers(0, 16));
  run.define_dimension(raw_dataset(dataset::tensor), Texts{"a", "b", "c", "d", "e", "f", "g"});
  run.define_dimension(raw_dataset(dataset::pass_part),
                       Texts{"embedding", "layer 0", "layer 1", "layer 2", "layer 3", "layer 4", "layer 5",
                             "layer 6", "layer 7", "layer 8", "layer 9", "head"});
  run.define_dimension(raw_dataset(dataset::role), Texts{"router", "norm"});
  run.define_dimension(raw_dataset(dataset::component), numbers(1, 2));
  run.define_dimension(raw_dataset(dataset::probability), std::vector<double>{0.25, 0.5, 0.75});
  run.define_dimension(raw_dataset(dataset::step_bin), numbers(-6, 13));
  run.define_dimension(raw_dataset(dataset::quantile),
                       std::vector<double>{0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1});
  run.define_dimension("token", 500);
  run.define_dimension("rank", 9);
  run.define_dimension("hidden_unit", 10);
  run.define_dimension("vocabulary", 11);
  run.define_dimension("magnitude", 14);
  run.define_dimension("sketch_element", 15);
  run.define_dimension("checkpoint_step", 2);
  run.define_dimension("other_checkpoint_step", 2);
  run.define_dimension("note", 16);
}

void write_counting_up(RunFile& run, const std::string& path) {
  std::size_t size = 1;
  for (const std::uint64_t extent : run.shape(path)) size *= extent;
  const ElementType type = run.describe(path).type;
  if (type == ElementType::text) return run.write<std::string>(path, Texts(size, "größer"));
  if (type == ElementType::i8) return run.write<std::int64_t>(path, numbers(0, size));
  if (type != ElementType::f4 && type != ElementType::f8) return;  // 0, as if never written
  std::vector<float> values(size);
  std::iota(values.begin(), values.end(), 0.5f);
  run.write<float>(path, values);
}

void write_sample(const std::string& path) {
  RunFile run = RunFile::create(path);
  for (const char* name :
       {"moescope_version", "command_line", "model_type", "precision", "corpus_sha256", "tokenizer_sha256"}) {
    run.set_attribute("/", name, std::string("sample"));
  }
  define_dimensions(run);
  for (const DatasetSpec& spec : raw_datasets()) {
    if (run.contains(spec.path)) continue;
    DatasetSpec sample = spec;
    if (spec.path == dataset::notes) sample.text_bytes = 64;
    run.define(sample);
    write_counting_up(run, spec.path);
  }
  run.flush();
}

}  // namespace
}  // namespace moescope

int main(int argument_count, char** arguments) {
  if (argument_count != 2) return 2;
  try {
    moescope::write_sample(arguments[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
