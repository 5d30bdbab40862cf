#pragma once
/// What was noted while a run was made: told, and kept in /notes of the run file.

#include <cstddef>
#include <string>
#include <vector>

#include "analysis/runs/analysis_listener.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// Which row of /notes has what. All of its space is reserved before the first pass: first come the notes
/// that are known by then, then a row for each warning that a pass may give, then some for whatever else
/// comes. The place of a warning does not depend on when it was given, so that a run in parts ends like one
/// at once.
struct NoteRows {
  std::size_t known = 0, checkpoints = 0;

  /// For a run that is to be made, or of one that is there.
  static NoteRows of(const RunFile& run);

  std::size_t of_weights(std::size_t checkpoint) const { return known + checkpoint; }
  std::size_t of_forward(std::size_t checkpoint) const { return known + checkpoints + checkpoint; }
  /// From a checkpoint to the next.
  std::size_t of_step(std::size_t step) const { return known + 2 * checkpoints + step; }
  /// Of the texts.
  std::size_t of_tokens() const { return known + 3 * checkpoints; }
  std::size_t first_free() const { return of_tokens() + 1; }
  std::size_t count() const;
};

/// Dataset /notes with what is known before the first pass; each once, in an order that does not depend on
/// who told them first: those that begin with a checkpoint's name come in the order of `checkpoints`, then
/// the others.
void define_notes(RunFile& run, std::vector<std::string> known, const std::vector<std::string>& checkpoints);

/// Fills a row, cut where it is too long.
void write_note(RunFile& run, std::size_t row, const std::string& note);

/// Fills the first free row, if no row says the same. Where none is left, the last row counts what is left
/// out.
void add_note(RunFile& run, const std::string& note);

/// Passes everything on to another listener, and keeps the notes: the one place through which they all go.
class RunNotes : public AnalysisListener {
 public:
  explicit RunNotes(AnalysisListener& listener) : listener_(listener) {}

  void begin(std::uint64_t total_bytes) override { listener_.begin(total_bytes); }
  void stage(const std::string& label) override { listener_.stage(label); }
  void advance(std::uint64_t bytes) override { listener_.advance(bytes); }
  void remark(const std::string& message) override { listener_.remark(message); }
  /// What was told before is neither told nor kept again.
  void note(const std::string& message) override;

  /// What was told until now.
  const std::vector<std::string>& told() const { return told_; }
  /// From now on `run`, which has /notes and outlives this, keeps what is told, and what was told until now.
  /// Tells what it kept of an earlier process.
  void keep_in(RunFile& run);
  /// The warning that has its own row; nothing where `problem` is empty.
  void warn(std::size_t row, const std::string& problem);

 private:
  bool tell(const std::string& message);

  AnalysisListener& listener_;
  std::vector<std::string> told_;
  RunFile* run_ = nullptr;
};

}  // namespace moescope
