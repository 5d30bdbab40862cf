#pragma once
/// What people see: widths, colours, tables and numbers in words. Nothing here writes.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moescope {

enum class Stream { out, error };

bool is_terminal(Stream stream);
/// Columns of the terminal, 80 when there is none: output that goes to a file is the same everywhere.
unsigned terminal_width(Stream stream);
/// On a terminal that is not dumb, and NO_COLOR is not set (https://no-color.org).
bool has_colour(Stream stream);

/// `text` in bold or faint letters where standard output has colour, else as it is.
std::string bold(const std::string& text);
std::string faint(const std::string& text);

/// Breaks lines at blanks so that none is longer than `width`; lines after the first begin with `indent`
/// blanks. Line breaks in the text stay.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width);

/// "142.8 B", "819.2 K", "42": thousand, million, billion and trillion, four digits; "-" for NaN.
std::string format_count(double number);
/// Decimal, as disks and downloads are measured: "285.5 GB".
std::string format_bytes(double bytes);
/// Operations: "115.9 TFLOP".
std::string format_flops(double flops);
/// Binary, as memory is measured: "4.3 GiB".
std::string format_memory(double bytes);
/// "0.4 s", "12 s", "3 min 20 s", "2 h 5 min".
std::string format_duration(double seconds);
/// At most `digits` significant digits, no superfluous zeros; "-" for NaN.
std::string format_value(double number, int digits = 4);
/// With so many decimals; "-" for NaN.
std::string format_fixed(double number, int decimals);
/// "60.0 %" of 0.6.
std::string format_percent(double share);
/// "1 shard", "2 shards".
std::string plural(std::uint64_t count, const std::string& noun);
/// Where the plural is irregular: "1 matrix", "2 matrices".
std::string plural(std::uint64_t count, const std::string& singular, const std::string& plural);

/// A word as it can be typed to a shell.
std::string shell_quoted(const std::string& word);

/// Columns on the screen that a UTF-8 string takes, escape sequences not counted.
std::size_t display_width(std::string_view text);

/// Rows of cells, aligned: text to the left, numbers to the right. Under headings, unless all of them are
/// empty.
class Table {
 public:
  enum class Align { left, right };
  struct Column {
    std::string heading;
    Align align = Align::left;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  /// Every line begins with `indent` blanks and ends without any.
  std::string text(std::size_t indent = 2) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace moescope
