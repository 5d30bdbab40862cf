#pragma once
/// One file of weights in llama.cpp's format GGUF, versions 2 and 3: metadata, which describe the model and
/// its tokenizer, the tensors, and their elements. Trusts no byte: whatever it accepts, the rest of the
/// program may read without further checks. Format: docs/gguf.md of ggml (the two versions differ in nothing
/// for little-endian files).

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "readers/storage/tensor_info.h"

namespace moescope {

class SourceFile;

/// Types of metadata, by their numbers in a file.
enum class GgufType : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, array, u64, i64, f64 };

/// An array of which nobody asks what is in it: the tokens of a vocabulary, for example.
struct GgufArray {
  GgufType type = GgufType::u8;  // of its elements
  std::uint64_t count = 0;
};

/// Integers as their types are signed; texts as stored, in whatever encoding.
using GgufValue = std::variant<bool, std::uint64_t, std::int64_t, float, double, std::string, GgufArray>;
using GgufMetadata = std::map<std::string, GgufValue, std::less<>>;

struct GgufHeader {
  std::string text;                 // as stored: all before the tensors' elements, but for the padding
  GgufMetadata metadata;            // keys are UTF-8
  std::vector<TensorInfo> tensors;  // sorted by offset, without overlap; shapes are outermost first
};

/// Throws FormatError: damage, another version or byte order, names that are there twice, a tensor of a type
/// other than F32, F16, BF16, Q8_0 or one that no weight has. Throws std::system_error. Thread-safe.
GgufHeader read_gguf_header(const SourceFile& shard);

/// The value of a number, the text, "array of 32000 text": for people.
std::string gguf_words(const GgufValue& value);

/// The number itself, of a float the shortest decimal number that is rounded to it: 1e-05, as it was once
/// written.
double decimal_value(float value);

}  // namespace moescope
