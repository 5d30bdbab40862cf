#include "readers/storage/safetensors.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <span>
#include <tuple>
#include <utility>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "readers/storage/foreign_shard.h"
#include "readers/text/quoted_text.h"
#include "readers/text/strict_json.h"

// The rules, in the order in which they are checked; each has its own message.
//   1. The file has at least 8 bytes.
//   2. They are the header's length N, u64 little-endian, at most 100,000,000.
//   3. 8 + N is at most the file's size.
//   4. The N bytes are UTF-8.
//   5. They are exactly one JSON object {name: {dtype, shape, data_offsets}, "__metadata__": {string:
//   string}}.
//   6. The tensors, sorted by offset, cover the byte buffer from 0 without hole or overlap.
//   7. Each tensor's shape times the bits of its dtype is its length; bits divide by 8; nothing overflows.
//   8. The buffer ends where the file ends.
// Stricter than the reference reader, which keeps the last of two: no name or key twice, no tensor written as
// an array, no empty name.

namespace moescope {
namespace {

constexpr std::uint64_t largest_header = 100'000'000;

/// One tensor's entry: its data lie in the bytes [begin, end) of the byte buffer.
struct Entry {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0, end = 0;
};

/// An entry while it is being read.
struct Draft {
  std::string name;
  std::optional<DType> dtype;
  std::optional<std::vector<std::uint64_t>> shape, data_offsets;
};

/// Rules 4 and 5, with parse_strict_json. Receives the parser's events, so that nothing a document object
/// model would hide is lost.
class HeaderHandler : public JsonHandler {
 public:
  using JsonHandler::JsonHandler;

  bool null() override { return scalar("null"); }
  bool boolean(bool) override { return scalar("true or false"); }
  bool number_integer(number_integer_t) override { return scalar("a negative number"); }
  bool number_float(number_float_t, const string_t& text) override { return scalar("the number " + text); }
  bool binary(binary_t&) override { return scalar("binary data"); }
  bool number_unsigned(number_unsigned_t value) override;
  bool string(string_t& value) override;
  bool start_object(std::size_t) override;
  bool end_object() override;
  bool start_array(std::size_t) override;
  bool end_array() override;
  bool key(string_t& name) override;

  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;

 private:
  enum class Place { outside, header, metadata, tensor, numbers, ignored };

  [[noreturn]] void reject(const std::string& found) const;
  bool scalar(const std::string& found);
  void finish_tensor();

