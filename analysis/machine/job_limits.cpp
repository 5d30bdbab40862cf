#include "analysis/machine/job_limits.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "readers/errors.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

Words split(const std::string& text, char separator) {
  Words words;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, separator);) words.push_back(word);
  return words;
}

bool has(const Words& words, const std::string& word) {
  return std::ranges::find(words, word) != words.end();
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream stream(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// The numbers of a file's first line; a word ("max") is none.
std::vector<std::optional<double>> numbers_of(const fs::path& file) {
  std::vector<std::optional<double>> numbers;
  for (const std::string& line : lines_of(file)) {
    for (const std::string& word : split(line, ' ')) {
      char* end = nullptr;
      const double number = std::strtod(word.c_str(), &end);
      numbers.push_back(end != word.c_str() && number >= 0 ? std::optional(number) : std::nullopt);
    }
    break;
  }
  return numbers;
}

std::optional<double> number_of(const fs::path& file) {
  const auto numbers = numbers_of(file);
  return numbers.empty() ? std::nullopt : numbers.front();
}

void take_processors(GroupLimits& limits, std::optional<double> time, std::optional<double> period) {
  if (time && period && *period > 0) limits.processors = std::min(limits.processors, *time / *period);
}

void take_memory(GroupLimits& limits, std::optional<double> bytes) {
  if (bytes && *bytes < 9e18) limits.memory = std::min(limits.memory, static_cast<std::uint64_t>(*bytes));
}

/// The limits of one group, in the files of both versions.
void take_limits(GroupLimits& limits, const fs::path& group) {
  const auto time = numbers_of(group / "cpu.max");
  if (time.size() == 2) take_processors(limits, time[0], time[1]);
  take_processors(limits, number_of(group / "cpu.cfs_quota_us"), number_of(group / "cpu.cfs_period_us"));
  for (const char* file : {"memory.max", "memory.high", "memory.limit_in_bytes"})
    take_memory(limits, number_of(group / file));
}

/// One line of /proc/self/mountinfo (proc 5) about control groups.
struct GroupMount {
  std::string root;   // the group that is mounted
  fs::path place;     // where
  Words controllers;  // of version 1; none: version 2, which has all
};

/// A blank stands as \040 there.
std::string unescaped(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      result += static_cast<char>(std::stoi(text.substr(i + 1, 3), nullptr, 8));
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

std::vector<GroupMount> group_mounts(const fs::path& root) {
  std::vector<GroupMount> mounts;
  for (const std::string& line : lines_of(root / "proc/self/mountinfo")) {
    const Words words = split(line, ' ');
    const auto dash = std::ranges::find(words, "-");
    if (words.size() < 5 || words.end() - dash < 4 || !dash[1].starts_with("cgroup")) continue;
    GroupMount mount{unescaped(words[3]), root / fs::path(unescaped(words[4])).relative_path(), {}};
    if (dash[1] == "cgroup") mount.controllers = split(dash[3], ',');
    mounts.push_back(mount);
  }
  return mounts;
}

/// The path of this process in the hierarchy of a mount; empty: it is in none.
std::string group_in(const GroupMount& mount, const fs::path& root) {
  for (const std::string& line : lines_of(root / "proc/self/cgroup")) {  // "4:cpu,cpuacct:/job/step"
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const Words controllers = split(line.substr(first + 1, second - first - 1), ',');
    const bool same = controllers.empty() ? mount.controllers.empty()
                                          : std::ranges::any_of(controllers, [&](const std::string& name) {
                                              return has(mount.controllers, name);
                                            });
    if (same) return line.substr(second + 1);
  }
  return {};
}

/// The group's folder: below what is mounted, or that itself where the mount hides what is above.
fs::path folder_in(const GroupMount& mount, const std::string& group) {
  const std::string above = mount.root == "/" ? "" : mount.root;
  if (!group.starts_with(above + "/") && group != above) return mount.place;
  return mount.place / fs::path(group.substr(above.size())).relative_path();
}

unsigned processors_of_affinity() {
  for (int processors = 1024; processors <= 1 << 20; processors *= 2) {
    cpu_set_t* set = CPU_ALLOC(processors);
    const std::size_t size = CPU_ALLOC_SIZE(processors);
    const bool known = sched_getaffinity(0, size, set) == 0;
    const int count = known ? CPU_COUNT_S(size, set) : 0;
    CPU_FREE(set);
    if (count > 0) return static_cast<unsigned>(count);
    if (!known && errno != EINVAL) break;  // EINVAL: the machine has more
  }
  return static_cast<unsigned>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
}

const GroupLimits& group_limits() {
  static const GroupLimits limits = read_group_limits();
  return limits;
}

}  // namespace

GroupLimits read_group_limits(const fs::path& root) {
  GroupLimits limits;
  for (const GroupMount& mount : group_mounts(root)) {
    const std::string group = group_in(mount, root);
    if (group.empty()) continue;
    fs::path folder = folder_in(mount, group).lexically_normal();
    const fs::path top = mount.place.lexically_normal();
    for (int depth = 0; depth < 64; ++depth) {
      take_limits(limits, folder);
      if (folder == top || !folder.has_relative_path()) break;
      folder = folder.parent_path();
    }
  }
  return limits;
}

unsigned available_processors() {
  const double granted = std::max(1.0, std::floor(group_limits().processors));
  return static_cast<unsigned>(std::min(granted, static_cast<double>(processors_of_affinity())));
}

std::uint64_t available_memory() {
  const std::uint64_t machine =
      static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return std::min(machine, group_limits().memory);
}

void require_useful_threads(std::uint64_t threads) {
  const unsigned processors = available_processors();
  const std::uint64_t most = std::max(256u, 4 * processors);
  if (threads <= most) return;
  throw UsageError(
      "--threads: expected at most " + std::to_string(most) + ", found " + std::to_string(threads),
      "this job has " + std::to_string(processors) + (processors == 1 ? " processor" : " processors") +
          ", and more threads than those do not help");
}

}  // namespace moescope
