#pragma once
/// Runs the program `gnuplot` on a script, without a shell and without the user's own settings.

#include <cstdio>
#include <memory>
#include <string>

namespace moescope {

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using FileHandle = std::unique_ptr<std::FILE, FileCloser>;

/// An unnamed file that vanishes when it is closed. Throws std::system_error.
FileHandle temporary_file();

/// What gnuplot writes to its standard output when it reads `script` from its beginning. `purpose` begins the
/// messages. Throws std::system_error when gnuplot cannot be run, std::runtime_error with its complaint when
/// it fails. Thread-safe.
std::string run_gnuplot(std::FILE* script, const std::string& purpose);

}  // namespace moescope
