#pragma once
/// The typed failures of the library. Only main() catches them; each maps to one exit code.
///
///   UsageError          2  the command was called wrongly
///   FormatError         3  the content of an input file is invalid
///   MissingInput        3  an input, whichever the command reads, is not there
///   UnsupportedModel    3  valid, but not a model or file that moescope knows
///   std::system_error   1  reading, writing or memory failed
///
/// Messages have the form `FILE: THING: what is wrong (expected …, found …)`; THING may be absent.

#include <stdexcept>
#include <string>
#include <string_view>

namespace moescope {

/// Any invalid input. `hint()` is one further sentence for the user, or empty.
class InputError : public std::runtime_error {
 public:
  InputError(std::string_view file, std::string_view thing, std::string_view problem, std::string_view hint);
  const std::string& hint() const { return hint_; }

 private:
  std::string hint_;
};

class FormatError : public InputError {
 public:
  FormatError(std::string_view file, std::string_view thing, std::string_view problem,
              std::string_view hint = {})
      : InputError(file, thing, problem, hint) {}
};

/// Nothing lies at the path of an input. One rule for all of them: checkpoints, texts, run files.
class MissingInput : public FormatError {
 public:
  /// "FILE: does not exist", or what the symbolic link there lacks.
  explicit MissingInput(std::string_view file);
};

class UnsupportedModel : public InputError {
 public:
  UnsupportedModel(std::string_view file, std::string_view thing, std::string_view problem,
                   std::string_view hint = {})
      : InputError(file, thing, problem, hint) {}
};

class UsageError : public InputError {
 public:
  explicit UsageError(std::string_view problem, std::string_view hint = {})
      : InputError({}, {}, problem, hint) {}
};

/// Throws std::system_error with `errno` and the message `FILE: ACTION`, e.g. "run.h5: cannot open for
/// writing".
[[noreturn]] void throw_errno(std::string_view file, std::string_view action);

}  // namespace moescope
