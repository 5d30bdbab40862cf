#include "readers/corpus/corpus_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <set>
#include <system_error>
#include <tuple>

#include "readers/errors.h"
#include "readers/files/decompression.h"
#include "readers/files/directory.h"
#include "readers/text/distinct_names.h"
#include "readers/text/utf8.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

struct KnownSuffix {
  const char* suffix;
  CorpusFormat format;
};
constexpr KnownSuffix known_suffixes[] = {
    {".jsonl", CorpusFormat::json_lines}, {".txt", CorpusFormat::text}, {".npy", CorpusFormat::token_ids}};

bool is_compressed(const fs::path& name) {
  return name.extension() == ".gz" || name.extension() == ".zst";
}

// by_content where the suffixes tell nothing.
CorpusFormat format_of(fs::path name) {
  const bool compressed = is_compressed(name);
  if (compressed) name = name.stem();
  for (const KnownSuffix& known : known_suffixes) {
    if (name.extension() != known.suffix) continue;
    return compressed && known.format == CorpusFormat::token_ids ? CorpusFormat::by_content : known.format;
  }
  return CorpusFormat::by_content;
}

std::string stem_of(fs::path name) {
  if (format_of(name) == CorpusFormat::by_content) return name.string();
  if (is_compressed(name)) name = name.stem();
  return name.stem().string();
}

std::string way_out(const fs::path& file) {
  const std::string suffix = file.extension().string();
  const auto is = [&](std::initializer_list<const char*> suffixes) {
    return std::find(suffixes.begin(), suffixes.end(), suffix) != suffixes.end();
  };
  if (is({".json", ".ndjson"})) return "a file with one JSON record a line is called .jsonl";
  if (is({".bin", ".npz", ".pt", ".idx", ".raw"}))
    return "token ids are read from a .npy, which numpy.save(\"ids.npy\", ids.astype(\"<u4\")) writes";
  if (is({".xz", ".bz2", ".lz4", ".zip", ".7z"}))
    return "decompressed, or compressed by gzip or zstd, it is read";
  if (is({".parquet", ".arrow", ".csv", ".tsv"}))
    return "a .jsonl has one record a line, such as {\"text\": \"…\"}";
  return "a text of another name is read from standard input: --corpus DOMAIN=- < " + file.string();
}

[[noreturn]] void refuse_suffix(const fs::path& file) {
  throw UsageError(
      file.string() + ": is not a corpus (expected .jsonl, .txt, either with .gz or .zst, or .npy)",
      way_out(file));
}

[[noreturn]] void refuse_directory(const fs::path& directory) {
  std::string files = "FILE...";
  for (const std::string& name : directory_names(directory)) {
    if (format_of(name) == CorpusFormat::by_content) continue;
    files = (directory / ("*" + name.substr(stem_of(name).size()))).string();
    break;
  }
  throw UsageError(directory.string() + ": is a directory (expected files of texts)",
                   "name the files in it, such as " + files);
}

// The name of a descriptor tells nothing, and differs from call to call.
bool is_descriptor(const fs::path& path) {
  const std::string text = path.string();
  return text == "/dev/stdin" || text.starts_with("/dev/fd/") || text.starts_with("/proc/");
}

CorpusFile settle(const CorpusSource& source, bool any_suffix) {
  CorpusFile file;
  file.path = source.file == "-" ? fs::path("/dev/stdin") : source.file;
  std::error_code ignored;
  if (fs::is_directory(file.path, ignored)) refuse_directory(file.path);
  file.format = format_of(file.path.filename());
  const bool nameless = is_descriptor(file.path) || is_read_once(file.path);
  const bool by_content = any_suffix || nameless || !fs::exists(file.path, ignored);  // opening it tells why
  if (file.format == CorpusFormat::by_content && !by_content) refuse_suffix(file.path);
  file.domain = valid_utf8(source.domain);
  file.one_domain = !source.domain.empty();
  return file;
}

void require_once(const std::vector<CorpusFile>& files) {
  std::set<std::tuple<dev_t, ino_t, std::string>> seen;
  for (const CorpusFile& file : files) {
    struct stat status {};
    if (::stat(file.path.c_str(), &status) != 0) continue;  // opening it will tell why
    if (seen.emplace(status.st_dev, status.st_ino, file.domain).second) continue;
    throw UsageError(stream_name(file.path) + ": is given twice",
                     "its texts would count twice; as domains of two names, it can be");
  }
}

/// The files whose domain is their name.
void name_domains(std::vector<CorpusFile>& files) {
  std::vector<CorpusFile*> unnamed;
  std::vector<std::string> names;
  std::vector<fs::path> parents;
  for (CorpusFile& file : files) {
    if (file.one_domain) continue;
    const fs::path path = file.path.lexically_normal();
    const bool named = !is_descriptor(path);
    unnamed.push_back(&file);
    names.push_back(valid_utf8(named ? stem_of(path.filename()) : "pipe"));
    parents.push_back(named ? fs::path(valid_utf8(path.parent_path().string())) : fs::path());
  }
  const std::vector<std::string> extended = extended_names(names, parents);
  // "a.txt" beside "a.jsonl"
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::count(extended.begin(), extended.end(), extended[i]) > 1 && names[i] != "pipe")
      names[i] = valid_utf8(unnamed[i]->path.filename().string());
  }
  names = extended_names(names, parents);
  number_equal_names(names);
  for (std::size_t i = 0; i < names.size(); ++i) unnamed[i]->domain = names[i];
}

}  // namespace

CorpusSource parse_corpus_source(const std::string& argument) {
  const auto equals = argument.find('=');
  std::error_code ignored;
  if (equals == std::string::npos || fs::exists(argument, ignored)) return {{}, argument};
  if (equals == 0 || equals + 1 == argument.size()) {
    throw UsageError("'" + argument + "' is not a corpus (expected [DOMAIN=]FILE)");
  }
  return {argument.substr(0, equals), argument.substr(equals + 1)};
}

std::vector<CorpusFile> settle_corpus_files(const std::vector<CorpusSource>& sources, bool any_suffix) {
  std::vector<CorpusFile> files;
  std::transform(sources.begin(), sources.end(), std::back_inserter(files),
                 [&](const CorpusSource& source) { return settle(source, any_suffix); });
  require_once(files);
  name_domains(files);
  return files;
}

}  // namespace moescope
