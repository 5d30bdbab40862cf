#include "readers/recorded/recorded_notes.h"

#include <algorithm>

#include "readers/schema/datasets.h"

namespace moescope {

std::vector<std::string> read_notes(const RunFile& run) {
  if (!run.contains(dataset::notes)) return {};
  std::vector<std::string> notes = run.read(dataset::notes);
  std::erase(notes, std::string());
  std::stable_partition(notes.begin(), notes.end(),
                        [](const std::string& note) { return note.starts_with(warning_mark); });
  return notes;
}

}  // namespace moescope
