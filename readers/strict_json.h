#pragma once
/// JSON read strictly: valid UTF-8, no byte order mark, no NUL, nothing after the value, no key twice in an
/// object, bounded nesting. Only the sources of this folder include this header.

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace moescope {

/// Objects and arrays inside one another; the files we read need four.
inline constexpr std::size_t json_nesting_limit = 64;

/// Throws FormatError unless `text` is UTF-8 without byte order mark and NUL. (JSON's parser skips the one
/// and takes the other for the end of its input.)
void require_json_text(std::string_view text, const std::string& file);

/// Throws the FormatError for an exception of the JSON library.
[[noreturn]] void throw_json_error(const nlohmann::json::exception& error, const std::string& file);

/// Follows the nesting of a document while it is parsed; both limits of strictness live here.
class JsonNesting {
 public:
  explicit JsonNesting(const std::string& file) : file_(file) {}

  std::size_t depth() const { return scopes_.size(); }
  void enter();
  void leave() { scopes_.pop_back(); }
  /// A key of the innermost object. Throws FormatError if the object has it already.
  void key(const std::string& name);

 private:
  std::string file_;
  std::vector<std::set<std::string>> scopes_;
};

/// Throws FormatError with the position and what was expected there.
nlohmann::json parse_strict_json(std::string_view text, const std::string& file);

/// One object's values by key, with messages that name file and key. The object must outlive it.
class JsonObject {
 public:
  /// `thing` prefixes the keys in messages, e.g. "rope_parameters"; may be empty. Throws FormatError unless
  /// `value` is an object.
  JsonObject(const nlohmann::json& value, std::string file, std::string thing);

  /// Null when the key is absent or its value is null.
  const nlohmann::json* find(const std::string& key) const;
  /// Whether the key is there with the value null.
  bool has_null(const std::string& key) const;
  /// These throw FormatError when the key is absent or null or its value is of another kind.
  const nlohmann::json& at(const std::string& key) const;
  std::int64_t integer(const std::string& key, std::int64_t least, std::int64_t greatest) const;
  double positive_number(const std::string& key) const;
  bool boolean(const std::string& key) const;
  std::string string(const std::string& key) const;

  /// Throws FormatError: `FILE: 'KEY': PROBLEM`.
  [[noreturn]] void fail(const std::string& key, const std::string& problem) const;
  [[noreturn]] void unsupported(const std::string& key, const std::string& problem) const;
  const std::string& file() const { return file_; }

 private:
  std::string quoted(const std::string& key) const;

  const nlohmann::json& value_;
  std::string file_;
  std::string thing_;
};

/// A JSON value for a message: short, on one line.
std::string excerpt(const nlohmann::json& value);

/// 'TEXT' for a message, with control characters escaped; shortened when very long.
std::string single_quoted(const std::string& text);

}  // namespace moescope
