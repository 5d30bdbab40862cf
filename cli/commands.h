#pragma once
/// The table of commands. A command is one function, one file command_NAME.cpp, one line of the table.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moescope {

/// Promised to scripts.
enum ExitCode : int {
  exit_done = 0,
  exit_failed = 1,         // reading, writing or memory; or above a limit of compare --fail-above
  exit_wrong_use = 2,      // the command line
  exit_invalid_input = 3,  // the content of an input file
  exit_interrupted = 130,  // everything finished so far is kept
};

using Arguments = std::vector<std::string>;

struct Command {
  std::string_view name;
  std::string_view arguments;  // "PATH..."
  std::string_view summary;
  ExitCode (*run)(const Arguments& arguments);  // throws what main() catches
};

/// In the order of `moescope --help`.
std::span<const Command> all_commands();
/// Throws UsageError, with the closest name as a hint.
const Command& find_command(const std::string& name);

/// Everything after the program's name. Throws what main() catches.
ExitCode run_moescope(const Arguments& arguments);

}  // namespace moescope
