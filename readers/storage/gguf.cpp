#include "readers/storage/gguf.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "readers/storage/foreign_shard.h"
#include "readers/text/quoted_text.h"
#include "readers/text/utf8.h"

namespace moescope {
namespace {

constexpr std::string_view gguf_magic = "GGUF";
constexpr std::uint64_t largest_gguf_header = std::uint64_t{1} << 28;
constexpr std::uint64_t largest_alignment = std::uint64_t{1} << 20;
constexpr unsigned deepest_array = 4;
/// Bytes of the shortest entries: a key and its value, a tensor.
constexpr std::uint64_t least_entry = 8 + 4 + 1, least_tensor = 8 + 4 + 8 + 4 + 8;

/// A type of tensors, by its number in a file.
struct GgmlType {
  std::uint32_t number;
  const char* name;
  std::optional<DType> dtype = std::nullopt;  // where moescope reads it
};
constexpr GgmlType ggml_types[] = {
    {0, "F32", DType::f32},
    {1, "F16", DType::f16},
    {2, "Q4_0"},
    {3, "Q4_1"},
    {6, "Q5_0"},
    {7, "Q5_1"},
    {8, "Q8_0", DType::q8_0},
    {9, "Q8_1"},
    {10, "Q2_K"},
    {11, "Q3_K"},
    {12, "Q4_K"},
    {13, "Q5_K"},
    {14, "Q6_K"},
    {15, "Q8_K"},
    {16, "IQ2_XXS"},
    {17, "IQ2_XS"},
    {18, "IQ3_XXS"},
    {19, "IQ1_S"},
    {20, "IQ4_NL"},
    {21, "IQ3_S"},
    {22, "IQ2_S"},
    {23, "IQ4_XS"},
    {24, "I8", DType::i8},
    {25, "I16", DType::i16},
    {26, "I32", DType::i32},
    {27, "I64", DType::i64},
    {28, "F64", DType::f64},
    {29, "IQ1_M"},
    {30, "BF16", DType::bf16},
    {34, "TQ1_0"},
    {35, "TQ2_0"},
    {39, "MXFP4"},
    {40, "NVFP4"},
};

struct GgufTypeEntry {
  const char* name;
  std::uint64_t bytes;  // 0: it varies
};
// In the order of GgufType.
constexpr GgufTypeEntry gguf_types[] = {
    {"uint8", 1}, {"int8", 1}, {"uint16", 2}, {"int16", 2},  {"uint32", 4}, {"int32", 4},  {"float32", 4},
    {"bool", 1},  {"text", 0}, {"array", 0},  {"uint64", 8}, {"int64", 8},  {"float64", 8}};
static_assert(static_cast<std::size_t>(GgufType::f64) + 1 == std::size(gguf_types));

const GgufTypeEntry& entry_of(GgufType type) {
  return gguf_types[static_cast<std::size_t>(type)];
}

template <class Number>
std::string decimal(Number number) {
  char digits[64];
  return std::string(digits, std::to_chars(std::begin(digits), std::end(digits), number).ptr);
}

struct GgufWords {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  template <class Number>
  std::string operator()(Number value) const {
    return decimal(value);
  }
  std::string operator()(const std::string& text) const { return valid_utf8(text); }
  std::string operator()(const GgufArray& array) const {
    return "array of " + std::to_string(array.count) + " " + entry_of(array.type).name;
  }
};

/// Reads a header from its beginning on. All that it returns lies in the file.
class GgufReader {
 public:
  explicit GgufReader(const SourceFile& shard) : shard_(shard) {}
  GgufHeader read();

 private:
  [[noreturn]] void fail(const std::string& thing, const std::string& problem, const char* hint = "") const {
    throw FormatError(shard_.name(), thing, problem, hint);
  }
  std::uint64_t left() const { return shard_.size() - place_; }
  std::string_view take(std::uint64_t bytes, const std::string& thing);
  template <class Number>
  Number number(const std::string& thing);
  std::string text(const std::string& thing);
  std::string name(const std::string& thing);
  std::uint64_t count(const std::string& of, std::uint64_t least_bytes);
  GgufType type(const std::string& thing);
  GgufValue value(GgufType type, const std::string& thing);
  GgufArray array(const std::string& thing, unsigned depth);
  void read_version();
  void read_metadata(std::uint64_t entries);
  std::uint64_t alignment() const;
  TensorInfo tensor();
  DType dtype(const std::string& thing);
  void place_tensors();

