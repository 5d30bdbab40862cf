#pragma once
/// What makes two analyses the same one: the scope, as a run file keeps it.

#include <string>

#include "analysis/runs/analysis_scope.h"
#include "analysis/runs/run_subject.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// Each field is an attribute of /status; a run is continued only where all are equal.
void write_scope(RunFile& run, const AnalysisScope& scope);
/// A field that the file does not have is not asked for. Throws FormatError for a text that is none.
AnalysisScope read_scope(const RunFile& run);

/// The first thing in which the analysis recorded in `run` differs from one of `scope`, for people:
/// "checkpoint '05T' has changed since", "precision: recorded bf16, now f32". Empty: the same analysis.
std::string identity_difference(const RunFile& run, const AnalysisScope& scope, const RunSubject& subject);

/// Of names and contents: what scope.checkpoints is.
std::string checkpoints_digest(const RunSubject& subject);

/// One word for a scope.
std::string identity_digest(const AnalysisScope& scope);

/// Whether all fields are told alike.
bool is_same_scope(const AnalysisScope& a, const AnalysisScope& b);

}  // namespace moescope
