#pragma once
/// The command line of one command. Options are bound to variables when they are declared; parsing fills them
/// and touches no file, so every command knows what it is asked before it begins.

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace moescope {

/// What `moescope NAME --help` says besides the options.
struct CommandText {
  std::string name;                   // "inspect"
  std::string usage;                  // "PATH..."
  std::string description;            // paragraphs in plain words
  std::string example;                // whole lines, each one to be typed as it is
  std::string program = "moescope ";  // stands before the name; empty for a program of one command
};

/// Options that mean the same in every command that has them.
struct CommonOptions {
  bool quiet = false;
  bool verbose = false;
};

/// All functions that take a pointer, or a function that takes what was given, keep it until parse() returns.
/// `names` is "output" or "output,o". parse() throws UsageError.
class CommandLine {
 public:
  explicit CommandLine(CommandText text);

  void flag(const std::string& names, bool* target, const std::string& meaning);
  void flag(const std::string& names, std::function<void()> given, const std::string& meaning);
  void text(const std::string& names, const std::string& placeholder, std::string* target,
            const std::string& meaning);
  void text(const std::string& names, const std::string& placeholder, std::optional<std::string>* target,
            const std::string& meaning);
  void text(const std::string& names, const std::string& placeholder,
            std::function<void(const std::string&)> take, const std::string& meaning);
  /// May be given several times, each time with one or more values.
  void list(const std::string& names, const std::string& placeholder, std::vector<std::string>* target,
            const std::string& meaning);
  /// May be given several times, each time with one value.
  void repeated(const std::string& names, const std::string& placeholder, std::vector<std::string>* target,
                const std::string& meaning);
  /// One of `choices`; the target keeps its value when the option is absent.
  void choice(const std::string& names, const std::vector<std::string>& choices, std::string* target,
              const std::string& meaning);
  void choice(const std::string& names, const std::vector<std::string>& choices,
              std::function<void(const std::string&)> take, const std::string& meaning);
  void number(const std::string& names, const std::string& placeholder, std::uint64_t* target,
              std::uint64_t minimum, const std::string& meaning);
  /// A number of bytes, see parse_size().
  void size(const std::string& names, std::uint64_t* target, const std::string& meaning);
  /// --quiet and --verbose.
  void common(CommonOptions* target);
  /// What remains besides options: at least `minimum`, at most `maximum` of them, named by `placeholder`, "A
  /// B".
  void positional(const std::string& placeholder, std::vector<std::string>* target, std::size_t minimum,
                  std::size_t maximum = std::numeric_limits<std::size_t>::max());

  /// False when --help was asked for and has been printed: nothing is left to do.
  bool parse(const std::vector<std::string>& arguments);
  /// After parse(): what may have taken an argument that is missing, "it stands before --corpus, which takes
  /// all files that follow it"; empty when there was no such option.
  std::string swallowing_hint() const;
  std::string help() const;

 private:
  enum class Kind { flag, single, repeated, list };
  struct Option {
    std::string names;        // as declared
    std::string placeholder;  // empty for a flag
    std::string meaning;
    Kind kind = Kind::single;
    std::function<void(const std::string& option, const std::vector<std::string>& values)> assign;
  };
  void add(Option option) { options_.push_back(std::move(option)); }
  void note_greedy(const Option& option);
  void check_positional(const std::vector<std::string>& given) const;

  CommandText text_;
  std::vector<Option> options_;
  std::vector<std::string> greedy_;  // options of several values that were given, as spelled in the hint
  std::string positional_placeholder_;
  std::vector<std::string>* positional_ = nullptr;
  std::size_t positional_minimum_ = 0, positional_maximum_ = 0;
};

/// Bytes from "4GiB", "512MB", "1.5g" (k, m, g and t alone are binary) or "1000000"; empty when it is no
/// size.
std::optional<std::uint64_t> parse_size(const std::string& text);

/// "csv, tsv or json".
std::string alternatives(const std::vector<std::string>& names);

/// "did you mean 'inspect'?", or empty when no candidate is near.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace moescope
