#include "readers/table_axis.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <string_view>

#include "readers/closest_names.h"
#include "readers/errors.h"

namespace moescope {
namespace {

/// A dimension's labels as plain text; `texts` is empty for a dimension that has none.
struct Labels {
  ElementType type = ElementType::text;
  std::vector<std::string> texts;
};

template <class T>
std::vector<std::string> number_texts(const std::vector<T>& values) {
  std::vector<std::string> texts;
  texts.reserve(values.size());
  for (const T value : values) texts.push_back(table_cell(value, TableFormat::csv));
  return texts;
}

Labels read_labels(const RunFile& file, const std::string& dimension) {
  const std::string path = "/" + dimension;
  if (!std::ranges::binary_search(file.datasets(), path)) return {};
  const ElementType type = file.describe(path).type;
  if (type == ElementType::text) return {type, file.read<std::string>(path)};
  if (type == ElementType::f4 || type == ElementType::f8)
    return {type, number_texts(file.read<double>(path))};
  return {type, number_texts(file.read<std::int64_t>(path))};
}

/// The labels that `selection` wants of `dimension`; null when it wants all.
const std::vector<std::string>* wanted_labels(const TableSelection& selection, const std::string& dimension) {
  auto found = selection.find(dimension);
  if (found == selection.end() && dimension == "moe_layer") found = selection.find("layer");
  return found == selection.end() ? nullptr : &found->second;
}

/// `size` when `text` is not a number.
std::uint64_t parse_index(const std::string& text, std::uint64_t size) {
  std::uint64_t index = 0;
  const char* end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, index);
  return error == std::errc() && parsed == end ? index : size;
}

std::uint64_t index_of(const std::string& label, const std::string& dimension, const Labels& labels,
                       std::uint64_t size) {
  const bool bare = labels.texts.empty();
  const auto found = std::ranges::find(labels.texts, label);
  const std::uint64_t index =
      bare ? parse_index(label, size) : static_cast<std::uint64_t>(found - labels.texts.begin());
  if (index < size) return index;
  throw UsageError("no " + dimension + " is called '" + label + "'",
                   bare ? "there are " + std::to_string(size) + ", counted from 0"
                        : "the file has " + name_list(labels.texts));
}

std::vector<std::uint64_t> kept_indices(const std::string& dimension, const Labels& labels,
                                        std::uint64_t size, const std::vector<std::string>* wanted) {
  std::vector<std::uint64_t> indices;
  if (wanted == nullptr) {
    indices.resize(size);
    std::iota(indices.begin(), indices.end(), std::uint64_t{0});
    return indices;
  }
  for (const std::string& label : *wanted) indices.push_back(index_of(label, dimension, labels, size));
  std::ranges::sort(indices);
  indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
  return indices;
}

TableAxis make_axis(const RunFile& file, const std::string& dimension, std::uint64_t size,
                    const TableSelection& selection, TableFormat format) {
  const Labels labels = read_labels(file, dimension);
  TableAxis axis{dimension, kept_indices(dimension, labels, size, wanted_labels(selection, dimension)), {}};
  if (labels.texts.empty()) return axis;
  for (const std::uint64_t index : axis.indices) {
    const std::string& text = labels.texts.at(index);
    axis.cells.push_back(labels.type == ElementType::text ? table_cell(std::string_view(text), format)
                                                          : text);
  }
  return axis;
}

void check_selection(const TableSelection& selection, const std::string& path,
                     const std::vector<std::string>& dimensions) {
  const auto has = [&](std::string_view name) { return std::ranges::count(dimensions, name) > 0; };
  for (const auto& [dimension, labels] : selection) {
    if (has(dimension) || (dimension == "layer" && has("moe_layer"))) continue;
    throw UsageError(path + " has no dimension '" + dimension + "'",
                     dimensions.empty() ? "it is a single value" : "it has " + name_list(dimensions));
  }
}

}  // namespace

std::vector<TableAxis> table_axes(const RunFile& file, const std::string& path,
                                  const TableSelection& selection, TableFormat format) {
  const std::vector<std::string> dimensions = file.describe(path).dimensions;
  const std::vector<std::uint64_t> shape = file.shape(path);
  check_selection(selection, path, dimensions);
  std::vector<TableAxis> axes;
  for (std::size_t i = 0; i < dimensions.size(); ++i) {
    axes.push_back(make_axis(file, dimensions[i], shape.at(i), selection, format));
  }
  if (axes.size() == 1 && path == "/" + axes[0].name) axes[0].name.clear();
  return axes;
}

}  // namespace moescope
