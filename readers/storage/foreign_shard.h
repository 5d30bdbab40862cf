#pragma once
/// What lies in the place of a file of weights.

namespace moescope {

class SourceFile;

/// Throws FormatError that names what a file is that cannot be a shard: a pointer of Git LFS, a web page,
/// text, another format. Does nothing where its beginning does not tell. Throws std::system_error.
/// Thread-safe.
void refuse_foreign_shard(const SourceFile& shard);

}  // namespace moescope
