#include "readers/run_file/hdf5_heap_check.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "readers/errors.h"
#include "readers/files/source_file.h"

namespace moescope {
namespace {

// HDF5 File Format Specification 2.0, III.E "Global Heap": signature, version 1, three reserved bytes, u64
// size of the collection; then objects: u16 index, u16 reference count, u32 reserved, u64 size, data padded
// to 8 bytes.
constexpr std::string_view signature("GCOL\1\0\0\0", 8);
constexpr std::uint64_t header_bytes = 16;
constexpr std::uint64_t largest_collection = 1 << 26;
constexpr std::uint64_t window_bytes = 1 << 22;
constexpr std::uint64_t largest_search = std::uint64_t{1} << 30;

std::uint64_t little_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

/// Whether the objects after the header of `collection` fill it.
bool is_consistent(std::span<const std::byte> collection) {
  std::uint64_t position = header_bytes;
  while (collection.size() - position >= header_bytes) {
    const auto object = collection.subspan(position);
    const std::uint64_t index = little_endian(object.first(2)), size = little_endian(object.subspan(8, 8));
    if (index == 0) return size == object.size();  // the free space takes the rest, its header included
    if (size > object.size() - header_bytes) return false;
    position += std::min<std::uint64_t>(header_bytes + (size + 7) / 8 * 8, object.size());
  }
  return true;
}

void check_collection(const SourceFile& file, std::uint64_t offset) {
  const auto damaged = [&] {
    return FormatError(file.name(), "byte " + std::to_string(offset),
                       "the file is damaged (in a collection of texts)");
  };
  std::array<std::byte, header_bytes> header{};
  if (file.size() - offset < header_bytes) throw damaged();
  file.read(offset, header);
  const std::uint64_t size = little_endian(std::span(header).subspan(8));
  if (size < header_bytes || size > largest_collection || size > file.size() - offset) throw damaged();
  std::vector<std::byte> collection(size);
  file.read(offset, collection);
  if (!is_consistent(collection)) throw damaged();
}

}  // namespace

void check_text_heaps(const std::filesystem::path& path) {
  const SourceFile file(path);
  const std::uint64_t end = std::min(file.size(), largest_search);
  std::string window;
  for (std::uint64_t start = 0; start < end; start += window_bytes) {
    // Windows overlap by the signature's length, so that none is cut in two.
    window.resize(std::min(window_bytes + signature.size() - 1, end - start));
    file.read(start, std::as_writable_bytes(std::span(window)));
    for (auto at = window.find(signature); at != std::string::npos; at = window.find(signature, at + 1)) {
      check_collection(file, start + at);
    }
  }
}

}  // namespace moescope
