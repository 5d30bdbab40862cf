#include "readers/checkpoint/checkpoint_name.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <string>

namespace moescope {
namespace {

using Words = std::vector<std::string>;
using Labels = std::initializer_list<std::string_view>;
using Parser = std::optional<double> (*)(std::string_view word);

bool is_number(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), is_digit);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

// The name in lower case, cut at blanks and signs: "step5000-tokens20B" is {"step5000", "tokens20b"}. A point
// between digits is one of a number.
Words words_of(std::string_view name) {
  Words words{std::string()};
  const std::string text = lower(name);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool decimal =
        text[i] == '.' && i > 0 && i + 1 < text.size() && is_digit(text[i - 1]) && is_digit(text[i + 1]);
    if (!decimal && std::string_view("-_/ =+,;:@.").find(text[i]) != std::string_view::npos) {
      words.emplace_back();
    } else {
      words.back() += text[i];
    }
  }
  return words;
}

bool has_word(const Words& words, Labels wanted) {
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    return std::find(wanted.begin(), wanted.end(), word) != wanted.end();
  });
}

/// A number at the beginning of a word, and what follows it.
struct LabelledNumber {
  double number;
  std::string_view unit;
};

std::optional<LabelledNumber> parse_quantity(std::string_view word) {
  if (word.empty() || !is_digit(word[0])) return std::nullopt;
  double number = 0;
  const char* end = word.data() + word.size();
  const auto [rest, error] = std::from_chars(word.data(), end, number, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(number)) return std::nullopt;
  return LabelledNumber{number, std::string_view(rest, static_cast<std::size_t>(end - rest))};
}

std::optional<double> unit_factor(std::string_view unit) {
  if (unit.empty()) return 1;
  if (unit == "k") return 1e3;
  if (unit == "m") return 1e6;
  if (unit == "b") return 1e9;
  if (unit == "t") return 1e12;
  return std::nullopt;
}

// "20b", and "20bt" with a further t for tokens.
std::optional<double> parse_tokens(std::string_view word) {
  const auto quantity = parse_quantity(word);
  if (!quantity) return std::nullopt;
  std::string_view unit = quantity->unit;
  if (unit.size() == 2 && unit[1] == 't') unit.remove_suffix(1);
  const auto factor = unit_factor(unit);
  return factor ? std::optional(quantity->number * *factor) : std::nullopt;
}

// Steps are whole, and no training has billions of them.
std::optional<double> parse_step(std::string_view word) {
  constexpr double most = 1e15;
  const auto quantity = parse_quantity(word);
  if (!quantity || quantity->unit == "b" || quantity->unit == "t") return std::nullopt;
  const auto factor = unit_factor(quantity->unit);
  const double step = factor ? std::round(quantity->number * *factor * 1e6) / 1e6 : not_named;
  return step <= most && step == std::floor(step) ? std::optional(step) : std::nullopt;
}

// "checkpoint-500M" rather tells tokens.
std::optional<double> parse_checkpoint_number(std::string_view word) {
  return word.ends_with('m') ? std::nullopt : parse_step(word);
}

std::optional<double> parse_number(std::string_view word) {
  return is_number(word) ? parse_step(word) : std::nullopt;
}

// The value of a label: in the same word ("tokens20b", "20btokens") or in the next ("step", "001000").
std::optional<double> labelled(std::string_view label, const Words& words, std::size_t index, Parser parse) {
  const std::string_view word = words[index];
  if (word == label) return index + 1 < words.size() ? parse(words[index + 1]) : std::nullopt;
  if (word.starts_with(label)) return parse(word.substr(label.size()));
  if (word.ends_with(label)) return parse(word.substr(0, word.size() - label.size()));
  return std::nullopt;
}

// "20B_tokens": a plural that a number of its own stands before.
std::optional<double> labelled_before(std::string_view label, const Words& words, std::size_t index,
                                      Parser parse) {
  const bool plural = label.ends_with('s') && words[index] == label;
  return plural && index > 0 ? parse(words[index - 1]) : std::nullopt;
}

std::optional<double> find_labelled(const Words& words, Labels labels, Parser parse) {
  for (const auto find : {labelled, labelled_before}) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      for (const std::string_view label : labels)
        if (const auto value = find(label, words, i, parse)) return value;
    }
  }
  return std::nullopt;
}

// The value after a label that is too short a word to stand alone, as in "ep3-ba2000".
std::optional<double> find_prefixed(const Words& words, std::string_view label) {
  for (const std::string& word : words) {
    if (!word.starts_with(label)) continue;
    if (const auto value = parse_number(std::string_view(word).substr(label.size()))) return value;
  }
  return std::nullopt;
}

