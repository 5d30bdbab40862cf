#include "analysis/runs/checkpoint_change.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>
#include <system_error>

namespace moescope {
namespace {

namespace fs = std::filesystem;

/// One line of Checkpoint::file_stamps(), but for the name.
struct Stamp {
  std::string bytes, modified, inode;

  bool is_same_file(const Stamp& other) const { return inode == other.inode; }
  bool is_unchanged(const Stamp& other) const { return bytes == other.bytes && modified == other.modified; }
};

std::map<std::string, Stamp> parse_stamps(const std::string& lines) {
  std::map<std::string, Stamp> stamps;
  std::istringstream text(lines);
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line);
    Stamp stamp;
    words >> stamp.bytes >> stamp.modified >> stamp.inode;
    std::string name;
    std::getline(words >> std::ws, name);
    stamps[name] = stamp;
  }
  return stamps;
}

bool is_same_place(const fs::path& a, const fs::path& b) {
  std::error_code ignored;
  return fs::equivalent(a, b, ignored);
}

// What touch -d takes: seconds with nine decimals.
std::string as_touch_time(std::string nanoseconds) {
  constexpr std::size_t decimals = 9;
  nanoseconds.insert(0, decimals + 1 - std::min(decimals + 1, nanoseconds.size()), '0');
  return "@" + nanoseconds.insert(nanoseconds.size() - decimals, ".");
}

// Which file was written to, and how to undo that; empty if none was.
std::string what_was_written(const RunCheckpoint& recorded, const RunCheckpoint& now) {
  const auto before = parse_stamps(recorded.file_stamps), after = parse_stamps(now.file_stamps);
  for (const auto& [name, stamp] : before) {
    const auto found = after.find(name);
    if (found == after.end() || !stamp.is_same_file(found->second) || stamp.is_unchanged(found->second))
      continue;
    return "may have changed since: " + name +
           " has been written to, though no sample of it differs (if it is as it was, touch -d " +
           as_touch_time(stamp.modified) + " gives it back its time)";
  }
  return {};
}

}  // namespace

std::string checkpoint_change(const RunCheckpoint& recorded, const RunCheckpoint& now) {
  if (recorded.fingerprint != now.fingerprint) {
    return recorded.file_stamps.empty() ? "cannot be compared: the run file is of an earlier moescope, whose "
                                          "fingerprints hold fewer samples of a checkpoint"
                                        : "has changed since";
  }
  return is_same_place(recorded.entry.path, now.entry.path) ? what_was_written(recorded, now) : "";
}

}  // namespace moescope
