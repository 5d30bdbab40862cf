#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "readers/series.h"

namespace moescope {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

// The name in lower case, cut at '-', '_', '/' and blanks: "step5000-tokens20B" is {"step5000", "tokens20b"}.
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words{std::string()};
  for (const char c : lower(name)) {
    if (c == '-' || c == '_' || c == '/' || c == ' ') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  return words;
}

/// A number at the beginning of a word, and what follows it.
struct Quantity {
  double number;
  std::string_view unit;
};

std::optional<Quantity> parse_quantity(std::string_view word) {
  if (word.empty() || word[0] < '0' || word[0] > '9') return std::nullopt;
  double number = 0;
  const char* end = word.data() + word.size();
  const auto [rest, error] = std::from_chars(word.data(), end, number, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(number)) return std::nullopt;
  return Quantity{number, std::string_view(rest, static_cast<std::size_t>(end - rest))};
}

// Of "", "k", "m", "b", "t"; also with a further t for tokens, as in "2bt".
std::optional<double> unit_factor(std::string_view unit) {
  if (unit.size() == 2 && unit[1] == 't') unit.remove_suffix(1);
  if (unit.empty()) return 1;
  if (unit == "k") return 1e3;
  if (unit == "m") return 1e6;
  if (unit == "b") return 1e9;
  if (unit == "t") return 1e12;
  return std::nullopt;
}

std::optional<double> parse_amount(std::string_view word) {
  const auto quantity = parse_quantity(word);
  const auto factor = quantity ? unit_factor(quantity->unit) : std::nullopt;
  return factor ? std::optional(quantity->number * *factor) : std::nullopt;
}

// "5t" and "2bt" can only be tokens. "7b" alone is the size of a model more often than not.
std::optional<double> parse_unmistakable_tokens(std::string_view word) {
  const auto quantity = parse_quantity(word);
  if (!quantity || !quantity->unit.ends_with('t')) return std::nullopt;
  return parse_amount(word);
}

std::optional<double> parse_count(std::string_view word) {
  const auto quantity = parse_quantity(word);
  return quantity && quantity->unit.empty() ? std::optional(quantity->number) : std::nullopt;
}

// The value that belongs to `label`: in the same word ("tokens20b") or in the next ("step", "001000").
std::optional<double> labelled(std::string_view label, const std::vector<std::string>& words,
                               std::size_t index, std::optional<double> (*parse)(std::string_view)) {
  const std::string_view word = words[index];
  if (!word.starts_with(label)) return std::nullopt;
  if (word.size() > label.size()) return parse(word.substr(label.size()));
  return index + 1 < words.size() ? parse(words[index + 1]) : std::nullopt;
}

std::optional<double> find_tokens(const std::vector<std::string>& words) {
  std::optional<double> tokens;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (const auto value = labelled("tokens", words, i, parse_amount)) return value;
    if (i > 0 && words[i] == "tokens" && parse_amount(words[i - 1])) return parse_amount(words[i - 1]);
    if (const auto value = parse_unmistakable_tokens(words[i])) tokens = value;
  }
  return tokens;
}

std::optional<double> find_step(const std::vector<std::string>& words) {
  if (words.size() == 1 && words[0].find_first_not_of("0123456789") == std::string::npos) {
    return parse_count(words[0]);
  }
  constexpr std::array<std::string_view, 6> labels{"step",      "steps",      "iter",
                                                   "iteration", "checkpoint", "ckpt"};
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (const std::string_view label : labels) {
      if (const auto value = labelled(label, words, i, parse_count)) return value;
    }
  }
  return std::nullopt;
}

}  // namespace

NamedProgress parse_checkpoint_name(std::string_view name) {
  const std::vector<std::string> words = words_of(name);
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  return {find_tokens(words).value_or(unknown), find_step(words).value_or(unknown)};
}

}  // namespace moescope
