#include "readers/text/strict_json.h"
#include "readers/text/quoted_text.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "readers/errors.h"
#include "readers/text/foreign_content.h"
#include "readers/text/quoted_text.h"
#include "readers/text/utf8.h"

namespace moescope {
namespace {

using nlohmann::json;

// "[json.exception.parse_error.101] parse error at …" without the bracket.
std::string_view without_identifier(std::string_view message) {
  const auto end = message.find("] ");
  return end == std::string_view::npos ? message : message.substr(end + 2);
}

// What is not finite JSON cannot spell.
std::string dump(const json& value) {
  if (value.is_number_float() && !std::isfinite(value.get<double>())) {
    const double number = value.get<double>();
    return std::isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity";
  }
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

constexpr std::string_view constants[] = {"NaN", "Infinity", "-Infinity"};
constexpr std::string_view constant_mark =
    "\uFDD0";  // Unicode sets this code point aside for a program's own use

// The constant that begins at `position`, outside of strings; empty if there is none.
std::string_view constant_at(std::string_view text, std::size_t position) {
  const char first = text[position];
  if (first != 'N' && first != 'I' && first != '-') return {};
  const std::string_view rest = text.substr(position);
  const auto* found = std::ranges::find_if(constants, [&](auto name) { return rest.starts_with(name); });
  return found == std::end(constants) ? std::string_view() : *found;
}

// A string that stands for one of the constants becomes its number.
void restore_constant(json& value) {
  const auto* text = value.get_ptr<const std::string*>();
  if (text == nullptr || !text->starts_with(constant_mark)) return;
  const std::string_view name = std::string_view(*text).substr(constant_mark.size());
  constexpr double infinity = std::numeric_limits<double>::infinity();
  value = name == "NaN"        ? std::numeric_limits<double>::quiet_NaN()
          : name == "Infinity" ? infinity
                               : -infinity;
}

json::parser_callback_t strict_callback(JsonNesting& nesting, bool has_constants) {
  return [&nesting, has_constants](int, json::parse_event_t event, json& parsed) {
    switch (event) {
      case json::parse_event_t::object_start:
      case json::parse_event_t::array_start:
        nesting.enter();
        break;
      case json::parse_event_t::object_end:
      case json::parse_event_t::array_end:
        nesting.leave();
        break;
      case json::parse_event_t::key:
        nesting.key(parsed.get_ref<const std::string&>());
        break;
      case json::parse_event_t::value:
        if (has_constants) restore_constant(parsed);
        break;
    }
    return true;
  };
}

/// JSON's parser skips a byte order mark, and takes a NUL for the end of its input.
void require_json_text(std::string_view text, const std::string& file) {
  const std::size_t invalid = first_invalid_utf8(text);
  if (invalid != text.size()) {
    throw FormatError(file, {},
                      "is not valid UTF-8 at byte " + std::to_string(invalid) + " of its JSON text");
  }
  if (text.starts_with("\xEF\xBB\xBF"))
    throw FormatError(file, {}, "begins with a byte order mark (expected JSON)",
                      "save it as UTF-8 without the mark");
  const std::size_t nul = text.find('\0');
  if (nul != std::string_view::npos) {
    throw FormatError(file, {}, "holds a NUL at byte " + std::to_string(nul) + " of its JSON text");
  }
}

/// The FormatError for an exception of the JSON library. The line of a text of one line is no news; a record
/// of a file of many has another there.
[[noreturn]] void throw_json_error(const json::exception& error, const std::string& file,
                                   bool one_line = false) {
  std::string problem(without_identifier(error.what()));
  constexpr std::string_view first_line = " at line 1, column ";
  const std::size_t at = problem.find(first_line);
  if (one_line && at != std::string::npos) problem.replace(at, first_line.size(), " at column ");
  throw FormatError(file, {}, "is not valid JSON: " + shortened(problem, 200));
}

}  // namespace

std::optional<std::string> with_marked_constants(std::string_view text) {
  if (text.find("NaN") == std::string_view::npos && text.find("Infinity") == std::string_view::npos)
    return std::nullopt;
  std::string marked;
  std::size_t copied = 0;  // of text
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') in_string = !in_string;
    if (in_string && text[i] == '\\') ++i;
    const std::string_view constant = in_string ? std::string_view() : constant_at(text, i);
    if (constant.empty()) continue;
    marked.append(text.substr(copied, i - copied));
    marked.append("\"").append(constant_mark).append(constant).append("\"");
    copied = i + constant.size();
    i = copied - 1;
  }
  if (copied == 0) return std::nullopt;
  return marked.append(text.substr(copied));
}

void JsonNesting::enter() {
  if (scopes_.size() == json_nesting_limit) {
    throw FormatError(file_, {},
                      "nests JSON values more than " + std::to_string(json_nesting_limit) + " deep");
  }
  scopes_.push_back({keys_.size()});
}

void JsonNesting::key(std::string_view name) {
  Scope& scope = scopes_.back();
  if (keys_.size() > scope.first_key && view(keys_.back()) >= name) scope.ascending = false;
  keys_.push_back({text_.size(), name.size()});
  text_ += name;
}

void JsonNesting::leave() {
  const Scope scope = scopes_.back();
  if (!scope.ascending) require_different(scope);
  if (keys_.size() > scope.first_key) {
    text_.resize(keys_[scope.first_key].begin);
    keys_.resize(scope.first_key);
  }
  scopes_.pop_back();
}

void JsonNesting::require_different(const Scope& scope) const {
  std::vector<std::string_view> names;
  names.reserve(keys_.size() - scope.first_key);
  for (std::size_t i = scope.first_key; i < keys_.size(); ++i) names.push_back(view(keys_[i]));
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return;
  throw FormatError(file_, "key " + single_quoted(std::string(*twice)), "stands twice in one JSON object");
}

json parse_strict_json(std::string_view text, const std::string& file) {
  refuse_foreign_content(text, text.size(), file);
  require_json_text(text, file);
  JsonNesting nesting(file);
  const std::optional<std::string> marked = with_marked_constants(text);
  try {
    return json::parse(marked ? std::string_view(*marked) : text,
                       strict_callback(nesting, marked.has_value()));
  } catch (const json::exception& error) {
    throw_json_error(error, file, text.find('\n') == std::string_view::npos);
  }
}

bool JsonHandler::parse_error(std::size_t, const std::string&, const json::exception& error) {
  throw_json_error(error, file_);
}

void parse_strict_json(std::string_view text, const std::string& file, JsonHandler& handler) {
  require_json_text(text, file);
  json::sax_parse(text, &handler);
}

JsonObject::JsonObject(const json& value, std::string file, std::string thing, KeyUses* uses)
    : value_(value), file_(std::move(file)), thing_(std::move(thing)), uses_(uses) {
  if (value.is_object()) return;
  throw FormatError(file_, thing_.empty() ? std::string() : "'" + thing_ + "'",
                    "expected a JSON object, found " + excerpt(value));
}

JsonObject JsonObject::within(const JsonObject& outer) const {
  JsonObject result = *this;
  result.outer_ = &outer;
  return result;
}

bool JsonObject::has_value(const std::string& key) const {
  const auto found = value_.find(key);
  return found != value_.end() && !found->is_null();
}

bool JsonObject::is_outside(const std::string& key) const {
  return outer_ != nullptr && !has_value(key) && outer_->has_value(key);
}

std::string JsonObject::path(const std::string& key) const {
  if (is_outside(key)) return outer_->path(key);
  return thing_.empty() ? key : thing_ + "." + key;
}

void JsonObject::fail(const std::string& key, const std::string& problem) const {
  throw FormatError(file_, "'" + path(key) + "'", problem);
}

void JsonObject::unsupported(const std::string& key, const std::string& problem) const {
  throw UnsupportedModel(file_, "'" + path(key) + "'", problem);
}

JsonObject JsonObject::member(const std::string& key) const {
  return JsonObject(at(key), file_, path(key), uses_);
}

const json* JsonObject::find(const std::string& key, KeyUse use) const {
  if (is_outside(key)) return outer_->find(key, use);
  if (uses_ != nullptr) uses_->try_emplace(path(key), use);
  return has_value(key) ? &value_.at(key) : nullptr;
}

bool JsonObject::has_null(const std::string& key) const {
  return value_.contains(key) && find(key) == nullptr;
}

const json& JsonObject::at(const std::string& key) const {
  if (const json* value = find(key)) return *value;
  fail(key, has_null(key) ? "is null, but a value is needed" : "is missing");
}

std::int64_t JsonObject::integer(const std::string& key, std::int64_t least, std::int64_t greatest) const {
  const json& value = at(key);
  // A number above 2^63 - 1 is unsigned for the library and would wrap.
  const bool fits = value.is_number_unsigned()
                        ? value.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX)
                        : value.is_number_integer();
  if (fits && value.get<std::int64_t>() >= least && value.get<std::int64_t>() <= greatest) {
    return value.get<std::int64_t>();
  }
  fail(key, "expected an integer from " + std::to_string(least) + " to " + std::to_string(greatest) +
                ", found " + excerpt(value));
}

double JsonObject::positive_number(const std::string& key) const {
  const json& value = at(key);
  if (value.is_number() && value.get<double>() > 0 && std::isfinite(value.get<double>()))
    return value.get<double>();
  fail(key, "expected a positive number, found " + excerpt(value));
}

bool JsonObject::boolean(const std::string& key) const {
  const json& value = at(key);
  if (value.is_boolean()) return value.get<bool>();
  fail(key, "expected true or false, found " + excerpt(value));
}

std::string JsonObject::string(const std::string& key) const {
  const json& value = at(key);
  if (value.is_string()) return value.get<std::string>();
  fail(key, "expected a string, found " + excerpt(value));
}

std::string excerpt(const json& value) {
  return shortened(dump(value), 60);
}

}  // namespace moescope
