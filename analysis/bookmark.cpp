#include "analysis/bookmark.h"

#include <algorithm>
#include <exception>
#include <system_error>

#include "readers/run_file.h"

namespace moescope {
namespace {

constexpr double longest_share = 0.05;  // of the time, for saving

constexpr const char* stream_path = "/forward/residual_stream";
constexpr const char* counts_path = "/weights/magnitude_count";

DatasetSpec stream_spec() {
  return {stream_path,
          ElementType::f4,
          {"token", "hidden_unit"},
          "1",
          "Residual stream",
          "Of the batch, before the next layer.",
          "moescope analyze"};
}

DatasetSpec counts_spec() {
  return {counts_path,
          ElementType::i8,
          {"count"},
          "1",
          "Magnitudes so far",
          "The part of /weights/magnitude_histogram that the weights before the next one make.",
          "moescope analyze"};
}

std::size_t number(const RunFile& file, const char* name) {
  const auto value = file.attribute("/", name);
  return static_cast<std::size_t>(std::get<std::int64_t>(value.value()));
}

void set_number(RunFile& file, const char* name, std::size_t value) {
  file.set_attribute("/", name, static_cast<std::int64_t>(value));
}

/// Of this analysis, about `dataset`; empty otherwise.
std::optional<RunFile> open_bookmark(const std::filesystem::path& path, const std::string& identity,
                                     const char* dataset) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return {};
  RunFile file = RunFile::open(path);
  if (file.attribute("/", "identity") != AttributeValue(identity) || !file.contains(dataset)) return {};
  return file;
}

}  // namespace

Bookmark::Bookmark(const std::filesystem::path& run, std::string identity, double seconds)
    : path_(run.string() + ".resume"), identity_(std::move(identity)), seconds_(seconds), wait_(seconds) {}

bool Bookmark::is_due() const {
  return std::chrono::duration<double>(Clock::now() - last_).count() >= wait_;
}

void Bookmark::saved(Clock::time_point begin) {
  last_ = Clock::now();
  wait_ = std::max(seconds_, std::chrono::duration<double>(last_ - begin).count() / longest_share);
}

void Bookmark::save(std::size_t checkpoint, const ForwardPosition& position, const Matrix& x) {
  const Clock::time_point begin = Clock::now();
  RunFile file = RunFile::create(path_);
  file.set_attribute("/", "identity", identity_);
  set_number(file, "checkpoint", checkpoint);
  set_number(file, "first_token", position.first_token);
  set_number(file, "next_layer", static_cast<std::size_t>(position.next_layer));
  file.define_dimension("token", x.rows);
  file.define_dimension("hidden_unit", x.columns);
  file.define(stream_spec());
  file.write<float>(stream_path, x.values);
  file.sync();
  saved(begin);
}

void Bookmark::save(const WeightPosition& position) {
  const Clock::time_point begin = Clock::now();
  RunFile file = RunFile::create(path_);
  file.set_attribute("/", "identity", identity_);
  set_number(file, "next_weight", position.next);
  file.define_dimension("count", position.magnitude_counts.size());
  file.define(counts_spec());
  file.write<std::int64_t>(counts_path, position.magnitude_counts);
  file.sync();
  saved(begin);
}

std::optional<ForwardStart> Bookmark::forward(std::size_t checkpoint) const {
  try {
    const std::optional<RunFile> file = open_bookmark(path_, identity_, stream_path);
    if (!file || number(*file, "checkpoint") != checkpoint) return {};
    const std::vector<std::uint64_t> shape = file->shape(stream_path);
    ForwardStart start{{number(*file, "first_token"), static_cast<std::int64_t>(number(*file, "next_layer"))},
                       Matrix(shape.at(0), shape.at(1))};
    std::ranges::copy(file->read<float>(stream_path), start.x.values.begin());
    return start;
  } catch (const std::exception&) {  // it only saves time
    return {};
  }
}

std::optional<WeightPosition> Bookmark::weights() const {
  try {
    const std::optional<RunFile> file = open_bookmark(path_, identity_, counts_path);
    if (!file) return {};
    return WeightPosition{number(*file, "next_weight"), file->read<std::int64_t>(counts_path)};
  } catch (const std::exception&) {
    return {};
  }
}

void Bookmark::remove() {
  std::filesystem::remove(path_);
  std::error_code ignored;  // what a killed process left half written is never read
  std::filesystem::remove(path_.string() + ".partial", ignored);
}

}  // namespace moescope
