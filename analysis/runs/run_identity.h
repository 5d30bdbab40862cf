#pragma once
/// What makes two analyses the same one.

#include <map>
#include <string>

#include "analysis/runs/analysis_options.h"
#include "analysis/runs/run_subject.h"
#include "readers/corpus/corpus.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// Everything on which the numbers of a run depend, in words: two analyses with equal identities give the
/// same bytes. Stored as attributes of /status; a run is continued only where all are equal.
using RunIdentity = std::map<std::string, std::string>;
RunIdentity run_identity(const AnalysisOptions& options, const RunSubject& subject, const Corpus& corpus,
                         Precision precision);

void write_identity(RunFile& run, const RunIdentity& identity);
/// As it was written; what is not there is missing.
RunIdentity read_identity(const RunFile& run);

/// The options that make such an identity, as far as it tells them; no series, no corpus, no output.
AnalysisOptions recorded_options(const RunIdentity& identity);

/// The first thing in which the analysis recorded in `run` differs from `identity`, for people: "checkpoint
/// '05T' has changed since", "precision: recorded bf16, now f32". Empty: the same analysis.
std::string identity_difference(const RunFile& run, const RunIdentity& identity, const RunSubject& subject);

/// Of names and contents: what identity["checkpoints"] is.
std::string checkpoints_digest(const RunSubject& subject);

/// One word for an identity.
std::string identity_digest(const RunIdentity& identity);

/// "f32" or "bf16".
std::string precision_name(Precision precision);

}  // namespace moescope
