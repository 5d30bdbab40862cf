#pragma once
/// Random token ids as a corpus, for measurements that need no text and no tokenizer.

#include <cstddef>
#include <cstdint>
#include <filesystem>

namespace moescope {

/// Writes a .npy file, int32 [sequences, length], each id uniform in [0, vocabulary). The same arguments give
/// the same bytes. Throws std::system_error.
void write_random_corpus(const std::filesystem::path& file, std::size_t sequences, std::size_t length,
                         std::int64_t vocabulary, std::uint64_t seed);

}  // namespace moescope
