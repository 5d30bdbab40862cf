#pragma once
/// GGUF files, part by part, so that each can be wrong.

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/checkpoint_builder.h"

namespace moescope {

/// Metadata of one type each: type and value as stored.
namespace gguf_value {
std::string u32(std::uint32_t value);
std::string u16(std::uint16_t value);
std::string i64(std::int64_t value);
std::string f32(float value);
std::string boolean(std::uint8_t value);
std::string text(std::string_view value);
/// Of elements that follow as `elements` stores them; `count` may be another number than there are.
std::string array(std::uint32_t type, std::uint64_t count, const std::string& elements);
}  // namespace gguf_value

struct GgufEntry {
  std::string key, value;  // the value with its type
};

/// A tensor, and what is said of it.
struct BuiltGgufTensor {
  std::string name;
  std::uint32_t type = 0;              // 0: F32
  std::vector<std::uint64_t> extents;  // innermost first, as stored
  std::string data;
  std::uint64_t offset = 0;  // where the file says that it begins; it lies behind the one before all the same
};

/// A number of 8 bytes, little-endian.
std::string gguf_number(std::uint64_t value);
/// A text with its length before it.
std::string gguf_text(std::string_view text);

struct BuiltGguf {
  std::uint32_t version = 3;
  std::vector<GgufEntry> metadata;
  std::vector<BuiltGgufTensor> tensors;
  std::uint64_t alignment = 32;

  /// Appends a tensor whose offset is right.
  void add(const BuiltTensor& tensor, const std::string& name);
  std::string bytes() const;
};

/// A dots1 checkpoint of build_checkpoint() as llama.cpp converts it: experts stacked, the usual metadata.
BuiltGguf gguf_of(const BuiltCheckpoint& checkpoint);

}  // namespace moescope
