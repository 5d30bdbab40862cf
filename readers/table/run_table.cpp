#include "readers/table/run_table.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "readers/errors.h"
#include "readers/table/row_writer.h"
#include "readers/text/closest_names.h"
#include "readers/text/name_list.h"

namespace moescope {
namespace {

constexpr std::uint64_t block_elements = 1 << 18;  // at most so many are read at once, or one wide row

/// What is written: the axes, of which the last one gives the columns where the table is wide.
struct Table {
  std::vector<TableAxis> axes;
  TableFormat format = TableFormat::csv;
  bool wide = false;
};

/// Positions [begin, end) within each axis.
struct Block {
  std::vector<std::size_t> begin, end;
};

/// The largest block from `begin` on that is read at once: single indices of leading axes, a run of one axis,
/// and all of those after it. A wide table's last axis is never cut.
Block block_at(const Table& table, std::vector<std::size_t> begin) {
  const std::vector<TableAxis>& axes = table.axes;
  Block block{begin, begin};
  std::uint64_t elements = 1;
  bool whole = true;
  for (std::size_t i = axes.size(); i-- > 0;) {
    const auto& indices = axes[i].indices;
    std::uint64_t room = whole ? std::max<std::uint64_t>(block_elements / elements, 1) : 1;
    if (table.wide && i + 1 == axes.size()) room = std::numeric_limits<std::uint64_t>::max();
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
  Slab slab{std::vector<std::uint64_t>(axes.size()), std::vector<std::uint64_t>(axes.size())};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::uint64_t first = axes[i].indices[block.begin[i]], last = axes[i].indices[block.end[i] - 1];
    slab.start[axes[i].dimension] = first;
    slab.count[axes[i].dimension] = last - first + 1;
  }
  return slab;
}

/// How far apart, among the elements of `slab`, neighbours along each axis lie.
std::vector<std::uint64_t> strides_of(const std::vector<TableAxis>& axes, const Slab& slab) {
  std::vector<std::uint64_t> strides(axes.size(), 1);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    for (std::size_t inner = axes[i].dimension + 1; inner < axes.size(); ++inner)
      strides[i] *= slab.count[inner];
  }
  return strides;
}

/// Where the element at `position` of a slab that begins at `begin` lies.
std::size_t offset_in(const std::vector<TableAxis>& axes, const std::vector<std::uint64_t>& strides,
                      const std::vector<std::size_t>& begin, const std::vector<std::size_t>& position) {
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < axes.size(); ++i)
    offset += (axes[i].indices[position[i]] - axes[i].indices[begin[i]]) * strides[i];
  return offset;
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

/// The labels of the row at `position`.
std::vector<std::string> label_cells(const Table& table, const std::vector<std::size_t>& position) {
  std::vector<std::string> cells;
  const std::size_t count = table.axes.size() - (table.wide ? 1 : 0);
  for (std::size_t i = 0; i < count; ++i) {
    if (!table.axes[i].name.empty()) cells.push_back(axis_cell(table.axes[i], position[i]));
  }
  return cells;
}

/// The rows of the elements of `block` that are kept; `values` are those of its slab.
template <class T>
void add_rows(const Table& table, const Block& block, const std::vector<T>& values, RowWriter& writer) {
  const auto strides = strides_of(table.axes, slab_of(table.axes, block));
  std::vector<std::size_t> position = block.begin;
  std::vector<std::string> cells;
  do {
    if (!table.wide || position.back() == block.begin.back()) cells = label_cells(table, position);
    cells.push_back(table_cell(values[offset_in(table.axes, strides, block.begin, position)], table.format));
    if (!table.wide || position.back() + 1 == block.end.back()) writer.add(cells);
  } while (next_position(block, position));
}

template <class T>
void add_all_rows(const RunFile& file, const std::string& path, const Table& table, RowWriter& writer) {
  std::vector<std::size_t> begin(table.axes.size(), 0);
  Block block;
  do {
    block = block_at(table, begin);
    add_rows(table, block, file.read<T>(path, slab_of(table.axes, block)), writer);
    writer.flush();
  } while (next_block(table.axes, block, begin));
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

/// The names of the columns: of the axes, then of the values.
std::vector<std::string> columns_of(const RunFile& file, const std::string& path, const Table& table) {
  std::vector<std::string> columns;
  for (const TableAxis& axis : table.axes) {
    if (!axis.name.empty()) columns.push_back(axis.name);
  }
  if (!table.wide) {
    columns.push_back(last_part(path));
    return columns;
  }
  columns.pop_back();
  for (std::string& column : wide_columns(file, table.axes)) columns.push_back(std::move(column));
  return columns;
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
                 TableFormat format, std::ostream& out, const std::string& wide) {
  Table table{table_axes(file, path, selection, format), format, !wide.empty()};
  if (table.wide) move_to_end(table.axes, wide, path);
  RowWriter writer(format, columns_of(file, path, table), out);
  const bool empty =
      std::ranges::any_of(table.axes, [](const TableAxis& axis) { return axis.indices.empty(); });
  if (!empty) {
    switch (file.describe(path).type) {
      case ElementType::text:
        add_all_rows<std::string>(file, path, table, writer);
        break;
      case ElementType::f4:
        add_all_rows<float>(file, path, table, writer);
        break;
      case ElementType::f8:
        add_all_rows<double>(file, path, table, writer);
        break;
      default:
        add_all_rows<std::int64_t>(file, path, table, writer);
    }
  }
  writer.finish();
}

}  // namespace moescope
