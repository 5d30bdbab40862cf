#include "readers/checkpoint/series.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <system_error>
#include <utility>

#include "readers/checkpoint/series_order.h"
#include "readers/checkpoint/weight_files.h"
#include "readers/errors.h"
#include "readers/files/directory.h"
#include "readers/files/source_file.h"
#include "readers/text/distinct_names.h"
#include "readers/text/foreign_content.h"
#include "readers/text/name_list.h"
#include "readers/text/quoted_text.h"
#include "readers/text/strict_json.h"
#include "readers/text/utf8.h"

namespace moescope {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

bool is_cache_repository(const fs::path& path) {
  return is_directory_path(path / "snapshots");
}

std::vector<std::string> names_of(const FoundSeries& found) {
  std::vector<std::string> names;
  for (const SeriesEntry& entry : found.entries) names.push_back(entry.name);
  return names;
}

// `where` is what the doubts are about; may be empty.
void note_doubts(FoundSeries& found, const std::string& where, const std::vector<std::string>& doubts) {
  for (const std::string& doubt : doubts)
    found.notes.push_back(where + (where.empty() ? "" : ": ") + doubt +
                          "; a series file (.json) says better");
}

void take_progress(FoundSeries& found, const SeriesOrder& told) {
  for (std::size_t i = 0; i < found.entries.size(); ++i) {
    found.entries[i].tokens = told.progress[i].tokens;
    found.entries[i].step = told.progress[i].step;
  }
}

void order_series(FoundSeries& found, const fs::path& where) {
  const SeriesOrder told = order_by_names(names_of(found));
  take_progress(found, told);
  std::vector<SeriesEntry> ordered;
  for (const std::size_t i : told.order) ordered.push_back(std::move(found.entries[i]));
  found.entries = std::move(ordered);
  note_doubts(found, where.string(), told.order_doubts);
  note_doubts(found, where.string(), told.progress_doubts);
}

/// Where a checkpoint really lies.
fs::path target_of(const SeriesEntry& entry) {
  std::error_code error;
  const fs::path target = fs::canonical(entry.path, error);
  return error ? entry.path : target;
}

void note_second_name(FoundSeries& found, const SeriesEntry& dropped, const SeriesEntry& kept) {
  const std::string what =
      dropped.name == kept.name ? "is given twice" : "is another name of '" + kept.name + "'";
  found.notes.push_back(dropped.name + ": " + what + ", and counts once");
}

/// Of several names of one checkpoint, the one that tells most stays, where it stands.
void count_targets_once(FoundSeries& found) {
  std::vector<SeriesEntry>& entries = found.entries;
  std::map<fs::path, std::size_t> kept;
  std::set<std::size_t> dropped;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto [place, is_new] = kept.emplace(target_of(entries[i]), i);
    if (is_new) continue;
    const std::size_t before = place->second;
    const bool better = name_vagueness(entries[i].name) < name_vagueness(entries[before].name);
    place->second = better ? i : before;
    const std::size_t loser = better ? before : i;
    dropped.insert(loser);
    note_second_name(found, entries[loser], entries[place->second]);
  }
  std::vector<SeriesEntry> once;
  for (std::size_t i = 0; i < entries.size(); ++i)
    if (!dropped.contains(i)) once.push_back(std::move(entries[i]));
  entries = std::move(once);
}

SeriesEntry named_entry(const std::string& name, const fs::path& path) {
  SeriesEntry entry;
  entry.name = valid_utf8(name);
  entry.path = path;
  return entry;
}

/// A child that is no checkpoint is not one of the series.
void add_child(FoundSeries& found, const fs::path& path) {
  try {
    if (is_checkpoint_place(path)) found.entries.push_back(named_entry(path.filename().string(), path));
  } catch (const std::system_error& error) {  // no permission, a link to itself
    found.notes.push_back(std::string(error.what()) + ", so that it is left out");
  }
}

// Names that are no UTF-8 may become equal.
void number_names(FoundSeries& found) {
  std::vector<std::string> names = names_of(found);
  number_equal_names(names);
  for (std::size_t i = 0; i < names.size(); ++i) found.entries[i].name = names[i];
}

