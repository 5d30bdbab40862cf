#include "analysis/runs/bookmark.h"

#include <algorithm>
#include <exception>
#include <initializer_list>
#include <span>
#include <system_error>

#include "readers/errors.h"
#include "readers/files/sha256.h"
#include "readers/run_file/run_file.h"

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

/// A pass goes on with these values as they are, so that one altered bit would alter all that follows.
constexpr const char* digest_name = "sha256";

struct Number {
  const char* name;
  std::int64_t value;
};
using Numbers = std::vector<Number>;

/// Of all that a bookmark holds.
template <class T>
std::string digest(const std::string& identity, const Numbers& numbers, std::span<const T> values) {
  Sha256 sha256;
  sha256.update(identity);
  for (const Number& number : numbers)
    sha256.update(std::string(" ") + number.name + " " + std::to_string(number.value));
  sha256.update(std::as_bytes(values));
  return sha256.hex();
}

template <class T>
void save_all(const std::filesystem::path& path, const std::string& identity, const Numbers& numbers,
              const std::vector<std::uint64_t>& shape, const DatasetSpec& spec, std::span<const T> values) {
  RunFile file = RunFile::create(path);
  file.set_attribute("/", "identity", identity);
  for (const Number& number : numbers) file.set_attribute("/", number.name, number.value);
  file.set_attribute("/", digest_name, digest(identity, numbers, values));
  for (std::size_t i = 0; i < shape.size(); ++i) file.define_dimension(spec.dimensions[i], shape[i]);
  file.define(spec);
  file.write<T>(spec.path, values);
  file.sync();
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
  return seconds_since(last_) >= wait_;
}

void Bookmark::saved(Clock::time_point begin) {
  last_ = Clock::now();
  wait_ = std::max(seconds_, std::chrono::duration<double>(last_ - begin).count() / longest_share);
}

void Bookmark::save(std::size_t checkpoint, const ForwardPosition& position, const Matrix& x) {
  const Clock::time_point begin = Clock::now();
  save_all<float>(path_, identity_,
                  {{"checkpoint", static_cast<std::int64_t>(checkpoint)},
                   {"first_token", static_cast<std::int64_t>(position.first_token)},
                   {"next_layer", position.next_layer}},
                  {x.rows, x.columns}, stream_spec(), x.values);
  saved(begin);
}

void Bookmark::save(const WeightPosition& position) {
  const Clock::time_point begin = Clock::now();
  save_all<std::int64_t>(path_, identity_, {{"next_weight", static_cast<std::int64_t>(position.next)}},
                         {position.magnitude_counts.size()}, counts_spec(), position.magnitude_counts);
  saved(begin);
}

namespace {

/// Reads the numbers of these names; throws where one is missing or they and the values are not those that
/// were saved.
template <class T>
std::vector<std::int64_t> checked_numbers(const RunFile& file, const std::string& identity,
                                          std::initializer_list<const char*> names,
                                          std::span<const T> values) {
  Numbers numbers;
  std::vector<std::int64_t> found;
  for (const char* name : names) {
    found.push_back(std::get<std::int64_t>(file.attribute("/", name).value()));
    numbers.push_back({name, found.back()});
  }
  if (file.attribute("/", digest_name) != AttributeValue(digest(identity, numbers, values)))
    throw FormatError(file.path().string(), {}, "is damaged");
  return found;
}

}  // namespace

std::optional<ForwardStart> Bookmark::forward(std::size_t checkpoint) const {
  try {
    const std::optional<RunFile> file = open_bookmark(path_, identity_, stream_path);
    if (!file) return {};
    const std::vector<float> values = file->read<float>(stream_path);
    const std::vector<std::int64_t> numbers =
        checked_numbers<float>(*file, identity_, {"checkpoint", "first_token", "next_layer"}, values);
    if (static_cast<std::size_t>(numbers[0]) != checkpoint) return {};
    const std::vector<std::uint64_t> shape = file->shape(stream_path);
    ForwardStart start{{static_cast<std::size_t>(numbers[1]), numbers[2]}, Matrix(shape.at(0), shape.at(1))};
    std::ranges::copy(values, start.x.values.begin());
    return start;
  } catch (const std::exception&) {  // it only saves time
    return {};
  }
}

std::optional<WeightPosition> Bookmark::weights() const {
  try {
    const std::optional<RunFile> file = open_bookmark(path_, identity_, counts_path);
    if (!file) return {};
    std::vector<std::int64_t> counts = file->read<std::int64_t>(counts_path);
    const std::vector<std::int64_t> numbers =
        checked_numbers<std::int64_t>(*file, identity_, {"next_weight"}, counts);
    return WeightPosition{static_cast<std::size_t>(numbers[0]), std::move(counts)};
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
