#include "analysis/runs/merge_notes.h"

#include "analysis/record/nonfinite_weights.h"
#include "analysis/record/router_record.h"
#include "analysis/record/token_notes.h"
#include "analysis/runs/run_notes.h"
#include "readers/recorded/recorded_notes.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

/// The rows of a part and of the whole.
struct Rows {
  std::vector<std::string> notes;
  NoteRows from, to;
};

void carry(RunFile& whole, const Rows& rows, std::size_t from, std::size_t to) {
  if (!rows.notes[from].empty()) write_note(whole, to, rows.notes[from]);
}

void carry_all(const MergePart& part, RunFile& whole) {
  const Rows rows{part.run.read(dataset::notes), NoteRows::of(part.run), NoteRows::of(whole)};
  const Places& places = part.checkpoint;
  for (std::size_t c = 0; c < places.size(); ++c) {
    carry(whole, rows, rows.from.of_weights(c), rows.to.of_weights(*places[c]));
    const bool is_step = c + 1 < places.size() && *places[c] + 1 == *places[c + 1];
    if (is_step) carry(whole, rows, rows.from.of_step(c), rows.to.of_step(*places[c]));
  }
  for (std::size_t row = rows.from.first_free(); row < rows.notes.size(); ++row) {
    if (!rows.notes[row].empty()) add_note(whole, rows.notes[row]);
  }
}

/// Of a part, experts are compared by their router rows alone; of the whole, by their weights too.
void warn_of_permutations(RunFile& whole) {
  const std::vector<std::string> warnings = recorded_permutation_warnings(whole);
  const NoteRows rows = NoteRows::of(whole);
  for (std::size_t step = 0; step < warnings.size(); ++step) {
    if (!warnings[step].empty())
      write_note(whole, rows.of_step(step), std::string(warning_mark) + warnings[step]);
  }
}

/// Parts count a share of the weights or of the tokens; the whole has all of them.
void warn_of_nonfinite(RunFile& whole) {
  const NoteRows rows = NoteRows::of(whole);
  for (std::size_t c = 0; c < rows.checkpoints; ++c) {
    const std::string weights = describe_nonfinite_weights(whole, c),
                      pass = describe_nonfinite_pass(whole, c);
    if (!weights.empty()) write_note(whole, rows.of_weights(c), std::string(warning_mark) + weights);
    if (!pass.empty()) write_note(whole, rows.of_forward(c), std::string(warning_mark) + pass);
  }
}

void warn_of_few_tokens(RunFile& whole) {
  const std::string problem = describe_few_tokens(whole);
  if (!problem.empty())
    write_note(whole, NoteRows::of(whole).of_tokens(), std::string(warning_mark) + problem);
}

}  // namespace

std::vector<std::string> known_notes(const std::deque<MergePart>& parts) {
  std::vector<std::string> known;
  for (const MergePart& part : parts) {
    const std::vector<std::string> notes =
        part.run.read(dataset::notes, {{0}, {NoteRows::of(part.run).known}});
    known.insert(known.end(), notes.begin(), notes.end());
  }
  return known;
}

void join_notes(const std::deque<MergePart>& parts, RunFile& whole) {
  for (const MergePart& part : parts) carry_all(part, whole);
  warn_of_nonfinite(whole);
  warn_of_permutations(whole);
  warn_of_few_tokens(whole);
}

}  // namespace moescope
