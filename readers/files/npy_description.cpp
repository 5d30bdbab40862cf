#include "readers/files/npy_description.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "readers/errors.h"

namespace moescope {
namespace {

/// Reads literals one after the other.
class PythonReader {
 public:
  PythonReader(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  bool at_end() {
    skip_white_space();
    return position_ == text_.size();
  }

  /// Goes past `token` if it comes next.
  bool take(std::string_view token) {
    skip_white_space();
    if (!text_.substr(position_).starts_with(token)) return false;
    position_ += token.size();
    return true;
  }
  void expect(std::string_view token) {
    if (!take(token)) fail("'" + std::string(token) + "'");
  }

  std::string string() {
    const char quote = take("'") ? '\'' : take("\"") ? '"' : '\0';
    const std::size_t end = quote == '\0' ? std::string_view::npos : text_.find(quote, position_);
    if (end == std::string_view::npos) fail("a string");
    const std::string_view value = text_.substr(position_, end - position_);
    const bool is_plain =
        std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c <= '~' && c != '\\'; });
    if (!is_plain) fail("a string of printable characters");
    position_ = end + 1;
    return std::string(value);
  }

  bool boolean() {
    if (take("True")) return true;
    if (!take("False")) fail("True or False");
    return false;
  }

  std::vector<std::uint64_t> tuple() {
    std::vector<std::uint64_t> values;
    expect("(");
    while (!take(")")) {
      values.push_back(integer());
      if (take(",")) continue;
      expect(")");
      break;
    }
    return values;
  }

  [[noreturn]] void fail(const std::string& expected) const {
    throw FormatError(file_, ".npy header",
                      "is not a dictionary of descr, fortran_order and shape (expected " + expected +
                          " at its character " + std::to_string(position_) + ")");
  }

 private:
  void skip_white_space() {
    while (position_ < text_.size() &&
           std::string_view(" \t\r\n").find(text_[position_]) != std::string_view::npos) {
      ++position_;
    }
  }

  std::uint64_t integer() {
    skip_white_space();
    std::uint64_t value = 0;
    const char* begin = text_.data() + position_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc()) fail("a number of 64 bits");
    position_ += static_cast<std::size_t>(end - begin);
    return value;
  }

  std::string_view text_;
  const std::string& file_;
  std::size_t position_ = 0;
};

}  // namespace

NpyDescription parse_npy_description(std::string_view text, const std::string& file) {
  PythonReader reader(text, file);
  NpyDescription description;
  std::set<std::string> keys;
  reader.expect("{");
  while (!reader.take("}")) {
    const std::string key = reader.string();
    if (!keys.insert(key).second) reader.fail("a key that is not there already");
    reader.expect(":");
    if (key == "descr") {
      description.descr = reader.string();
    } else if (key == "fortran_order") {
      description.fortran_order = reader.boolean();
    } else if (key == "shape") {
      description.shape = reader.tuple();
    } else {
      reader.fail("no key '" + key + "'");
    }
    if (reader.take(",")) continue;
    reader.expect("}");
    break;
  }
  if (keys.size() != 3) reader.fail("three keys");
  if (!reader.at_end()) reader.fail("the end");
  return description;
}

}  // namespace moescope
