#include "cli/options.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <cctype>
#include <charconv>
#include <cmath>
#include <iostream>
#include <map>
#include <sstream>
#include <utility>

#include "cli/terminal.h"
#include "readers/errors.h"
#include "readers/text/closest_names.h"

namespace moescope {
namespace {

namespace po = boost::program_options;

constexpr char positional_name[] = "positional arguments";  // no option can be spelled with a blank

// "output,o" -> "output"
std::string long_name(const std::string& names) {
  return names.substr(0, names.find(','));
}

// "output,o" -> "-o, --output"
std::string spelled(const std::string& names) {
  const auto comma = names.find(',');
  if (comma == std::string::npos) return "    --" + names;
  return "-" + names.substr(comma + 1) + ", --" + names.substr(0, comma);
}

std::string joined(const std::vector<std::string>& words, const std::string& separator) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : separator) + word;
  return text;
}

std::uint64_t parse_number(const std::string& option, const std::string& value, std::uint64_t minimum) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < minimum) {
    throw UsageError(option + ": expected a whole number of at least " + std::to_string(minimum) +
                     ", found '" + value + "'");
  }
  return number;
}

// Boost's wording names styles and canonical forms; users get ours.
[[noreturn]] void rethrow_as_usage_error(const po::error& error, const std::vector<std::string>& names) {
  if (const auto* unknown = dynamic_cast<const po::unknown_option*>(&error)) {
    const std::string option = unknown->get_option_name();
    throw UsageError("unknown option '" + option + "'", did_you_mean(option, names));
  }
  if (const auto* bare = dynamic_cast<const po::error_with_option_name*>(&error)) {
    const std::string option = bare->get_option_name();
    if (dynamic_cast<const po::invalid_command_line_syntax*>(&error)) {
      const auto kind = dynamic_cast<const po::invalid_command_line_syntax&>(error).kind();
      if (kind == po::invalid_syntax::extra_parameter) throw UsageError(option + ": takes no value");
      throw UsageError(option + ": a value is missing");
    }
    if (dynamic_cast<const po::multiple_occurrences*>(&error))
      throw UsageError(option + ": given more than once");
  }
  throw UsageError(error.what());
}

}  // namespace

std::string alternatives(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 < names.size() ? ", " : " or ";
    text += names[i];
  }
  return text;
}

CommandLine::CommandLine(CommandText text) : text_(std::move(text)) {}

void CommandLine::flag(const std::string& names, bool* target, const std::string& meaning) {
  add({names, "", meaning, Kind::flag, [target](const auto&, const auto&) { *target = true; }});
}

void CommandLine::flag(const std::string& names, std::function<void()> given, const std::string& meaning) {
  add({names, "", meaning, Kind::flag, [given](const auto&, const auto&) { given(); }});
}

void CommandLine::text(const std::string& names, const std::string& placeholder, std::string* target,
                       const std::string& meaning) {
  add({names, placeholder, meaning, Kind::single,
       [target](const auto&, const auto& values) { *target = values.front(); }});
}

void CommandLine::text(const std::string& names, const std::string& placeholder,
                       std::optional<std::string>* target, const std::string& meaning) {
  add({names, placeholder, meaning, Kind::single,
       [target](const auto&, const auto& values) { *target = values.front(); }});
}

void CommandLine::text(const std::string& names, const std::string& placeholder,
                       std::function<void(const std::string&)> take, const std::string& meaning) {
  add({names, placeholder, meaning, Kind::single,
       [take](const auto&, const auto& values) { take(values.front()); }});
}

void CommandLine::list(const std::string& names, const std::string& placeholder,
                       std::vector<std::string>* target, const std::string& meaning) {
  add({names, placeholder, meaning, Kind::list,
       [target](const auto&, const auto& values) { *target = values; }});
}

void CommandLine::repeated(const std::string& names, const std::string& placeholder,
                           std::vector<std::string>* target, const std::string& meaning) {
  add({names, placeholder, meaning, Kind::repeated,
       [target](const std::string&, const auto& values) { *target = values; }});
}

void CommandLine::choice(const std::string& names, const std::vector<std::string>& choices,
                         std::string* target, const std::string& meaning) {
  choice(
      names, choices, [target](const std::string& given) { *target = given; }, meaning);
}

void CommandLine::choice(const std::string& names, const std::vector<std::string>& choices,
                         std::function<void(const std::string&)> take, const std::string& meaning) {
  add({names, joined(choices, "|"), meaning, Kind::single,
       [=](const std::string& option, const auto& values) {
         if (std::find(choices.begin(), choices.end(), values.front()) == choices.end()) {
           throw UsageError(
               option + ": expected " + alternatives(choices) + ", found '" + values.front() + "'",
               did_you_mean(values.front(), choices));
         }
         take(values.front());
       }});
}

void CommandLine::number(const std::string& names, const std::string& placeholder, std::uint64_t* target,
                         std::uint64_t minimum, const std::string& meaning) {
  add({names, placeholder, meaning, Kind::single, [=](const std::string& option, const auto& values) {
         *target = parse_number(option, values.front(), minimum);
       }});
}

void CommandLine::size(const std::string& names, std::uint64_t* target, const std::string& meaning) {
  add({names, "SIZE", meaning, Kind::single, [target](const std::string& option, const auto& values) {
         const auto bytes = parse_size(values.front());
         if (!bytes) {
           throw UsageError(option + ": expected a size, found '" + values.front() + "'",
                            "write for example 4GiB, 512MB or 3g");
         }
         *target = *bytes;
       }});
}

