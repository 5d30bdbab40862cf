#include "plots/figure/figure_text.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>

namespace moescope {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view ellipsis = "…";

/// Bytes of the well-formed UTF-8 sequence at the start of `text`, 0 if there is none (Unicode 15, table
/// 3-7).
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<std::uint8_t>(text[i]) : 0u; };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xC0u) == 0x80u; };
  const unsigned first = byte(0), second = byte(1);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool overlong = first == 0xE0 && second < 0xA0, surrogate = first == 0xED && second > 0x9F;
    return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool overlong = first == 0xF0 && second < 0x90, too_large = first == 0xF4 && second > 0x8F;
    return continues(1) && continues(2) && continues(3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
}

/// Whether a character is not allowed in XML 1.0, or turns the direction of the text around it.
bool is_control(std::string_view character) {
  const auto first = static_cast<std::uint8_t>(character[0]);
  if (character.size() == 1) return first < 0x20 || first == 0x7F;
  if (character.size() == 2) return first == 0xC2 && static_cast<std::uint8_t>(character[1]) < 0xA0;
  return character == "\xEF\xBF\xBE" || character == "\xEF\xBF\xBF" ||    // U+FFFE, U+FFFF
         (character >= "\xE2\x80\xA8" && character <= "\xE2\x80\xAE") ||  // U+2028 … U+202E
         (character >= "\xE2\x81\xA6" && character <= "\xE2\x81\xA9");    // U+2066 … U+2069
}

struct TokenUnit {
  double size;
  const char* name;
};
TokenUnit token_unit(double tokens) {
  for (const TokenUnit unit :
       {TokenUnit{1e12, " T"}, TokenUnit{1e9, " B"}, TokenUnit{1e6, " M"}, TokenUnit{1e3, " k"}}) {
    if (std::abs(tokens) >= unit.size) return unit;
  }
  return {1, ""};
}

std::string format_decimals(double value, int decimals) {
  if (std::isnan(value)) return "–";
  char text[400];  // the largest number has 309 digits
  std::snprintf(text, sizeof text, "%.*f", decimals, value == 0 ? 0.0 : value);
  return text;
}

/// In units of the font size, for DejaVu Sans, which is among the widest.
double character_width(std::string_view character) {
  if (character.size() >= 3) return character[0] == '\xE2' ? 0.75 : 1.0;  // punctuation; CJK and the like
  const char c = character[0];
  if (std::string_view("ijl.,:;|'!()[] ").find(c) != std::string_view::npos) return 0.36;
  if (std::string_view("mwMW@%").find(c) != std::string_view::npos) return 0.95;
  return c >= 'A' && c <= 'Z' ? 0.69 : 0.61;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    const std::string_view character = text.substr(0, std::max<std::size_t>(length, 1));
    if (length == 0) {
      clean += replacement;
    } else if (is_control(character)) {
      clean += ' ';
    } else {
      clean += character;
    }
    text.remove_prefix(character.size());
  }
  return clean;
}

std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> result;
  while (!text.empty()) {
    result.push_back(text.substr(0, std::max<std::size_t>(sequence_length(text), 1)));
    text.remove_prefix(result.back().size());
  }
  return result;
}

double text_width(std::string_view text, double font_size) {
  double width = 0;
  for (const std::string_view character : characters(text)) width += character_width(character);
  return width * font_size;
}

std::string shorten(std::string_view text, double width, double font_size) {
  if (text_width(text, font_size) <= width) return std::string(text);
  double used = text_width(ellipsis, font_size);
  std::string kept;
  for (const std::string_view character : characters(text)) {
    used += character_width(character) * font_size;
    if (used > width) break;
    kept += character;
  }
  return kept + std::string(ellipsis);
}

std::string format_number(double value, int digits) {
  if (std::isnan(value)) return "–";
  char text[40];
  const bool large = std::abs(value) >= std::pow(10.0, digits) && std::abs(value) < 1e7;
  if (large) {
    std::snprintf(text, sizeof text, "%.0f", value);
    return text;
  }
  std::snprintf(text, sizeof text, "%.*g", digits, value == 0 ? 0.0 : value);
  return text;
}

std::string format_percent(double share, int digits) {
  return format_number(100 * share, digits) + " %";
}

std::vector<std::string> format_column(const std::vector<double>& values, int digits) {
  constexpr int most_decimals = 6;
  double least = INFINITY;
  for (const double value : values) {
    if (std::isfinite(value) && value != 0) least = std::min(least, std::abs(value));
  }
  int decimals = std::isfinite(least) ? digits - 1 - static_cast<int>(std::floor(std::log10(least))) : 0;
  std::vector<std::string> cells;
  if (decimals > most_decimals) {
    for (const double value : values) cells.push_back(format_number(value, digits));
    return cells;
  }
  decimals = std::max(decimals, 0);
  for (const double value : values) cells.push_back(format_decimals(value, decimals));
  const auto is_superfluous = [&](std::size_t i) {
    return !std::isfinite(values[i]) || cells[i].back() == '0';
  };
  for (; decimals > 0; --decimals) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (!is_superfluous(i)) return cells;
    }
    for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = format_decimals(values[i], decimals - 1);
  }
  return cells;
}

std::string format_tokens(double tokens) {
  if (std::isnan(tokens)) return "–";
  const TokenUnit unit = token_unit(tokens);
  return format_number(tokens / unit.size) + unit.name;
}

std::vector<std::string> format_tokens_column(const std::vector<double>& tokens) {
  double most = 0;
  for (const double number : tokens) most = std::isfinite(number) ? std::max(most, number) : most;
  const TokenUnit unit = token_unit(most);
  std::vector<double> numbers = tokens;
  for (double& number : numbers) number /= unit.size;
  std::vector<std::string> cells = format_column(numbers);
  for (std::size_t i = 0; i < cells.size(); ++i) cells[i] += std::isfinite(tokens[i]) ? unit.name : "";
  return cells;
}

std::vector<std::string> without_common_prefix(const std::vector<std::string>& names) {
  if (names.size() < 2) return names;
  std::size_t common = names[0].size();
  for (const std::string& name : names) {
    const auto differ = std::mismatch(names[0].begin(), names[0].end(), name.begin(), name.end());
    common = std::min(common, static_cast<std::size_t>(differ.first - names[0].begin()));
  }
  const std::size_t cut = std::string_view(names[0]).substr(0, common).find_last_of("-_/ ");
  if (cut == std::string::npos || cut < 3) return names;
  std::vector<std::string> shorter;
  for (const std::string& name : names) shorter.push_back(name.substr(cut + 1));
  return std::find(shorter.begin(), shorter.end(), "") == shorter.end() ? shorter : names;
}

}  // namespace moescope
