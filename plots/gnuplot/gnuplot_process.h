#pragma once
/// Runs the program `gnuplot` on a script, without a shell and without the user's own settings: neither those
/// in a file nor those in the environment.

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

namespace moescope {

/// gnuplot ran and did not draw.
struct GnuplotError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using FileHandle = std::unique_ptr<std::FILE, FileCloser>;

/// A file in memory, which needs no folder for temporary files. `purpose` begins the message. Throws
/// std::system_error.
FileHandle memory_file(const std::string& purpose);

/// What gnuplot writes to its standard output when it reads `script` from its beginning. `purpose` begins the
/// messages. Throws std::system_error when gnuplot cannot be run, GnuplotError with its complaint when it
/// fails. Thread-safe.
std::string run_gnuplot(std::FILE* script, const std::string& purpose);

}  // namespace moescope
