#include "analysis/comparison/checkpoint_comparison.h"

#include <cstdlib>
#include <string>

#include "readers/errors.h"

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
  if (!analyze_series(options, listener).complete) return std::nullopt;
  const std::vector<SeriesEntry>& series = options.inputs.series;
  return compare_in_run(RunFile::open(options.output.file), series[0].name, series[1].name);
}

}  // namespace moescope
