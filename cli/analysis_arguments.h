#pragma once
/// What `analyze` and `compare` share: the options of an analysis, and how it is shown while it runs.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "analysis/runs/series_analysis.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/scope_arguments.h"

namespace moescope {

/// Options as they are typed.
struct AnalysisArguments {
  std::vector<std::string> corpus;  // [DOMAIN=]FILE
  CorpusOptions corpus_options;
  ScopeArguments scope;
  std::uint64_t threads = 0, memory = 0;

  /// What every command has that runs or plans an analysis; the rest of the scope is declared apart.
  void declare(CommandLine& line);
  /// Whether any option was given that the numbers depend on, besides the corpus.
  bool changes_numbers() const;
  /// With the corpus, the scope and the resources filled in. Throws UsageError.
  AnalysisOptions options() const;
};

/// For commands that declare SERIES as what may be absent. Throws UsageError, with what may have taken it.
void require_series(const std::vector<std::string>& series, const CommandLine& line);

/// Shows an analysis on the terminal: a progress bar, notes as lines of their own, stages with --verbose.
class AnalysisDisplay : public AnalysisListener {
 public:
  explicit AnalysisDisplay(const CommonOptions& common);
  void begin(std::uint64_t total_bytes) override;
  void stage(const std::string& label) override;
  void advance(std::uint64_t bytes) override;
  void note(const std::string& message) override;
  /// Takes the progress bar away.
  void end() { bar_.clear(); }

 private:
  void line(const std::string& text);
  void draw();

  CommonOptions common_;
  ProgressBar bar_;
  std::string label_;
  std::uint64_t total_ = 0, done_ = 0;  // bytes
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace moescope
