#include "readers/series.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <span>
#include <tuple>
#include <utility>

#include "readers/directory.h"
#include "readers/errors.h"
#include "readers/foreign_content.h"
#include "readers/source_file.h"
#include "readers/strict_json.h"
#include "readers/weight_files.h"

namespace moescope {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;
using Series = std::vector<SeriesEntry>;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_checkpoint(const fs::path& path) {
  return is_directory_path(path) && path_exists(path / "config.json");
}

bool is_cache_repository(const fs::path& path) {
  return is_directory_path(path / "snapshots");
}

SeriesEntry named_entry(const std::string& name, const fs::path& path) {
  const NamedProgress progress = parse_checkpoint_name(name);
  return {name, path, progress.tokens, progress.step, {}};
}

// The end of a run of digits from `begin`, leading zeros skipped.
std::string_view digits_at(std::string_view text, std::size_t begin) {
  std::size_t end = begin;
  while (end < text.size() && is_digit(text[end])) ++end;
  while (begin + 1 < end && text[begin] == '0') ++begin;
  return text.substr(begin, end - begin);
}

// Numbers inside names count as numbers: "iter9" before "iter10".
bool natural_less(std::string_view a, std::string_view b) {
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      const std::string_view x = digits_at(a, i), y = digits_at(b, j);
      if (x != y) return std::pair(x.size(), x) < std::pair(y.size(), y);
      i = static_cast<std::size_t>(x.data() - a.data()) + x.size();
      j = static_cast<std::size_t>(y.data() - b.data()) + y.size();
    } else if (a[i] != b[j]) {
      return a[i] < b[j];
    } else {
      ++i, ++j;
    }
  }
  return std::tuple(a.size() - i, a) < std::tuple(b.size() - j, b);
}

// A branch of this name is the published end of a training run.
bool is_final(const SeriesEntry& entry) {
  const bool unnumbered = std::isnan(entry.tokens) && std::isnan(entry.step);
  return unnumbered && (entry.name == "main" || entry.name == "final");
}

// By tokens when all names tell them, else by step when all do, else by name; the final one last.
void sort_by_progress(Series& series) {
  const auto all_have = [&](double SeriesEntry::*value) {
    return std::all_of(series.begin(), series.end(), [&](const SeriesEntry& entry) {
      return is_final(entry) || !std::isnan(entry.*value);
    });
  };
  const bool by_tokens = all_have(&SeriesEntry::tokens), by_step = all_have(&SeriesEntry::step);
  const auto progress = [&](const SeriesEntry& entry) {
    const bool final = is_final(entry);
    return std::tuple(final, by_tokens && !final ? entry.tokens : 0, by_step && !final ? entry.step : 0);
  };
  std::sort(series.begin(), series.end(), [&](const SeriesEntry& a, const SeriesEntry& b) {
    if (progress(a) != progress(b)) return progress(a) < progress(b);
    return natural_less(a.name, b.name);
  });
}

Series series_of_children(const fs::path& directory) {
  Series series;
  for (const std::string& name : directory_names(directory)) {
    if (!is_hidden(name) && is_checkpoint(directory / name))
      series.push_back(named_entry(name, directory / name));
  }
  sort_by_progress(series);
  return series;
}

// The commit that a file below refs/ names.
std::string read_commit(const fs::path& ref) {
  std::string commit = read_whole_file(ref, 4096);
  while (!commit.empty() && (commit.back() == '\n' || commit.back() == '\r')) commit.pop_back();
  const bool hexadecimal = commit.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (commit.empty() || !hexadecimal) throw FormatError(ref.string(), {}, "expected the hash of a commit");
  return commit;
}

// Revisions may contain '/': their files then lie deeper, e.g. refs/refs/pr/1.
void collect_refs(const fs::path& repository, const std::string& prefix, Series& series) {
  for (const std::string& child : directory_names(repository / "refs" / prefix)) {
    const std::string name = prefix.empty() ? child : prefix + "/" + child;
    const fs::path ref = repository / "refs" / name;
    if (is_directory_path(ref)) {
      collect_refs(repository, name, series);
      continue;
    }
    const fs::path snapshot = repository / "snapshots" / read_commit(ref);
    if (!is_checkpoint(snapshot)) {
      throw FormatError(ref.string(), "snapshot " + snapshot.filename().string(),
                        "is not a downloaded checkpoint (expected it with a config.json in " +
                            snapshot.parent_path().string() + ")");
    }
    series.push_back(named_entry(name, snapshot));
  }
}

Series series_of_cache(const fs::path& repository) {
  Series series;
  if (is_directory_path(repository / "refs")) collect_refs(repository, {}, series);
  if (series.empty()) return series_of_children(repository / "snapshots");
  sort_by_progress(series);
  return series;
}

double read_progress(const JsonObject& object, const char* key, double otherwise) {
  const json* value = object.find(key);
  if (value == nullptr) return otherwise;
  if (value->is_number() && value->get<double>() >= 0 && std::isfinite(value->get<double>()))
    return value->get<double>();
  object.fail(key, "expected a number that is not negative, found " + excerpt(*value));
}

