#pragma once
/// Output that is there as a whole or not at all.

#include <filesystem>
#include <string_view>

namespace moescope {

/// Writes `content` beside `path` and renames it to `path`: a crash leaves the old file or the new one.
/// Throws std::system_error naming `path`; the temporary file is removed then.
void write_atomically(const std::filesystem::path& path, std::string_view content);

}  // namespace moescope
