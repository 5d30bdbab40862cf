#pragma once
/// A run file that is damaged in a way that HDF5 does not notice.

namespace moescope {

/// From now on, a crash inside HDF5 (a SIGSEGV, SIGFPE or SIGABRT while a run file is worked on) ends the
/// program with one sentence on standard error that names the file, and the exit code of invalid input.
/// HDF5 1.10 trusts some of what it finds in a file, where the checksums agree. Nothing is cleaned up: what
/// was flushed remains. Crashes elsewhere stay what they are.
void report_damaged_files();

}  // namespace moescope
