#include "readers/corpus/corpus.h"

#include <array>
#include <cstddef>

#include "readers/files/sha256.h"

namespace moescope {
namespace {

// Numbers are little-endian, so that the digest is the same on every machine.
template <typename T>
void update_with_number(Sha256& sha256, T number) {
  std::array<std::byte, sizeof(T)> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(number >> (8 * i));
  sha256.update(bytes);
}

}  // namespace

std::string corpus_sha256(const Corpus& corpus) {
  Sha256 sha256;
  update_with_number<std::uint64_t>(sha256, corpus.domains.size());
  for (const std::string& domain : corpus.domains) {
    update_with_number<std::uint64_t>(sha256, domain.size());
    sha256.update(domain);
  }
  update_with_number<std::uint64_t>(sha256, corpus.sequences());
  for (std::size_t i = 0; i < corpus.sequences(); ++i) {
    const std::size_t start = corpus.sequence_start[i];
    update_with_number<std::uint64_t>(sha256, corpus.sequence_start[i + 1] - start);
    update_with_number<std::uint32_t>(sha256, static_cast<std::uint32_t>(corpus.domain[start]));
  }
  for (const std::uint32_t id : corpus.token_id) update_with_number<std::uint32_t>(sha256, id);
  return sha256.hex();
}

}  // namespace moescope
