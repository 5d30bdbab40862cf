#pragma once
/// Standard output and what else of its surroundings a program takes for granted.

#include <iostream>
#include <streambuf>

#include "readers/files/output_stream.h"

namespace moescope {

/// From now on, writing to a pipe that nobody reads and to a file that may not grow fails as any other write
/// does (EPIPE, EFBIG), instead of ending the program in the midst of what it does.
void take_signals_of_writes_as_errors();

/// Opens what was closed of the first three descriptors, so that no file gets one of their numbers and what
/// is printed is not written into it. Standard output stays one that cannot be written to.
void occupy_standard_descriptors();

/// While one lives, std::cout remembers why it could not be written to. One at a time.
class StandardOutput {
 public:
  StandardOutput();
  ~StandardOutput();
  StandardOutput(const StandardOutput&) = delete;
  StandardOutput& operator=(const StandardOutput&) = delete;

  /// A result that did not reach its file or pipe is a failure, however well it was computed: throws
  /// std::system_error "standard output: cannot write".
  void deliver() const;

 private:
  DescriptorBuffer buffer_;
  std::streambuf* before_;
};

/// Ends as a program does whose output nobody reads any more: by SIGPIPE, in silence; where whoever started
/// it ignores that signal, returns.
void end_by_broken_pipe();

}  // namespace moescope
