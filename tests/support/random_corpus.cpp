#include "tests/support/random_corpus.h"

#include <random>
#include <string>

#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

// Format 1.0 of NumPy's NEP 1: the data begins at a multiple of 64.
std::string npy_header(std::size_t rows, std::size_t cols) {
  std::string text = "{'descr': '<i4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                     std::to_string(cols) + "), }";
  constexpr std::size_t before = 10, alignment = 64;
  text.append(alignment - (before + text.size() + 1) % alignment, ' ');
  text += '\n';
  const std::size_t size = text.size();
  return std::string("\x93NUMPY\1\0", 8) + static_cast<char>(size & 0xFF) + static_cast<char>(size >> 8) +
         text;
}

}  // namespace

void write_random_corpus(const std::filesystem::path& file, std::size_t sequences, std::size_t length,
                         std::int64_t vocabulary, std::uint64_t seed) {
  std::string bytes = npy_header(sequences, length);
  std::mt19937_64 engine(seed);
  for (std::size_t i = 0; i < sequences * length; ++i) {
    const std::uint64_t random = engine() >> 32;
    const auto id = static_cast<std::int32_t>(random * static_cast<std::uint64_t>(vocabulary) >> 32);
    bytes.append(reinterpret_cast<const char*>(&id), sizeof id);
  }
  write_file(file, bytes);
}

}  // namespace moescope