void CommandLine::common(CommonOptions* target) {
  flag("quiet,q", &target->quiet, "print only results and errors: no progress, no notes");
  flag("verbose,v", &target->verbose, "say more about what is being done");
}

void CommandLine::positional(const std::string& placeholder, std::vector<std::string>* target,
                             std::size_t minimum, std::size_t maximum) {
  positional_placeholder_ = placeholder;
  positional_ = target;
  positional_minimum_ = minimum;
  positional_maximum_ = maximum;
}

void CommandLine::note_greedy(const Option& option) {
  const bool files = option.placeholder.find("FILE") != std::string::npos;
  greedy_.push_back("--" + long_name(option.names) + ", which takes all " + (files ? "files" : "words") +
                    " that follow it");
}

std::string CommandLine::swallowing_hint() const {
  return greedy_.empty() ? "" : "it stands before " + joined(greedy_, ", and before ");
}

void CommandLine::check_positional(const std::vector<std::string>& given) const {
  const std::size_t count = given.size();
  if (count < positional_minimum_) {
    std::istringstream words(positional_placeholder_);
    std::string missing;
    for (std::size_t i = 0; i <= count; ++i) words >> missing;
    throw UsageError("the argument " + missing + " is missing", swallowing_hint());
  }
  if (count > positional_maximum_) {
    const bool writes = std::ranges::count(options_, "output,o", &Option::names) > 0;
    throw UsageError(
        "too many arguments (expected " + positional_placeholder_ + ", found " + std::to_string(count) + ")",
        writes ? "did you mean -o " + shell_quoted(given[positional_maximum_]) + "?" : "");
  }
}

bool CommandLine::parse(const std::vector<std::string>& arguments) {
  po::options_description declared;
  declared.add_options()("help,h", "");
  std::vector<std::string> names = {"--help"};
  for (const Option& option : options_) {
    names.push_back("--" + long_name(option.names));
    if (option.kind == Kind::flag) {
      declared.add_options()(option.names.c_str(), "");
      continue;
    }
    auto* values = po::value<std::vector<std::string>>();  // `declared` owns it from here on
    if (option.kind == Kind::list) values->multitoken()->composing();
    declared.add_options()(option.names.c_str(), values, "");
  }
  declared.add_options()(positional_name, po::value<std::vector<std::string>>(), "");

  std::map<std::string, std::vector<std::string>> given;
  try {
    namespace style = po::command_line_style;
    const auto parsed = po::command_line_parser(arguments)
                            .options(declared)
                            .positional(po::positional_options_description().add(positional_name, -1))
                            .style(style::unix_style & ~style::allow_guessing)
                            .run();
    for (const po::option& option : parsed.options) {
      auto& values = given[option.string_key];
      values.insert(values.end(), option.value.begin(), option.value.end());
    }
  } catch (const po::error& error) {
    rethrow_as_usage_error(error, names);
  }
  if (given.contains("help")) {
    std::cout << help();
    return false;
  }
  for (const Option& option : options_) {
    const auto found = given.find(long_name(option.names));
    if (found == given.end()) continue;
    const std::string shown = "--" + found->first;
    if (option.kind == Kind::single && found->second.size() > 1)
      throw UsageError(shown + ": given more than once");
    option.assign(shown, found->second);
    if (option.kind == Kind::list) note_greedy(option);
  }
  check_positional(given[positional_name]);
  if (positional_) *positional_ = given[positional_name];
  return true;
}

std::string CommandLine::help() const {
  const unsigned width = std::min(terminal_width(Stream::out), 100u);
  std::string text = "Usage: " + text_.program + text_.name + " " + text_.usage + "\n\n";
  text += wrapped(text_.description, 0, width) + "\n\nOptions:\n";
  std::vector<std::pair<std::string, std::string>> rows;
  for (const Option& option : options_) {
    rows.emplace_back(spelled(option.names) + (option.placeholder.empty() ? "" : " " + option.placeholder),
                      option.meaning);
  }
  rows.emplace_back("-h, --help", "show this text");
  std::size_t column = 0;
  for (const auto& row : rows) column = std::max(column, row.first.size());
  column = std::min<std::size_t>(column, 34) + 4;
  for (const auto& [left, meaning] : rows) {
    std::string line = "  " + left;
    if (line.size() + 2 > column) text += std::exchange(line, "") + "\n";
    line.resize(column, ' ');
    text += line + wrapped(meaning, column, width) + "\n";
  }
  text += "\nExample:\n";
  return text + "  " + wrapped(text_.example, 2, 1000) + "\n";
}

std::optional<std::uint64_t> parse_size(const std::string& text) {
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc()) return {};
  std::string unit(end, text.data() + text.size());
  if (!unit.empty() && unit.front() == ' ') unit.erase(0, 1);
  std::transform(unit.begin(), unit.end(), unit.begin(), [](unsigned char c) { return std::tolower(c); });
  const std::string prefixes = "kmgt";
  double factor = 1;
  if (!unit.empty() && unit != "b") {
    const auto power = prefixes.find(unit.front());
    if (power == std::string::npos) return {};
    const std::string rest = unit.substr(1);
    if (rest != "" && rest != "b" && rest != "ib") return {};
    factor = std::pow(rest == "b" ? 1000.0 : 1024.0, static_cast<double>(power + 1));
  }
  const double bytes = number * factor;
  if (!(bytes >= 1 && bytes < 9e18)) return {};  // NaN too
  return static_cast<std::uint64_t>(bytes);
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates) {
  const auto near = closest_names(word, candidates, 1);
  return near.empty() ? "" : "did you mean '" + near.front() + "'?";
}

}  // namespace moescope
