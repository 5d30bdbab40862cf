#pragma once
/// JSON read strictly: valid UTF-8, no byte order mark, no NUL, nothing after the value, no key twice in an
/// object, bounded nesting. Only NaN, Infinity and -Infinity, which Python's json writes, are let in where a
/// document is read: whoever follows their keys refuses them. Only the sources of this folder include this
/// header.

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "readers/text/key_use.h"

namespace moescope {

/// Objects and arrays inside one another; the files we read need four.
inline constexpr std::size_t json_nesting_limit = 64;

/// Follows the nesting of a document while it is parsed; both limits of strictness live here.
class JsonNesting {
 public:
  explicit JsonNesting(const std::string& file) : file_(file) {}

  std::size_t depth() const { return scopes_.size(); }
  /// Throws FormatError when the limit is reached.
  void enter();
  /// Throws FormatError if the innermost object had a key twice.
  void leave();
  /// A key of the innermost object.
  void key(std::string_view name);

 private:
  struct Scope {
    std::size_t first_key;  // in keys_
    bool ascending = true;  // each key so far is greater than the one before: none can be there twice
  };
  struct Key {
    std::size_t begin, size;  // in text_
  };
  std::string_view view(const Key& key) const { return std::string_view(text_).substr(key.begin, key.size); }
  void require_different(const Scope& scope) const;

  std::string file_;
  std::string text_;  // the keys of all open objects, one behind the other
  std::vector<Key> keys_;
  std::vector<Scope> scopes_;
};

/// `text` with the bare constants of Python's json as strings, which marks tell from others; empty when it
/// has none.
std::optional<std::string> with_marked_constants(std::string_view text);

/// Throws FormatError with the position and what was expected there, or with what the text is that is no
/// JSON.
nlohmann::json parse_strict_json(std::string_view text, const std::string& file);

/// Receives a document's events, for what a document object would hide, or hold once more. It keeps nesting_
/// up to date itself: enter, leave and key.
class JsonHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit JsonHandler(const std::string& file) : file_(file), nesting_(file) {}

  /// Throws FormatError.
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& error) override;

 protected:
  std::string file_;
  JsonNesting nesting_;
};

/// Hands the events to `handler`; throws FormatError as the other one does.
void parse_strict_json(std::string_view text, const std::string& file, JsonHandler& handler);

/// One object's values by key, with messages that name file and key. The object must outlive it.
class JsonObject {
 public:
  /// `thing` prefixes the keys in messages, e.g. "rope_parameters"; may be empty. `uses`, where given, keeps
  /// for what each key was asked, and must outlive this. Throws FormatError unless `value` is an object.
  JsonObject(const nlohmann::json& value, std::string file, std::string thing, KeyUses* uses = nullptr);

  /// The object inside this one, which keeps its keys in the same place. Throws FormatError.
  JsonObject member(const std::string& key) const;
  /// The same, but what this one lacks, or has as null, is taken from `outer`, which must outlive it.
  JsonObject within(const JsonObject& outer) const;

  /// Null when the key is absent or its value is null. Whoever asks first says what for.
  const nlohmann::json* find(const std::string& key, KeyUse use = KeyUse::followed) const;
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
  std::string path(const std::string& key) const;
  bool has_value(const std::string& key) const;
  bool is_outside(const std::string& key) const;

  const nlohmann::json& value_;
  std::string file_;
  std::string thing_;
  KeyUses* uses_;
  const JsonObject* outer_ = nullptr;
};

/// A JSON value for a message: short, on one line.
std::string excerpt(const nlohmann::json& value);

}  // namespace moescope
