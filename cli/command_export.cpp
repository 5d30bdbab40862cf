#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command_functions.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "readers/errors.h"
#include "readers/files/output_file.h"
#include "readers/run_file/run_file.h"
#include "readers/table/run_table.h"
#include "readers/text/json_text.h"

namespace moescope {
namespace {

struct Options {
  std::vector<std::string> positional;  // run.h5, METRIC
  std::string format = "csv";
  std::string output = "-";
  std::string wide;  // a dimension; empty: the table is long
  TableSelection selection;
  bool list = false;
  CommonOptions common;
};

bool parse(const Arguments& arguments, Options& options) {
  CommandLine line(
      {"export", "run.h5 METRIC [options]\n       moescope export run.h5 --list",
       "Prints any dataset or metric of a run file as a long table: one column per dimension, one for the "
       "value, one row per element. METRIC is a name such as max_violation or a path such as "
       "/routing/expert_count; --list names them all. The options --checkpoint, --domain, --layer and "
       "--expert keep only those values and may be repeated.\n"
       "\n"
       "With --wide, the values of one dimension stand beside each other: a column for each of its labels. "
       "Labels that are words name their column; numbers follow the name of the dimension, as in "
       "moe_layer_3.",
       "moescope export build/demo/run.h5 max_violation --checkpoint tiny-dots1-05T\n"
       "moescope export build/demo/run.h5 max_violation --domain c --layer 1 3 --wide checkpoint\n"
       "moescope export build/demo/run.h5 loss --format json -o loss.json"});
  line.positional("run.h5 METRIC", &options.positional, 1, 2);
  line.choice("format", {"csv", "tsv", "json"}, &options.format, "default csv; json is an array of objects");
  line.text("wide", "DIMENSION", &options.wide, "one column for each label of this dimension");
  line.text("output,o", "FILE", &options.output, "write to FILE (default -, standard output)");
  for (const char* dimension : {"checkpoint", "domain", "layer", "expert"}) {
    line.list(dimension, "NAME...", &options.selection[dimension],
              std::string("keep only these, by their ") + dimension);
  }
  line.flag("list", &options.list, "name all datasets and metrics, with dimensions and meaning");
  line.common(&options.common);
  if (!line.parse(arguments)) return false;
  if (options.list && options.output != "-") throw UsageError("--list and --output exclude each other");
  std::erase_if(options.selection, [](const auto& entry) { return entry.second.empty(); });
  if (!options.list && options.positional.size() < 2) {
    const std::string swallowed = line.swallowing_hint();
    throw UsageError(
        "the name of a metric is missing",
        swallowed.empty() ? "moescope export " + options.positional[0] + " --list names them" : swallowed);
  }
  return true;
}

TableFormat table_format(const std::string& name) {
  if (name == "json") return TableFormat::json;
  return name == "tsv" ? TableFormat::tsv : TableFormat::csv;
}

std::string dimensions_text(const RunFile& run, const DatasetSpec& spec) {
  const auto shape = run.shape(spec.path);
  std::string text;
  for (std::size_t i = 0; i < spec.dimensions.size(); ++i) {
    text += (i > 0 ? ", " : "") + spec.dimensions[i] + " " + std::to_string(shape[i]);
  }
  return "[" + text + "]";
}

void list_datasets(const RunFile& run, const Options& options) {
  if (options.format == "json") {
    nlohmann::ordered_json json = nlohmann::ordered_json::array();
    for (const std::string& path : run.datasets()) {
      const DatasetSpec spec = run.describe(path);
      json.push_back({{"path", path},
                      {"dimensions", spec.dimensions},
                      {"shape", run.shape(path)},
                      {"unit", spec.unit},
                      {"long_name", spec.long_name},
                      {"description", spec.description},
                      {"source", spec.source}});
    }
    std::cout << json_text(json);
    return;
  }
  for (const std::string& path : run.datasets()) {
    const DatasetSpec spec = run.describe(path);
    const std::string unit = spec.unit.empty() || spec.unit == "1" ? "" : " (" + spec.unit + ")";
    std::cout << bold(path) << " " << dimensions_text(run, spec) << "\n    " << spec.long_name << unit << ": "
              << wrapped(spec.description, 4, 100) << '\n';
  }
}

}  // namespace

ExitCode run_export(const Arguments& arguments) {
  Options options;
  if (!parse(arguments, options)) return exit_done;
  const OutputTarget output = find_output(options.output);
  require_not_among(output, std::vector<std::filesystem::path>{options.positional[0]});
  const RunFile run = RunFile::open(options.positional[0]);
  if (options.list) {
    list_datasets(run, options);
    return exit_done;
  }
  const std::string path = find_dataset(run, options.positional[1]);
  OutputFile file(output);
  write_table(run, path, options.selection, table_format(options.format), file.stream(), options.wide);
  file.publish();
  return exit_done;
}

}  // namespace moescope
