#include "analysis/comparison/checkpoint_comparison.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "analysis/runs/opened_series.h"
#include "readers/errors.h"
#include "readers/model/role.h"
#include "readers/storage/dtype.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

// A directory that goes with its owner, where TMPDIR says, else in /tmp.
struct TemporaryDirectory {
  fs::path path;
  TemporaryDirectory() {
    const char* wanted = std::getenv("TMPDIR");
    const bool is_set = wanted != nullptr && *wanted != '\0';
    const std::string place = is_set ? wanted : "/tmp";
    std::string name = (fs::path(place) / "moescope-XXXXXX").string();
    if (!mkdtemp(name.data()))
      throw_errno((is_set ? "TMPDIR: " : "") + place, "cannot make a temporary directory there");
    path = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
};

/// Which has rows that are not compared; empty if none has.
std::string vocabulary_note(const OpenedSeries& series) {
  if (series.whole.empty()) return {};
  const std::int64_t shared = series.vocabulary();
  const std::size_t larger = series.config().vocab_size == shared ? 1 : 0;
  const std::int64_t more = series.checkpoints[larger].config().vocab_size - shared;
  const bool has_head = series.model(larger).find({Role::head}) != nullptr;
  return series.entries[larger].name + " has " + std::to_string(more) + (more == 1 ? " row" : " rows") +
         " more in the embedding" + (has_head ? " and the head" : "") + ": the first " +
         std::to_string(shared) + " are compared";
}

std::string storage_of(const Weight& weight) {
  const std::string type(dtype_name(weight.dtype));
  if (!weight.scales) return type;
  const StoredScales& scales = *weight.scales;
  if (weight.dtype == DType::f4) return "MXFP4";
  if (scales.block_rows == 1 && scales.block_cols == weight.cols) return type + " with a scale for each row";
  return type + " with a scale for each block of " + std::to_string(scales.block_rows) + " x " +
         std::to_string(scales.block_cols);
}

/// Roles in canonical order.
std::vector<StorageChange> storage_changes(const OpenedSeries& series) {
  std::map<std::tuple<RoleGroup, std::string, std::string>, StorageChange> changes;
  const auto before = series.weights[0].all(), after = series.weights[1].all();
  for (std::size_t w = 0; w < before.size(); ++w) {
    const RoleGroup group = role_group(before[w].key.role);
    const std::string from = storage_of(before[w]), to = storage_of(after[w]);
    if (from == to) continue;
    StorageChange& change = changes[{group, from, to}];
    change = {std::string(role_group_name(group)), from, to, change.weights + 1, before[w].scales.has_value(),
              after[w].scales.has_value()};
  }
  std::vector<StorageChange> list;
  for (const auto& [key, change] : changes) list.push_back(change);
  return list;
}

/// Whether there are weights that both store alike, and every one of them is where it was.
bool rest_is_unmoved(const OpenedSeries& series, const std::vector<WeightChange>& tensors) {
  std::set<std::string> alike;
  const auto before = series.weights[0].all(), after = series.weights[1].all();
  for (std::size_t w = 0; w < before.size(); ++w)
    if (storage_of(before[w]) == storage_of(after[w])) alike.insert(before[w].name);
  return !alike.empty() && std::ranges::all_of(tensors, [&](const WeightChange& tensor) {
    return is_unmoved(tensor) || !alike.contains(tensor.name);
  });
}

/// What the run file of the two does not hold.
void add_storage(const OpenedSeries& series, RunComparison& comparison) {
  if (std::string note = vocabulary_note(series); !note.empty())
    comparison.notes.insert(comparison.notes.begin(), std::move(note));
  comparison.storage = storage_changes(series);
  comparison.is_stored_anew = !comparison.storage.empty() && rest_is_unmoved(series, comparison.tensors);
}

}  // namespace

std::optional<RunComparison> compare_checkpoints(const fs::path& before, const fs::path& after,
                                                 AnalysisOptions options, AnalysisListener& listener) {
  const TemporaryDirectory directory;
  // Which is the first, and whether they are one, is the caller's wish: the notes on it are no news.
  options.inputs.series = find_series({before, after}).entries;
  if (options.inputs.series.size() == 1) {
    options.inputs.series.push_back(options.inputs.series.front());
    options.inputs.series.back().name += "#2";
  }
  options.output.file = directory.path / "run.h5";
  options.scope.forward = !options.inputs.corpus.empty();
  options.scope.spectra = SpectraChoice::none;  // they are not shown, and would take longer than all the rest
  options.scope.sketches = false;
  const OpenedSeries series =
      open_series(options.inputs.series, options.inputs.notes, Vocabularies::in_common);
  if (!analyze_series(options, series, listener).complete) return std::nullopt;
  RunComparison comparison =
      compare_in_run(RunFile::open(options.output.file), series.entries[0].name, series.entries[1].name);
  add_storage(series, comparison);
  return comparison;
}

}  // namespace moescope
