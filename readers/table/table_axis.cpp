#include "readers/table/table_axis.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <string_view>

#include "readers/errors.h"
#include "readers/text/closest_names.h"
#include "readers/text/name_list.h"

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

/// "did you mean a? the file has a, b, c": what is near first, then what there is.
std::string known_names(std::string_view owner, std::string_view name,
                        const std::vector<std::string>& names) {
  const std::vector<std::string> near = closest_names(name, names);
  return (near.empty() ? "" : "did you mean " + name_list(near) + "? ") + std::string(owner) + " has " +
         name_list(names);
}

std::string known_labels(const std::string& label, const Labels& labels, std::uint64_t size) {
  if (labels.texts.empty()) return "there are " + std::to_string(size) + ", counted from 0";
  if (labels.type == ElementType::text) return known_names("the file", label, labels.texts);
  return "the file has " + name_list(labels.texts);
}

std::uint64_t index_of(const std::string& label, const std::string& dimension, const Labels& labels,
                       std::uint64_t size) {
  if (labels.texts.empty()) {
    if (const std::uint64_t index = parse_index(label, size); index < size) return index;
  } else if (labels.type == ElementType::text) {
    if (const auto index = find_name(labels.texts, label)) return *index;
  } else if (const auto found = std::ranges::find(labels.texts, label); found != labels.texts.end()) {
    return static_cast<std::uint64_t>(found - labels.texts.begin());
  }
  throw UsageError("no " + dimension + " is called '" + label + "'", known_labels(label, labels, size));
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
  TableAxis axis{
      dimension, 0, kept_indices(dimension, labels, size, wanted_labels(selection, dimension)), {}};
  if (labels.texts.empty()) return axis;
  for (const std::uint64_t index : axis.indices) {
    const std::string& text = labels.texts.at(index);
    axis.cells.push_back(labels.type == ElementType::text ? table_cell(std::string_view(text), format)
                                                          : text);
  }
  return axis;
}

/// The index of `name` in `dimensions`; throws UsageError.
std::size_t dimension_called(const std::string& name, const std::string& path,
                             const std::vector<std::string>& dimensions) {
  auto found = std::ranges::find(dimensions, name);
  if (found == dimensions.end() && name == "layer") found = std::ranges::find(dimensions, "moe_layer");
  if (found != dimensions.end()) return static_cast<std::size_t>(found - dimensions.begin());
  throw UsageError(path + " has no dimension '" + name + "'",
                   dimensions.empty() ? "it is a single value" : known_names("it", name, dimensions));
}

}  // namespace

std::vector<TableAxis> table_axes(const RunFile& file, const std::string& path,
                                  const TableSelection& selection, TableFormat format) {
  const std::vector<std::string> dimensions = file.describe(path).dimensions;
  const std::vector<std::uint64_t> shape = file.shape(path);
  for (const auto& [dimension, labels] : selection) dimension_called(dimension, path, dimensions);
  std::vector<TableAxis> axes;
  for (std::size_t i = 0; i < dimensions.size(); ++i) {
    axes.push_back(make_axis(file, dimensions[i], shape.at(i), selection, format));
    axes.back().dimension = i;
  }
  if (axes.size() == 1 && path == "/" + axes[0].name) axes[0].name.clear();
  return axes;
}

void move_to_end(std::vector<TableAxis>& axes, const std::string& name, const std::string& path) {
  std::vector<std::string> names;
  for (const TableAxis& axis : axes) names.push_back(axis.name);
  if (names == std::vector<std::string>{""})
    throw UsageError(path + " labels a dimension: it has no wide form");
  const auto moved = axes.begin() + static_cast<std::ptrdiff_t>(dimension_called(name, path, names));
  std::rotate(moved, moved + 1, axes.end());
}

std::vector<std::string> wide_columns(const RunFile& file, const std::vector<TableAxis>& axes) {
  const TableAxis& wide = axes.back();
  const Labels labels = read_labels(file, wide.name);
  std::vector<std::string> columns;
  for (const std::uint64_t index : wide.indices) {
    const std::string label = labels.texts.empty() ? std::to_string(index) : labels.texts.at(index);
    const bool word = !labels.texts.empty() && labels.type == ElementType::text;
    const bool taken = std::ranges::count(axes, label, &TableAxis::name) > 0;
    columns.push_back(word && !taken ? label : wide.name + "_" + label);
  }
  return columns;
}

}  // namespace moescope