  Place place_ = Place::outside;
  std::size_t ignored_depth_ = 0;  // nesting depth at which an ignored value began
  std::string key_;                // last key seen at the current place
  Draft draft_;
};

// Says what stands where something else was expected.
void HeaderHandler::reject(const std::string& found) const {
  switch (place_) {
    case Place::outside:
      throw FormatError(file_, {}, "the header is not a JSON object (expected {, found " + found + ")");
    case Place::header:
      throw FormatError(file_, key_ == "__metadata__" ? key_ : tensor_thing(key_),
                        "expected a JSON object, found " + found);
    case Place::metadata:
      throw FormatError(file_, "__metadata__ " + single_quoted(key_), "expected a string, found " + found);
    default:
      break;
  }
  const char* expected = key_ == "dtype" ? "a string" : "an array of integers from 0 to 2^64 - 1";
  throw FormatError(file_, tensor_thing(draft_.name),
                    "'" + key_ + "': expected " + expected + ", found " + found);
}

bool HeaderHandler::scalar(const std::string& found) {
  const bool known_key = key_ == "dtype" || key_ == "shape" || key_ == "data_offsets";
  if (place_ == Place::ignored || (place_ == Place::tensor && !known_key)) return true;
  reject(found);
}

bool HeaderHandler::number_unsigned(number_unsigned_t value) {
  if (place_ != Place::numbers) return scalar("the number " + std::to_string(value));
  (key_ == "shape" ? draft_.shape : draft_.data_offsets)->push_back(value);
  return true;
}

bool HeaderHandler::string(string_t& value) {
  if (place_ == Place::metadata) {
    metadata.emplace(key_, value);
    return true;
  }
  if (place_ != Place::tensor || key_ != "dtype") return scalar("the string " + excerpt(value));
  draft_.dtype = parse_dtype(value);
  if (!draft_.dtype)
    throw FormatError(file_, tensor_thing(draft_.name), "has an unknown dtype " + excerpt(value));
  return true;
}

bool HeaderHandler::start_object(std::size_t) {
  nesting_.enter();
  if (place_ == Place::outside) {
    place_ = Place::header;
  } else if (place_ == Place::header && key_ == "__metadata__") {
    place_ = Place::metadata;
  } else if (place_ == Place::header) {
    place_ = Place::tensor;
    draft_ = {key_, {}, {}, {}};
  } else if (place_ != Place::ignored) {
    scalar("an object");
    place_ = Place::ignored;
    ignored_depth_ = nesting_.depth();
  }
  return true;
}

bool HeaderHandler::end_object() {
  const bool ends_ignored = place_ == Place::ignored && nesting_.depth() == ignored_depth_;
  nesting_.leave();
  if (ends_ignored) {
    place_ = Place::tensor;
  } else if (place_ == Place::metadata) {
    place_ = Place::header;
  } else if (place_ == Place::tensor) {
    finish_tensor();
    place_ = Place::header;
  }
  return true;
}

bool HeaderHandler::start_array(std::size_t) {
  nesting_.enter();
  if (place_ == Place::ignored) return true;
  if (place_ != Place::tensor || key_ == "dtype") reject("an array");
  if (key_ == "shape" || key_ == "data_offsets") {
    (key_ == "shape" ? draft_.shape : draft_.data_offsets).emplace().reserve(2);
    place_ = Place::numbers;
  } else {
    place_ = Place::ignored;
    ignored_depth_ = nesting_.depth();
  }
  return true;
}

bool HeaderHandler::end_array() {
  const bool ends_value = place_ == Place::numbers || nesting_.depth() == ignored_depth_;
  nesting_.leave();
  if (ends_value) place_ = Place::tensor;
  return true;
}

bool HeaderHandler::key(string_t& name) {
  nesting_.key(name);
  if (place_ == Place::ignored) return true;
  if (place_ == Place::header && name.empty()) throw FormatError(file_, {}, "a tensor has an empty name");
  key_ = name;
  return true;
}

void HeaderHandler::finish_tensor() {
  const auto require = [&](bool present, const char* key) {
    if (!present)
      throw FormatError(file_, tensor_thing(draft_.name), std::string("'") + key + "' is missing");
  };
  require(draft_.dtype.has_value(), "dtype");
  require(draft_.shape.has_value(), "shape");
  require(draft_.data_offsets.has_value(), "data_offsets");
  const std::vector<std::uint64_t>& offsets = *draft_.data_offsets;
  if (offsets.size() != 2) {
    throw FormatError(file_, tensor_thing(draft_.name),
                      "'data_offsets': expected 2 numbers, found " + std::to_string(offsets.size()));
  }
  entries.push_back(
      {std::move(draft_.name), *draft_.dtype, std::move(*draft_.shape), offsets[0], offsets[1]});
}

// Rule 6.
void require_contiguous(const std::vector<Entry>& entries, const std::string& file) {
  std::uint64_t end = 0;
  for (const Entry& entry : entries) {
    if (entry.begin == end && entry.end >= entry.begin) {
      end = entry.end;
      continue;
    }
    const char* problem = entry.end < entry.begin ? "ends before it begins"
                          : entry.begin > end     ? "leaves a hole before it"
                                                  : "overlaps another tensor";
    throw FormatError(file, tensor_thing(entry.name),
                      std::string(problem) + " (expected data from byte " + std::to_string(end) +
                          ", found data_offsets " + format_shape({entry.begin, entry.end}) + ")");
  }
}

// Rule 7.
void require_length(const Entry& entry, const std::string& file) {
  const auto fail = [&](const std::string& problem) {
    throw FormatError(
        file, tensor_thing(entry.name),
        "shape " + format_shape(entry.shape) + " of " + std::string(dtype_name(entry.dtype)) + " " + problem);
  };
  const auto bits = checked_bits(entry.shape, entry.dtype);
  if (!bits) fail("is larger than 2^64 bits");
  if (*bits % 8 != 0) fail("does not fill whole bytes (" + std::to_string(*bits) + " bits)");
  const std::uint64_t found = entry.end - entry.begin;
  if (*bits / 8 != found) {
    fail("does not match its data_offsets (expected " + std::to_string(*bits / 8) + " bytes, found " +
         std::to_string(found) + ")");
  }
}

// Rule 8.
void require_whole_buffer(std::uint64_t used, std::uint64_t available, const std::string& file) {
  if (used == available) return;
  throw FormatError(file, {},
                    std::string(used > available ? "is truncated" : "has bytes after its last tensor") +
                        " (expected " + std::to_string(used) + " bytes of tensors, found " +
                        std::to_string(available) + ")");
}

// A tensor of no bytes lies before the one that begins at the same place.
void sort_by_offset(std::vector<Entry>& entries) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
}

// Rules 1 to 3.
std::uint64_t read_header_length(const SourceFile& shard) {
  if (shard.size() < safetensors_length_bytes) {
    refuse_foreign_shard(shard);
    throw FormatError(shard.name(), {},
                      "is too short for a safetensors file (expected at least 8 bytes, found " +
                          std::to_string(shard.size()) + ")");
  }
  std::array<std::byte, safetensors_length_bytes> bytes{};
  shard.read(0, bytes);
  std::uint64_t length = 0;
  for (std::size_t i = safetensors_length_bytes; i-- > 0;)
    length = length << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  if (length > largest_header || length > shard.size() - safetensors_length_bytes)
    refuse_foreign_shard(shard);
  if (length > largest_header) {
    throw FormatError(
        shard.name(), {},
        "is not a safetensors file: its header is too long (expected at most 100000000 bytes, found " +
            std::to_string(length) + ")");
  }
  if (length > shard.size() - safetensors_length_bytes) {
    throw FormatError(shard.name(), {},
                      "ends inside its header (expected " +
                          std::to_string(safetensors_length_bytes + length) + " bytes, found " +
                          std::to_string(shard.size()) + ")");
  }
  return length;
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view text, std::uint64_t buffer_bytes,
                                           const std::string& file) {
  HeaderHandler handler(file);
  parse_strict_json(text, file, handler);
  std::vector<Entry>& entries = handler.entries;
  sort_by_offset(entries);
  require_contiguous(entries, file);
  for (const Entry& entry : entries) require_length(entry, file);
  require_whole_buffer(entries.empty() ? 0 : entries.back().end, buffer_bytes, file);

  SafetensorsHeader header;
  header.header_bytes = safetensors_length_bytes + text.size();
  header.metadata = std::move(handler.metadata);
  header.tensors.reserve(entries.size());
  for (Entry& entry : entries) {
    header.tensors.push_back({std::move(entry.name), entry.dtype, std::move(entry.shape),
                              header.header_bytes + entry.begin, entry.end - entry.begin});
  }
  return header;
}

std::string read_safetensors_header_text(const SourceFile& shard) {
  std::string text(read_header_length(shard), '\0');
  shard.read(safetensors_length_bytes, std::as_writable_bytes(std::span(text)));
  if (!text.starts_with('{')) refuse_foreign_shard(shard);
  return text;
}

SafetensorsHeader read_safetensors_header(const SourceFile& shard) {
  const std::string text = read_safetensors_header_text(shard);
  return parse_safetensors_header(text, shard.size() - safetensors_length_bytes - text.size(), shard.name());
}

}  // namespace moescope