  const SourceFile& shard_;
  std::uint64_t place_ = 0;  // of what comes next; header_.text holds all before it, and some more
  GgufHeader header_;
};

std::string_view GgufReader::take(std::uint64_t bytes, const std::string& thing) {
  constexpr std::uint64_t piece = std::uint64_t{1} << 16;
  if (bytes > left()) {
    fail(thing, "is cut short by the end of the file (expected " + std::to_string(bytes) +
                    " more bytes, found " + std::to_string(left()) + ")");
  }
  if (place_ + bytes > largest_gguf_header)
    fail(thing, "makes the header longer than " + std::to_string(largest_gguf_header) + " bytes");
  std::string& held = header_.text;
  if (place_ + bytes > held.size()) {
    const std::uint64_t begin = held.size();
    held.resize(std::min(shard_.size(), std::max({place_ + bytes, begin + piece, 2 * begin})));
    shard_.read(begin, std::as_writable_bytes(std::span(held)).subspan(begin));
  }
  const std::string_view taken(held.data() + place_, bytes);
  place_ += bytes;
  return taken;
}

template <class Number>
Number GgufReader::number(const std::string& thing) {
  Number value;
  std::memcpy(&value, take(sizeof value, thing).data(), sizeof value);
  return value;
}

std::string GgufReader::text(const std::string& thing) {
  const auto length = number<std::uint64_t>(thing);
  return std::string(take(length, thing));
}

std::string GgufReader::name(const std::string& thing) {
  std::string name = text(thing);
  if (name.empty()) fail(thing, "has an empty name");
  if (first_invalid_utf8(name) != name.size())
    fail(thing, "the name " + single_quoted(name) + " is not valid UTF-8");
  return name;
}

/// Of entries that the file still has room for.
std::uint64_t GgufReader::count(const std::string& of, std::uint64_t least_bytes) {
  const auto value = number<std::uint64_t>(of);
  if (value > left() / least_bytes)
    fail(of, "are said to be " + std::to_string(value) + ", for which the file is too short");
  return value;
}

GgufType GgufReader::type(const std::string& thing) {
  const auto value = number<std::uint32_t>(thing);
  if (value >= std::size(gguf_types)) fail(thing, "has the unknown type " + std::to_string(value));
  return static_cast<GgufType>(value);
}

GgufValue GgufReader::value(GgufType type, const std::string& thing) {
  switch (type) {
    case GgufType::u8:
      return std::uint64_t{number<std::uint8_t>(thing)};
    case GgufType::i8:
      return std::int64_t{number<std::int8_t>(thing)};
    case GgufType::u16:
      return std::uint64_t{number<std::uint16_t>(thing)};
    case GgufType::i16:
      return std::int64_t{number<std::int16_t>(thing)};
    case GgufType::u32:
      return std::uint64_t{number<std::uint32_t>(thing)};
    case GgufType::i32:
      return std::int64_t{number<std::int32_t>(thing)};
    case GgufType::u64:
      return number<std::uint64_t>(thing);
    case GgufType::i64:
      return number<std::int64_t>(thing);
    case GgufType::f32:
      return number<float>(thing);
    case GgufType::f64:
      return number<double>(thing);
    case GgufType::boolean: {
      const auto byte = number<std::uint8_t>(thing);
      if (byte > 1) fail(thing, "is neither true nor false (found " + std::to_string(byte) + ")");
      return byte == 1;
    }
    case GgufType::text:
      return text(thing);
    case GgufType::array:
      return array(thing, 1);
  }
  return {};
}

/// Goes past it.
GgufArray GgufReader::array(const std::string& thing, unsigned depth) {
  if (depth > deepest_array)
    fail(thing, "holds arrays in arrays, more than " + std::to_string(deepest_array) + " deep");
  GgufArray array;
  array.type = type(thing);
  const std::uint64_t bytes = entry_of(array.type).bytes;
  array.count = count(thing + ": its elements", bytes > 0 ? bytes : 8);
  if (bytes > 0) take(array.count * bytes, thing);
  for (std::uint64_t i = 0; bytes == 0 && i < array.count; ++i) {
    if (array.type == GgufType::array) {
      this->array(thing, depth + 1);
    } else {
      take(number<std::uint64_t>(thing), thing);
    }
  }
  return array;
}

void GgufReader::read_version() {
  const std::string thing = "its version";
  const auto version = number<std::uint32_t>(thing);
  if (version == 2 || version == 3) return;
  if (version != 0 && (version & 0xffffu) == 0)
    fail({}, "is a big-endian GGUF file, which moescope does not read",
         "gguf_convert_endian.py of llama.cpp turns it");
  fail(
      {},
      "is of version " + std::to_string(version) + " of GGUF, which moescope does not read (expected 2 or 3)",
      "a newer llama.cpp converts the model anew");
}

void GgufReader::read_metadata(std::uint64_t entries) {
  for (std::uint64_t i = 0; i < entries; ++i) {
    std::string key = name("metadata " + std::to_string(i));
    const std::string thing = "metadata " + single_quoted(key);
    GgufValue found = value(type(thing), thing);
    if (!header_.metadata.emplace(std::move(key), std::move(found)).second) fail(thing, "is there twice");
  }
}

std::uint64_t GgufReader::alignment() const {
  constexpr const char* key = "general.alignment";
  const auto found = header_.metadata.find(key);
  if (found == header_.metadata.end()) return 32;
  const auto* value = std::get_if<std::uint64_t>(&found->second);
  if (value == nullptr || *value == 0 || *value > largest_alignment || (*value & (*value - 1)) != 0)
    fail(std::string("metadata '") + key + "'", "expected a power of two up to " +
                                                    std::to_string(largest_alignment) + ", found " +
                                                    gguf_words(found->second));
  return *value;
}

DType GgufReader::dtype(const std::string& thing) {
  const auto number = this->number<std::uint32_t>(thing);
  const auto known = std::ranges::find(ggml_types, number, &GgmlType::number);
  if (known != std::end(ggml_types) && known->dtype) return *known->dtype;
  fail(thing,
       "is stored as " +
           (known == std::end(ggml_types) ? "type " + std::to_string(number) : std::string(known->name)) +
           ", which moescope does not read (expected F32, F16, BF16 or Q8_0)",
       "a GGUF file of the same model in BF16, F16 or Q8_0 can be read");
}

TensorInfo GgufReader::tensor() {
  constexpr std::uint32_t most_dimensions = 4;
  TensorInfo info;
  info.name = name("tensor " + std::to_string(header_.tensors.size()));
  const std::string thing = tensor_thing(info.name);
  const auto dimensions = number<std::uint32_t>(thing);
  if (dimensions < 1 || dimensions > most_dimensions)
    fail(thing, "expected 1 to 4 dimensions, found " + std::to_string(dimensions));
  for (std::uint32_t d = 0; d < dimensions; ++d) info.shape.push_back(number<std::uint64_t>(thing));
  std::ranges::reverse(info.shape);
  info.dtype = dtype(thing);
  info.offset = number<std::uint64_t>(thing);
  const auto fail_shape = [&](const std::string& problem) {
    fail(thing,
         "shape " + format_shape(info.shape) + " of " + std::string(dtype_name(info.dtype)) + " " + problem);
  };
  if (std::ranges::find(info.shape, std::uint64_t{0}) != info.shape.end()) fail_shape("has no elements");
  const unsigned block = dtype_block(info.dtype).elements;
  if (info.shape.back() % block != 0)
    fail_shape("has rows that are not a multiple of " + std::to_string(block));
  const auto bits = checked_bits(info.shape, info.dtype);
  if (!bits) fail_shape("is larger than 2^64 bits");
  info.bytes = *bits / 8;
  return info;
}

/// Offsets are counted from where the elements begin.
void GgufReader::place_tensors() {
  const std::uint64_t step = alignment(), begin = (place_ + step - 1) / step * step;
  for (TensorInfo& info : header_.tensors) {
    const std::string thing = tensor_thing(info.name);
    if (info.offset % step != 0) {
      fail(thing, "begins at byte " + std::to_string(info.offset) + ", which is not a multiple of " +
                      std::to_string(step));
    }
    const std::uint64_t room = shard_.size() - std::min(begin, shard_.size());
    if (!ends_within(info.offset, info.bytes, room)) {
      fail(thing,
           "lies beyond the end of the file (expected " + std::to_string(info.bytes) + " bytes from byte " +
               std::to_string(info.offset) + " of " + std::to_string(room) + ")",
           "an interrupted download or copy, or a full disk, leaves such files");
    }
    info.offset += begin;
  }
  std::ranges::sort(header_.tensors, {}, &TensorInfo::offset);
  for (std::size_t i = 1; i < header_.tensors.size(); ++i) {
    const TensorInfo &before = header_.tensors[i - 1], &info = header_.tensors[i];
    if (info.offset < before.offset + before.bytes)
      fail(tensor_thing(info.name), "lies over " + tensor_thing(before.name));
  }
}

GgufHeader GgufReader::read() {
  if (shard_.size() < gguf_magic.size() || take(gguf_magic.size(), {}) != gguf_magic) {
    refuse_foreign_shard(shard_);
    fail({}, "is not a GGUF file (expected that it begins with 'GGUF')");
  }
  read_version();
  const std::uint64_t tensors = count("its tensors", least_tensor);
  read_metadata(count("its metadata", least_entry));
  std::set<std::string_view> names;
  header_.tensors.reserve(std::min(tensors, left() / least_tensor));
  for (std::uint64_t i = 0; i < tensors; ++i) header_.tensors.push_back(tensor());
  for (const TensorInfo& info : header_.tensors) {
    if (!names.insert(info.name).second) fail(tensor_thing(info.name), "is there twice");
  }
  place_tensors();
  header_.text.resize(place_);
  return std::move(header_);
}

}  // namespace

GgufHeader read_gguf_header(const SourceFile& shard) {
  return GgufReader(shard).read();
}

double decimal_value(float value) {
  char digits[32];
  const char* end = std::to_chars(std::begin(digits), std::end(digits), value).ptr;
  double decimal = value;
  std::from_chars(digits, end, decimal);
  return decimal;
}

std::string gguf_words(const GgufValue& value) {
  return std::visit(GgufWords{}, value);
}

}  // namespace moescope