SeriesEntry read_entry(const JsonObject& object, const fs::path& base) {
  const fs::path path = base / object.string("path");  // an absolute path stays as it is
  const std::string directory_name = fs::path(path / ".").parent_path().filename().string();
  SeriesEntry entry =
      named_entry(object.find("name") != nullptr ? object.string("name") : directory_name, path);
  if (entry.name.empty()) object.fail("name", "is empty");
  entry.tokens = read_progress(object, "tokens", entry.tokens);
  entry.step = read_progress(object, "step", entry.step);
  if (object.find("phase") != nullptr) entry.phase = object.string("phase");
  if (!is_checkpoint(path))
    object.fail("path", "is not a checkpoint: " + path.string() + " has no config.json");
  return entry;
}

Series read_series_file(const fs::path& file) {
  const json document = parse_strict_json(read_whole_file(file), file.string());
  if (!document.is_array()) {
    throw FormatError(file.string(), {}, "expected an array of checkpoints, found " + excerpt(document));
  }
  Series series;
  std::set<std::string> names;
  for (const json& item : document) {
    const JsonObject object(item, file.string(), "[" + std::to_string(series.size()) + "]");
    series.push_back(read_entry(object, file.parent_path()));
    if (!names.insert(series.back().name).second) {
      object.fail("name", "stands twice in the series: " + single_quoted(series.back().name));
    }
  }
  if (series.empty()) throw FormatError(file.string(), {}, "holds no checkpoint");
  return series;
}

// The last name of a path that may end in '/' or '.'.
fs::path plain_path(const fs::path& path) {
  const fs::path normal = fs::absolute(path).lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

// Directory names; where they coincide, with as many parents as it takes; at last with a number.
void name_uniquely(Series& series) {
  std::vector<fs::path> parents;
  for (SeriesEntry& entry : series) {
    const fs::path path = plain_path(entry.path);
    entry.name = path.filename().string();
    parents.push_back(path.parent_path());
  }
  const auto differs = [&](const SeriesEntry& a, const SeriesEntry& b) {
    return a.name == b.name &&
           plain_path(a.path) != plain_path(b.path);  // no parent tells one path from itself
  };
  for (bool changed = true; changed;) {
    changed = false;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < series.size(); ++i) {
      const bool extend = parents[i].has_filename() &&
                          std::any_of(series.begin(), series.end(),
                                      [&](const auto& other) { return differs(series[i], other); });
      names.push_back(extend ? (parents[i].filename() / series[i].name).string() : series[i].name);
      if (extend) parents[i] = parents[i].parent_path();
      changed = changed || extend;
    }
    for (std::size_t i = 0; i < series.size(); ++i) series[i].name = names[i];
  }
  std::map<std::string, int> seen;
  for (SeriesEntry& entry : series) {
    if (const int number = ++seen[entry.name]; number > 1) entry.name += "#" + std::to_string(number);
  }
}

void require_checkpoint(const fs::path& path) {
  if (is_checkpoint(path)) return;
  if (!is_directory_path(path)) throw FormatError(path.string(), {}, "is not a checkpoint directory");
  const NoCheckpoint why = why_no_checkpoint(path);
  throw FormatError(path.string(), {}, why.what, why.hint);
}

Series series_as_given(const std::vector<fs::path>& paths) {
  Series series;
  for (const fs::path& path : paths) {
    if (!path_exists(path)) throw MissingInput(path.string());
    require_checkpoint(path);
    series.push_back(named_entry(plain_path(path).filename().string(), path));
  }
  name_uniquely(series);
  return series;
}

// What a single file is that was given as a series.
[[noreturn]] void refuse_file(const fs::path& path) {
  const SourceFile file(path);
  std::string begin(std::min(file.size(), foreign_content_bytes), '\0');
  file.read(0, std::as_writable_bytes(std::span(begin)));
  const auto foreign = foreign_content(begin, file.size());
  const bool shard = path.extension() == ".safetensors";
  throw FormatError(
      path.string(), {},
      "is neither a checkpoint directory nor a series file (.json)" + (foreign ? "; it " + foreign->what
                                                                       : shard ? "; it is one shard"
                                                                               : ""),
      shard ? "give the directory in which it lies, with its config.json" : "");
}

[[noreturn]] void refuse_without_checkpoint(const fs::path& directory) {
  const NoCheckpoint why = why_no_checkpoint(directory);
  if (!why.is_unrelated) throw FormatError(directory.string(), {}, why.what, why.hint);
  const std::vector<std::string> notes = notes_on_left_out(directory);
  throw FormatError(directory.string(), {},
                    "holds no checkpoint: neither it nor a directory in it has a config.json",
                    notes.empty() ? "" : notes.front());
}

}  // namespace

FoundSeries find_series(const std::vector<std::filesystem::path>& paths) {
  if (paths.empty()) throw UsageError("no checkpoint is given");
  if (paths.size() > 1) return {series_as_given(paths), {}};
  const fs::path& path = paths.front();
  if (!path_exists(path)) throw MissingInput(path.string());
  if (!is_directory_path(path)) {
    if (path.extension() == ".json") return {read_series_file(path), {}};
    refuse_file(path);
  }
  if (is_checkpoint(path)) return {series_as_given(paths), {}};
  if (is_cache_repository(path)) return {series_of_cache(path), {}};
  FoundSeries found{series_of_children(path), {}};
  if (found.entries.empty()) refuse_without_checkpoint(path);
  found.notes = notes_on_left_out(path);
  return found;
}

}  // namespace moescope
