#include "readers/run_table.h"

#include <algorithm>

#include "readers/closest_names.h"
#include "readers/errors.h"
#include "readers/row_writer.h"

namespace moescope {
namespace {

constexpr std::uint64_t block_elements = 1 << 18;  // at most so many are read at once

/// Positions [begin, end) within each axis.
struct Block {
  std::vector<std::size_t> begin, end;
};

/// The largest block from `begin` on that is read at once: single indices of leading axes, a run of one axis,
/// and all of those after it.
Block block_at(const std::vector<TableAxis>& axes, std::vector<std::size_t> begin) {
  Block block{begin, begin};
  std::uint64_t elements = 1;
  bool whole = true;
  for (std::size_t i = axes.size(); i-- > 0;) {
    const auto& indices = axes[i].indices;
    const std::uint64_t room = whole ? std::max<std::uint64_t>(block_elements / elements, 1) : 1;
    std::size_t& end = block.end[i];
    while (end < indices.size() && indices[end] - indices[begin[i]] < room) ++end;
    elements *= indices[end - 1] - indices[begin[i]] + 1;
    whole = whole && begin[i] == 0 && end == indices.size();
  }
  return block;
}

/// Moves on to the block after `block`; false after the last one.
bool next_block(const std::vector<TableAxis>& axes, const Block& block, std::vector<std::size_t>& begin) {
  for (std::size_t i = axes.size(); i-- > 0;) {
    begin[i] = block.end[i];
    if (begin[i] < axes[i].indices.size()) return true;
    begin[i] = 0;
  }
  return false;
}

Slab slab_of(const std::vector<TableAxis>& axes, const Block& block) {
  Slab slab;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    slab.start.push_back(axes[i].indices[block.begin[i]]);
    slab.count.push_back(axes[i].indices[block.end[i] - 1] - slab.start.back() + 1);
  }
  return slab;
}

std::string axis_cell(const TableAxis& axis, std::size_t position) {
  if (!axis.cells.empty()) return axis.cells[position];
  return std::to_string(axis.indices[position]);
}

/// Moves on to the next row of `block`; false after the last one.
bool next_position(const Block& block, std::vector<std::size_t>& position) {
  for (std::size_t i = position.size(); i-- > 0;) {
    if (++position[i] < block.end[i]) return true;
    position[i] = block.begin[i];
  }
  return false;
}

/// One row for each element of `block` that is kept; `values` are those of its slab.
template <class T>
void add_rows(const std::vector<TableAxis>& axes, const Block& block, const std::vector<T>& values,
              TableFormat format, RowWriter& writer) {
  const Slab slab = slab_of(axes, block);
  std::vector<std::size_t> position = block.begin;
  std::vector<std::string> cells;
  do {
    std::uint64_t offset = 0;
    cells.clear();
    for (std::size_t i = 0; i < axes.size(); ++i) {
      offset = offset * slab.count[i] + axes[i].indices[position[i]] - slab.start[i];
      if (!axes[i].name.empty()) cells.push_back(axis_cell(axes[i], position[i]));
    }
    cells.push_back(table_cell(values[offset], format));
    writer.add(cells);
  } while (next_position(block, position));
}

template <class T>
void add_all_rows(const RunFile& file, const std::string& path, const std::vector<TableAxis>& axes,
                  TableFormat format, RowWriter& writer) {
  std::vector<std::size_t> begin(axes.size(), 0);
  Block block;
  do {
    block = block_at(axes, begin);
    add_rows(axes, block, file.read<T>(path, slab_of(axes, block)), format, writer);
    writer.flush();
  } while (next_block(axes, block, begin));
}

std::string last_part(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

/// The paths in `paths` whose last part is `name`.
std::vector<std::string> paths_named(std::string_view name, const std::vector<std::string>& paths) {
  std::vector<std::string> named;
  for (const std::string& path : paths) {
    if (last_part(path) == name) named.push_back(path);
  }
  return named;
}

/// How `paths` are spelled by users: metrics by their name, the rest without the leading '/'.
std::vector<std::string> short_names(const std::vector<std::string>& paths) {
  std::vector<std::string> names;
  for (const std::string& path : paths) {
    names.push_back(path.starts_with("/metrics/") ? last_part(path) : path.substr(1));
  }
  return names;
}

}  // namespace

std::string find_dataset(const RunFile& file, std::string_view name) {
  const std::vector<std::string> paths = file.datasets();
  const std::string bare(name.starts_with('/') ? name.substr(1) : name);
  for (const std::string& candidate : {"/metrics/" + bare, "/" + bare}) {
    if (std::ranges::binary_search(paths, candidate)) return candidate;
  }
  const std::vector<std::string> named = paths_named(bare, paths);
  if (named.size() == 1) return named.front();
  const std::string quoted = "'" + std::string(name) + "'";
  if (named.size() > 1)
    throw UsageError(quoted + " is ambiguous", "it may be " + name_list(short_names(named)));
  const std::vector<std::string> near = closest_names(bare, short_names(paths));
  throw UsageError(file.path().string() + " has no dataset or metric " + quoted,
                   near.empty() ? "" : "did you mean " + name_list(near) + "?");
}

void write_table(const RunFile& file, const std::string& path, const TableSelection& selection,
                 TableFormat format, std::ostream& out) {
  const std::vector<TableAxis> axes = table_axes(file, path, selection, format);
  std::vector<std::string> columns;
  for (const TableAxis& axis : axes) {
    if (!axis.name.empty()) columns.push_back(axis.name);
  }
  columns.push_back(last_part(path));
  RowWriter writer(format, columns, out);
  const bool empty = std::ranges::any_of(axes, [](const TableAxis& axis) { return axis.indices.empty(); });
  if (!empty) {
    switch (file.describe(path).type) {
      case ElementType::text:
        add_all_rows<std::string>(file, path, axes, format, writer);
        break;
      case ElementType::f4:
        add_all_rows<float>(file, path, axes, format, writer);
        break;
      case ElementType::f8:
        add_all_rows<double>(file, path, axes, format, writer);
        break;
      default:
        add_all_rows<std::int64_t>(file, path, axes, format, writer);
    }
  }
  writer.finish();
}

}  // namespace moescope
