#pragma once
/// The run files that are to be joined: whether they fit together, and where each has its place in the whole.

#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "analysis/record/run_copy.h"
#include "analysis/runs/analysis_scope.h"
#include "analysis/runs/run_subject.h"
#include "readers/corpus/corpus.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// One of the files to be joined, and where its parts have their place.
struct MergePart {
  RunFile run;
  RunSubject subject;
  AnalysisScope scope;
  std::optional<Corpus> corpus = {};                           // of its forward passes
  std::vector<std::uint8_t> forward_done = {};                 // (C)
  std::vector<std::uint8_t> tensor_done = {}, pair_done = {};  // (W), (C, C); empty without a weight pass
  Places checkpoint = {}, token = {}, domain = {};             // in the joined run; every index has one
  std::size_t corpus_number = 0;                               // among the different ones

  bool has_forward() const { return corpus.has_value(); }
  bool has_weights() const { return !tensor_done.empty(); }
  std::string file() const { return run.path().string(); }
};

/// `count` neighbours from `first` on.
Places shifted(std::size_t count, std::size_t first);

struct MergeParts {
  std::deque<MergePart> parts;  // as they were given
  RunSubject subject;           // all checkpoints, once each, in training order
  Corpus corpus;                // the different ones, one after the other
  std::size_t corpora = 0;      // how many of them
  AnalysisScope scope;          // of an analysis that would give the whole
};

/// Throws FormatError, naming the file and what does not fit: another model, other options, a checkpoint or a
/// domain that is not the one of that name, a part of another division or one that was given before.
MergeParts open_merge_parts(const std::vector<std::filesystem::path>& paths);

}  // namespace moescope