FoundSeries series_of_children(const fs::path& directory) {
  FoundSeries found;
  for (const std::string& name : directory_names(directory))
    if (!is_hidden(name)) add_child(found, directory / name);
  count_targets_once(found);
  number_names(found);
  order_series(found, directory);
  return found;
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
void collect_refs(const fs::path& repository, const std::string& prefix, FoundSeries& found) {
  for (const std::string& child : directory_names(repository / "refs" / prefix)) {
    const std::string name = prefix.empty() ? child : prefix + "/" + child;
    const fs::path ref = repository / "refs" / name;
    if (is_directory_path(ref)) {
      collect_refs(repository, name, found);
      continue;
    }
    const fs::path snapshot = repository / "snapshots" / read_commit(ref);
    if (!is_checkpoint_place(snapshot)) {
      throw FormatError(ref.string(), "snapshot " + snapshot.filename().string(),
                        "is not a downloaded checkpoint (expected it with a config.json in " +
                            snapshot.parent_path().string() + ")");
    }
    found.entries.push_back(named_entry(name, snapshot));
  }
}

// Fetched by their commit: nothing says what they are.
void note_nameless_snapshots(FoundSeries& found, const fs::path& snapshots) {
  std::set<fs::path> named;
  for (const SeriesEntry& entry : found.entries) named.insert(entry.path);
  FoundSeries all;
  for (const std::string& name : directory_names(snapshots)) add_child(all, snapshots / name);
  std::erase_if(all.entries, [&](const SeriesEntry& entry) { return named.contains(entry.path); });
  found.notes.insert(found.notes.end(), all.notes.begin(), all.notes.end());
  if (all.entries.empty()) return;
  found.notes.push_back(snapshots.string() + ": no ref names " + quoted_names(names_of(all)) +
                        ", which are left out");
}

FoundSeries series_of_cache(const fs::path& repository) {
  FoundSeries found;
  if (is_directory_path(repository / "refs")) collect_refs(repository, {}, found);
  if (found.entries.empty()) return series_of_children(repository / "snapshots");
  note_nameless_snapshots(found, repository / "snapshots");
  count_targets_once(found);
  order_series(found, repository);
  return found;
}

// NaN where the file is silent.
double read_progress(const JsonObject& object, const char* key) {
  const json* value = object.find(key);
  if (value == nullptr) return std::numeric_limits<double>::quiet_NaN();
  if (value->is_number() && value->get<double>() >= 0 && std::isfinite(value->get<double>()))
    return value->get<double>();
  object.fail(key, "expected a number that is not negative, found " + excerpt(*value));
}

// The last name of a path that may end in '/' or '.'.
fs::path plain_path(const fs::path& path) {
  const fs::path normal = fs::absolute(path).lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

/// The name of a directory, or of the model that a GGUF file holds.
std::string name_of_place(const fs::path& path) {
  const std::string name = plain_path(path).filename().string();
  return shard_format(path) == ShardFormat::gguf && !is_directory_path(path) ? gguf_model_name(name) : name;
}

SeriesEntry read_entry(const JsonObject& object, const fs::path& base) {
  const fs::path path = base / object.string("path");  // an absolute path stays as it is
  SeriesEntry entry =
      named_entry(object.find("name") != nullptr ? object.string("name") : name_of_place(path), path);
  if (entry.name.empty()) object.fail("name", "is empty");
  entry.tokens = read_progress(object, "tokens");
  entry.step = read_progress(object, "step");
  if (object.find("phase") != nullptr) entry.phase = object.string("phase");
  if (!is_checkpoint_place(path))
    object.fail("path", "is not a checkpoint: " + path.string() + " has no config.json");
  return entry;
}

/// What the file does not say, the names may.
void complete_progress(FoundSeries& found) {
  const SeriesOrder told = order_by_names(names_of(found));
  bool silent = false;
  for (std::size_t i = 0; i < found.entries.size(); ++i) {
    SeriesEntry& entry = found.entries[i];
    silent = silent || (std::isnan(entry.tokens) && std::isnan(entry.step));
    if (std::isnan(entry.tokens)) entry.tokens = told.progress[i].tokens;
    if (std::isnan(entry.step)) entry.step = told.progress[i].step;
  }
  if (silent) note_doubts(found, {}, told.progress_doubts);
}

FoundSeries read_series_file(const fs::path& file) {
  const json document = parse_strict_json(read_whole_file(file), file.string());
  if (!document.is_array()) {
    throw FormatError(file.string(), {}, "expected an array of checkpoints, found " + excerpt(document));
  }
  FoundSeries found;
  std::set<std::string> names;
  for (const json& item : document) {
    const JsonObject object(item, file.string(), "[" + std::to_string(found.entries.size()) + "]");
    found.entries.push_back(read_entry(object, file.parent_path()));
    if (!names.insert(found.entries.back().name).second) {
      object.fail("name", "stands twice in the series: " + single_quoted(found.entries.back().name));
    }
  }
  if (found.entries.empty()) throw FormatError(file.string(), {}, "holds no checkpoint");
  complete_progress(found);
  return found;
}

// Directory names; where they coincide, with as many parents as it takes; at last with a number.
void name_uniquely(FoundSeries& found) {
  std::vector<fs::path> parents;
  for (const SeriesEntry& entry : found.entries)
    parents.emplace_back(valid_utf8(plain_path(entry.path).parent_path().string()));
  const std::vector<std::string> names = extended_names(names_of(found), parents);
  for (std::size_t i = 0; i < names.size(); ++i) found.entries[i].name = names[i];
  number_names(found);
}

void require_checkpoint(const fs::path& path) {
  if (is_checkpoint_place(path)) return;
  if (!is_directory_path(path)) throw FormatError(path.string(), {}, "is not a checkpoint directory");
  const NoCheckpoint why = why_no_checkpoint(path);
  throw FormatError(path.string(), {}, why.what, why.hint);
}

/// Shells sort names by letters: step10000 before step2000.
void note_other_order(FoundSeries& found, const SeriesOrder& told) {
  if (!told.decided) return;
  for (std::size_t i = 1; i < told.order.size(); ++i) {
    if (told.order[i] > told.order[i - 1]) continue;
    found.notes.push_back("the order given is not the one that the names tell: '" +
                          found.entries[told.order[i - 1]].name + "' is given after '" +
                          found.entries[told.order[i]].name + "'");
    return;
  }
}

FoundSeries series_as_given(const std::vector<fs::path>& paths) {
  FoundSeries found;
  for (const fs::path& path : paths) {
    if (!path_exists(path)) throw MissingInput(path.string());
    require_checkpoint(path);
    found.entries.push_back(named_entry(name_of_place(path), path));
  }
  count_targets_once(found);
  const SeriesOrder told = order_by_names(names_of(found));
  take_progress(found, told);
  name_uniquely(found);
  note_other_order(found, told);
  note_doubts(found, {}, told.progress_doubts);
  return found;
}

// What a single file is that was given as a series.
[[noreturn]] void refuse_file(const fs::path& path) {
  const SourceFile file(path);
  std::string begin(std::min(file.size(), foreign_content_bytes), '\0');
  file.read(0, std::as_writable_bytes(std::span(begin)));
  const auto foreign = foreign_content(begin, file.size());
  const bool shard = is_shard_name(path);
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
  if (paths.size() > 1) return series_as_given(paths);
  const fs::path& path = paths.front();
  if (!path_exists(path)) throw MissingInput(path.string());
  if (!is_directory_path(path)) {
    if (path.extension() == ".json") return read_series_file(path);
    if (is_checkpoint_place(path)) return series_as_given(paths);
    refuse_file(path);
  }
  if (is_checkpoint_place(path)) return series_as_given(paths);
  if (is_cache_repository(path)) {
    FoundSeries found = series_of_cache(path);
    if (found.entries.empty()) refuse_without_checkpoint(path);
    return found;
  }
  FoundSeries found = series_of_children(path);
  if (found.entries.empty()) refuse_without_checkpoint(path);
  const std::vector<std::string> left_out = notes_on_left_out(path);
  found.notes.insert(found.notes.end(), left_out.begin(), left_out.end());
  return found;
}

}  // namespace moescope
