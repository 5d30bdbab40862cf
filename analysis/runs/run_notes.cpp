#include "analysis/runs/run_notes.h"

#include <algorithm>

#include "readers/recorded/recorded_notes.h"
#include "readers/schema/datasets.h"
#include "readers/schema/run_schema.h"
#include "readers/text/utf8.h"

namespace moescope {
namespace {

constexpr std::size_t free_rows = 8;
constexpr const char* left_out = " more notes were told, for which there was no room";

bool contains(const std::vector<std::string>& notes, const std::string& note) {
  return std::ranges::find(notes, note) != notes.end();
}

/// The place of the checkpoint that a note is about; behind all of them where it is about none.
std::size_t subject_of(const std::string& note, const std::vector<std::string>& checkpoints) {
  const auto found = std::ranges::find_if(
      checkpoints, [&](const std::string& name) { return note.starts_with(name + ": "); });
  return static_cast<std::size_t>(found - checkpoints.begin());
}

/// At most `bytes`, without half a character at the end.
std::string shortened(const std::string& note, std::size_t bytes) {
  constexpr std::string_view ellipsis = "…";
  const std::string text = valid_utf8(note);  // as the file keeps it
  if (text.size() <= bytes) return text;
  std::size_t end = bytes - ellipsis.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end).append(ellipsis);
}

}  // namespace

std::size_t NoteRows::count() const {
  return first_free() + free_rows;
}

NoteRows NoteRows::of(const RunFile& run) {
  NoteRows rows{0, run.shape(dataset::checkpoint)[0]};
  rows.known = run.shape(dataset::notes)[0] - rows.count();
  return rows;
}

void define_notes(RunFile& run, std::vector<std::string> known, const std::vector<std::string>& checkpoints) {
  std::ranges::sort(known, {},
                    [&](const std::string& note) { return std::pair(subject_of(note, checkpoints), note); });
  known.erase(std::unique(known.begin(), known.end()), known.end());
  DatasetSpec spec = raw_dataset(dataset::notes);
  for (const std::string& note : known)
    spec.text_bytes = std::max<std::uint64_t>(spec.text_bytes, valid_utf8(note).size());
  run.define_dimension("note", NoteRows{known.size(), checkpoints.size()}.count());
  run.define(spec);
  run.write(dataset::notes, {{0}, {known.size()}}, known);
}

void write_note(RunFile& run, std::size_t row, const std::string& note) {
  const std::string text[] = {shortened(note, run.describe(dataset::notes).text_bytes)};
  run.write(dataset::notes, {{row}, {1}}, text);
}

void add_note(RunFile& run, const std::string& note) {
  std::vector<std::string> rows = run.read(dataset::notes);
  if (contains(rows, shortened(note, run.describe(dataset::notes).text_bytes))) return;
  std::size_t row = NoteRows::of(run).first_free();
  while (row + 1 < rows.size() && !rows[row].empty()) ++row;
  if (row + 1 < rows.size()) return write_note(run, row, note);
  const std::size_t before = rows[row].empty() ? 0 : std::stoul(rows[row]);
  write_note(run, row, std::to_string(before + 1) + left_out);
}

bool RunNotes::tell(const std::string& message) {
  if (contains(told_, message)) return false;
  told_.push_back(message);
  listener_.note(message);
  return true;
}

void RunNotes::note(const std::string& message) {
  if (tell(message) && run_ != nullptr) add_note(*run_, message);
}

void RunNotes::keep_in(RunFile& run) {
  run_ = &run;
  for (const std::string& message : told_) add_note(run, message);
  for (const std::string& message : read_notes(run)) tell(message);
}

void RunNotes::warn(std::size_t row, const std::string& problem) {
  if (problem.empty()) return;
  const std::string message = std::string(warning_mark) + problem;
  tell(message);
  write_note(*run_, row, message);
}

}  // namespace moescope