// "2bt" says that tokens are counted.
std::optional<double> find_tokens(const Words& words) {
  if (const auto tokens = find_labelled(words, {"tokens", "token", "toks", "tok"}, parse_tokens))
    return tokens;
  for (const std::string& word : words) {
    const auto quantity = parse_quantity(word);
    if (quantity && quantity->unit.size() == 2 && quantity->unit[1] == 't') return parse_tokens(word);
  }
  return std::nullopt;
}

// Eight digits that are a day, as 20240131.
bool is_day(std::string_view digits) {
  if (digits.size() != 8) return false;
  const auto number = [&](std::size_t begin, std::size_t length) {
    int value = 0;
    std::from_chars(digits.data() + begin, digits.data() + begin + length, value);
    return value;
  };
  const auto within = [](int value, int least, int most) { return value >= least && value <= most; };
  return within(number(0, 4), 1990, 2099) && within(number(4, 2), 1, 12) && within(number(6, 2), 1, 31);
}

std::optional<double> find_step(const Words& words) {
  if (words.size() == 1 && is_number(words[0])) return is_day(words[0]) ? std::nullopt : parse_step(words[0]);
  if (const auto step = find_labelled(
          words, {"steps", "step", "iterations", "iteration", "iters", "iter", "globalstep", "updates"},
          parse_step)) {
    return step;
  }
  if (const auto step = find_labelled(words, {"checkpoint", "ckpt"}, parse_checkpoint_number)) return step;
  return find_prefixed(words, "ba");
}

std::optional<double> find_epoch(const Words& words) {
  const auto epoch = find_labelled(words, {"epochs", "epoch"}, parse_number);
  return epoch ? epoch : find_prefixed(words, "ep");
}

bool is_step_label(std::string_view word) {
  return word.starts_with("step") || word.starts_with("iter") || word.starts_with("checkpoint") ||
         word.starts_with("ckpt");
}

// What k counts are steps, or the length of texts ("32k").
std::vector<NamedAmount> find_amounts(const Words& words) {
  std::vector<NamedAmount> amounts;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto quantity = parse_quantity(words[i]);
    if (!quantity || (quantity->unit != "m" && quantity->unit != "b" && quantity->unit != "t")) continue;
    const bool step = std::any_of(words.begin() + static_cast<std::ptrdiff_t>(i), words.end(), is_step_label);
    amounts.push_back({quantity->number * *unit_factor(quantity->unit), quantity->unit == "t", step});
  }
  return amounts;
}

bool is_hash(std::string_view name) {
  if (!is_hexadecimal_name(name)) return false;
  constexpr std::size_t sha1_digits = 40, sha256_digits = 64;
  const bool some_digit = std::any_of(name.begin(), name.end(), is_digit);
  return (some_digit && !is_number(name)) || name.size() == sha1_digits || name.size() == sha256_digits;
}

void find_kind(CheckpointName& result, std::string_view name, const Words& words) {
  using Kind = CheckpointName::Kind;
  if (is_hash(name)) {
    result.kind = Kind::hash;
  } else if (has_word(words, {"averaged", "average", "avg", "ema", "swa", "soup", "merged", "mean"})) {
    result.kind = Kind::average;
  } else if (has_word(words, {"best"})) {
    result.kind = Kind::best;
  } else if (has_word(words, {"last", "latest", "final", "main"})) {
    result.kind = Kind::end;
    result.end_rank = has_word(words, {"main"}) ? 2 : has_word(words, {"final"}) ? 1 : 0;
  }
}

}  // namespace

bool is_hexadecimal_name(std::string_view name) {
  constexpr std::size_t shortest = 7, longest = 64;
  return name.size() >= shortest && name.size() <= longest &&
         name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

CheckpointName read_checkpoint_name(std::string_view name) {
  const Words words = words_of(name);
  CheckpointName result;
  find_kind(result, name, words);
  if (result.kind == CheckpointName::Kind::hash) return result;
  result.stage = find_labelled(words, {"stage", "phase"}, parse_number).value_or(not_named);
  result.ingredient = find_labelled(words, {"ingredient"}, parse_number).value_or(not_named);
  result.epoch = find_epoch(words).value_or(not_named);
  result.labelled = {find_tokens(words).value_or(not_named), find_step(words).value_or(not_named)};
  result.amounts = find_amounts(words);
  // An amount that a label names is told already.
  std::erase_if(result.amounts, [&](const NamedAmount& amount) {
    return amount.number == result.labelled.tokens || amount.number == result.labelled.step;
  });
  return result;
}

NamedProgress progress_of(const CheckpointName& name) {
  NamedProgress progress = name.labelled;
  if (!std::isnan(progress.tokens)) return progress;
  for (const NamedAmount& amount : name.amounts) {
    if (amount.trillions && !amount.before_step) progress.tokens = amount.number;
  }
  return progress;
}

}  // namespace moescope
