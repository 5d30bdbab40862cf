#pragma once
/// Guards HDF5 against a damaged file where HDF5 1.10 does not guard itself. Private to the run_file*.cpp.

#include <filesystem>

namespace moescope {

/// Texts lie in "global heap collections". They are the one part of a run file that has no checksum and whose
/// lengths HDF5 takes on trust: a single wrong bit makes it read far outside its memory. This finds the
/// collections by their signature and checks that the objects in each fill it. Throws FormatError,
/// std::system_error. Files larger than 1 GiB are looked through up to there.
void check_text_heaps(const std::filesystem::path& path);

}  // namespace moescope
