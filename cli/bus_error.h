#pragma once
/// A mapped file that can no longer be read.

namespace moescope {

/// From now on, a mapped file that is cut short while it is read ends the program with one sentence on
/// standard error that names the file, and exit code 1, instead of a SIGBUS. Nothing is cleaned up: what was
/// flushed remains. Other reasons for a SIGBUS stay what they are.
void report_lost_files();

}  // namespace moescope
