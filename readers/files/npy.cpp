#include "readers/files/npy.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "readers/errors.h"
#include "readers/files/npy_description.h"

namespace moescope {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t version_end = 8;  // magic, major, minor

struct TypeName {
  std::string_view descr;
  NpyType type;
};
constexpr TypeName type_names[] = {
    {"<i4", NpyType::int32}, {"<i8", NpyType::int64}, {"<u2", NpyType::uint16}, {"<u4", NpyType::uint32}};

NpyType parse_type(const std::string& descr, const std::string& file) {
  for (const TypeName& name : type_names) {
    if (name.descr == descr) return name.type;
  }
  throw FormatError(file, "dtype",
                    "is not one of token ids (expected <i4, <i8, <u2 or <u4, found " + descr + ")",
                    "ids.astype(\"<u4\") is one of them");
}

// What lies there in place of a .npy file; most often the ids alone, as ids.tofile() writes them.
[[noreturn]] void refuse_other_content(std::string_view start, const std::string& file) {
  if (start.starts_with("version https://git-lfs.github.com/spec/"))
    throw FormatError(file, {}, "is not a .npy file, but a Git LFS pointer to one",
                      "git lfs pull fetches the file");
  if (start.starts_with("PK"))
    throw FormatError(file, {}, "is not a .npy file, but a .npz archive of them",
                      "numpy.save writes one array, numpy.savez several");
  throw FormatError(file, {}, "is not a .npy file: it has no .npy header",
                    "if it holds token ids alone, of 16 bits for example: numpy.save(\"ids.npy\", "
                    "numpy.fromfile(FILE, \"<u2\"))");
}

// The text of the header dictionary, whose length is the little-endian number after the version.
std::string_view header_text(std::string_view start, const std::string& file) {
  if (!start.starts_with(magic)) refuse_other_content(start, file);
  if (start.size() < version_end) throw FormatError(file, {}, "ends within its .npy header");
  const auto byte = [&start](std::size_t i) {
    return static_cast<std::uint64_t>(static_cast<unsigned char>(start[i]));
  };
  const std::uint64_t version = byte(6);
  if (version < 1 || version > 3) {
    throw FormatError(file, {},
                      "has an unknown .npy version (expected 1 to 3, found " + std::to_string(version) + ")");
  }
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  const std::size_t text_start = version_end + length_bytes;
  if (start.size() < text_start) throw FormatError(file, {}, "ends within its .npy header");
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < length_bytes; ++i) length |= byte(version_end + i) << (8 * i);
  if (length > start.size() - text_start) {
    throw FormatError(file, {}, "ends within its .npy header, or the header is longer than 64 KiB");
  }
  return start.substr(text_start, length);
}

// Number of bytes of `rows` times `columns` elements; empty when it does not fit 64 bits.
std::optional<std::uint64_t> array_bytes(const NpyHeader& header) {
  std::uint64_t elements = 0;
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(header.rows, header.columns, &elements)) return std::nullopt;
  if (__builtin_mul_overflow(elements, npy_type_bytes(header.type), &bytes)) return std::nullopt;
  return bytes;
}

void require_size(const NpyHeader& header, std::uint64_t file_bytes, const std::string& file) {
  const std::uint64_t found = file_bytes - header.data_offset;
  const std::optional<std::uint64_t> expected = array_bytes(header);
  if (expected == found) return;
  throw FormatError(file, "elements",
                    "do not fill the file (expected " +
                        (expected ? std::to_string(*expected) : "more than 2^64") + " bytes, found " +
                        std::to_string(found) + ")");
}

template <typename T>
void widen(std::span<const std::byte> bytes, std::vector<std::int64_t>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<std::int64_t>(value);
  }
}

}  // namespace

std::uint64_t npy_type_bytes(NpyType type) {
  return type == NpyType::uint16 ? 2 : type == NpyType::int64 ? 8 : 4;
}

NpyHeader parse_npy_header(std::string_view start, std::uint64_t file_bytes, const std::string& file) {
  const std::string_view text = header_text(start, file);
  const NpyDescription description = parse_npy_description(text, file);
  if (description.fortran_order)
    throw FormatError(file, "fortran_order", "is True (expected elements in C order)",
                      "numpy.ascontiguousarray(ids) is in C order");
  const std::vector<std::uint64_t>& shape = description.shape;
  if (shape.empty() || shape.size() > 2) {
    throw FormatError(
        file, "shape",
        "is not one of token ids (expected 1 or 2 dimensions, found " + std::to_string(shape.size()) + ")");
  }
  NpyHeader header;
  header.type = parse_type(description.descr, file);
  header.rows = shape.size() == 2 ? shape[0] : 1;
  header.columns = shape.back();
  header.data_offset = static_cast<std::uint64_t>(text.data() + text.size() - start.data());
  require_size(header, file_bytes, file);
  return header;
}

NpyFile::NpyFile(const std::filesystem::path& path) : file_(path) {
  std::string start(static_cast<std::size_t>(std::min(file_.size(), greatest_npy_header)), '\0');
  file_.read(0, std::as_writable_bytes(std::span(start)));
  header_ = parse_npy_header(start, file_.size(), file_.name());
}

std::vector<std::int64_t> NpyFile::read(std::uint64_t row, std::uint64_t begin, std::uint64_t end) const {
  const std::uint64_t element = npy_type_bytes(header_.type);
  std::vector<std::byte> bytes((end - begin) * element);
  file_.read(header_.data_offset + row * header_.row_bytes() + begin * element, bytes);
  std::vector<std::int64_t> values(end - begin);
  switch (header_.type) {
    case NpyType::int32:
      widen<std::int32_t>(bytes, values);
      break;
    case NpyType::int64:
      widen<std::int64_t>(bytes, values);
      break;
    case NpyType::uint16:
      widen<std::uint16_t>(bytes, values);
      break;
    case NpyType::uint32:
      widen<std::uint32_t>(bytes, values);
      break;
  }
  return values;
}

}  // namespace moescope
