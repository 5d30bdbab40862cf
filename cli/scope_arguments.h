#pragma once
/// The options on which the numbers of an analysis depend: each is declared here, for every command that has
/// it.

#include <string>
#include <vector>

#include "analysis/runs/analysis_scope.h"
#include "cli/options.h"

namespace moescope {

/// The scope as it is typed. What declares an option keeps this until the command line is parsed.
struct ScopeArguments {
  AnalysisScope scope;
  std::vector<std::string> saved;  // words of --save: it may have taken an argument, which is told first

  /// --precision: for all commands that run a model.
  void declare_precision(CommandLine& line);
  /// --only, --spectra, --no-sketches and --save: for commands that measure or plan a whole series.
  void declare(CommandLine& line);
  /// --part.
  void declare_part(CommandLine& line);

  /// Throws UsageError for a word of --save that is none.
  AnalysisScope parsed() const;
};

}  // namespace moescope
