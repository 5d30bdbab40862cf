#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace moescope {
namespace {

int descriptor(Stream stream) {
  return stream == Stream::out ? STDOUT_FILENO : STDERR_FILENO;
}

std::string printed(const char* format, int digits, double number) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, digits, number);
  return buffer.data();
}

// `number` in the largest of `units`, each `base` times the one before, in which it is at least 1.
template <std::size_t N>
std::string scaled(double number, double base, const std::array<const char*, N>& units) {
  std::size_t unit = 0;
  while (unit + 1 < N && std::abs(number) >= base * 0.99995) {
    number /= base;
    ++unit;
  }
  const bool whole = unit == 0 && number == std::floor(number);
  return printed("%.*f", whole ? 0 : 1, number) + units[unit];
}

std::string styled(const char* code, const std::string& text) {
  return has_colour(Stream::out) ? code + text + "\033[0m" : text;
}

void append_padded(std::string& line, const std::string& cell, std::size_t width, Table::Align align) {
  const std::string padding(width - std::min(width, display_width(cell)), ' ');
  line += align == Table::Align::left ? cell + padding : padding + cell;
}

}  // namespace

bool is_terminal(Stream stream) {
  return isatty(descriptor(stream)) != 0;
}

unsigned terminal_width(Stream stream) {
  winsize size{};
  if (!is_terminal(stream) || ioctl(descriptor(stream), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    return 80;
  return size.ws_col;
}

bool has_colour(Stream stream) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  if (no_colour && *no_colour) return false;
  return is_terminal(stream) && terminal && std::string_view(terminal) != "dumb";
}

std::string bold(const std::string& text) {
  return styled("\033[1m", text);
}
std::string faint(const std::string& text) {
  return styled("\033[2m", text);
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
  std::string result;
  std::size_t column = indent;
  while (!text.empty()) {
    const std::size_t end = text.find_first_of(" \n");
    const std::string_view word = text.substr(0, end);
    const std::size_t word_width = display_width(word);
    const bool begins_line = result.empty() || result.back() == '\n';
    if (!begins_line && !word.empty() && column + word_width > width && column > indent) {
      while (result.back() == ' ') result.pop_back();
      result.append("\n").append(indent, ' ');
      column = indent;
    }
    if (begins_line && !result.empty() && !word.empty()) result.append(indent, ' ');
    result += word;
    column += word_width;
    if (end == std::string_view::npos) break;
    if (text[end] == '\n') {
      result += '\n';
      column = indent;
    } else {
      result += ' ';
      ++column;
    }
    text.remove_prefix(end + 1);
  }
  return result;
}

std::string format_count(double number) {
  if (std::isnan(number) || std::abs(number) < 1e4) return format_value(number);
  return scaled(number, 1e3, std::array{"", " K", " M", " B", " T"});
}

std::string format_bytes(double bytes) {
  return scaled(bytes, 1e3, std::array{" B", " kB", " MB", " GB", " TB", " PB"});
}

std::string format_flops(double flops) {
  return scaled(flops, 1e3, std::array{" FLOP", " kFLOP", " MFLOP", " GFLOP", " TFLOP", " PFLOP", " EFLOP"});
}

std::string format_memory(double bytes) {
  return scaled(bytes, 1024, std::array{" B", " KiB", " MiB", " GiB", " TiB", " PiB"});
}

std::string format_duration(double seconds) {
  if (seconds < 9.95) return printed("%.*f s", 1, seconds);
  const auto whole = static_cast<long long>(std::llround(seconds));
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  return std::to_string(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
}

std::string format_value(double number, int digits) {
  return std::isnan(number) ? "-" : printed("%.*g", digits, number);
}

std::string format_fixed(double number, int decimals) {
  return std::isnan(number) ? "-" : printed("%.*f", decimals, number);
}

std::string format_percent(double share) {
  return printed("%.*f %%", 1, 100 * share);
}

std::string plural(std::uint64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string plural(std::uint64_t count, const std::string& singular, const std::string& plural) {
  return std::to_string(count) + " " + (count == 1 ? singular : plural);
}

std::string shell_quoted(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_of(" \t\n\"'\\$&;|<>*?()[]{}`!#~") == std::string::npos;
  if (plain) return word;
  std::string text = "'";
  for (char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\033') {
      i = std::min(text.find('m', i), text.size() - 1);
    } else if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) {
      ++width;  // continuation bytes take no column
    }
  }
  return width;
}

std::string Table::text(std::size_t indent) const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    widths.push_back(display_width(columns_[c].heading));
    for (const auto& row : rows_) widths[c] = std::max(widths[c], c < row.size() ? display_width(row[c]) : 0);
  }
  const auto line_of = [&](const std::vector<std::string>& cells) {
    std::string line(indent, ' ');
    for (std::size_t c = 0; c < cells.size(); ++c) {
      if (c > 0) line += "  ";
      append_padded(line, cells[c], widths[c], columns_[c].align);
    }
    return line.erase(line.find_last_not_of(' ') + 1) + "\n";
  };
  std::vector<std::string> headings;
  for (const Column& column : columns_) headings.push_back(faint(column.heading));
  std::string result = line_of(headings);
  if (result == "\n") result.clear();  // a list of facts has no headings
  for (const auto& row : rows_) result += line_of(row);
  return result;
}

}  // namespace moescope
