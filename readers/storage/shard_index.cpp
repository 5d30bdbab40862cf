#include "readers/storage/shard_index.h"

#include <algorithm>
#include <set>
#include <utility>

#include "readers/errors.h"
#include "readers/text/foreign_content.h"
#include "readers/text/quoted_text.h"
#include "readers/text/strict_json.h"

namespace moescope {
namespace {

// The name itself stays inside the directory; the file may well be a symbolic link to elsewhere.
void require_plain_name(const std::string& name, const std::string& file) {
  const bool control = std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20; });
  if (!name.empty() && !control && name.find_first_of("/\\") == std::string::npos &&
      name.find("..") == std::string::npos) {
    return;
  }
  throw FormatError(file, "shard " + single_quoted(name), "is not the plain name of a file beside the index");
}

/// Receives the parser's events: a document object would hold the names of all tensors once more.
class IndexHandler : public JsonHandler {
 public:
  using JsonHandler::JsonHandler;

  bool null() override { return other("null"); }
  bool boolean(bool value) override { return other(excerpt(value)); }
  bool number_integer(number_integer_t value) override { return number(static_cast<double>(value)); }
  bool number_unsigned(number_unsigned_t value) override { return number(static_cast<double>(value)); }
  bool number_float(number_float_t value, const string_t&) override { return number(value); }
  bool binary(binary_t&) override { return other("binary data"); }
  bool string(string_t& value) override;
  bool start_object(std::size_t) override;
  bool end_object() override;
  bool start_array(std::size_t) override;
  bool end_array() override;
  bool key(string_t& name) override;

  /// Throws FormatError unless the map was there.
  ShardIndex take();

 private:
  bool in_map() const { return nesting_.depth() == 2 && outer_key_ == map_key; }
  bool other(const std::string& found);
  bool number(double value);
  [[noreturn]] void fail(const std::string& problem) const;

  static constexpr const char* map_key = "weight_map";
  std::string outer_key_, key_;  // of the outermost object; of the object in it
  bool has_map_ = false;
  ShardIndex index_;
};

void IndexHandler::fail(const std::string& problem) const {
  throw FormatError(file_, std::string("'") + map_key + "'", problem);
}

// What is not where a name, a number or an object is expected; elsewhere it does not matter.
bool IndexHandler::other(const std::string& found) {
  if (nesting_.depth() == 0) throw FormatError(file_, {}, "expected a JSON object, found " + found);
  if (in_map()) fail("expected names of files, found " + found);
  if (nesting_.depth() == 1 && outer_key_ == map_key) {
    fail(found == "null" ? "is null, but a value is needed" : "expected a JSON object, found " + found);
  }
  return true;
}

// Nothing depends on total_size, so that any other form of it counts as absent.
bool IndexHandler::number(double value) {
  if (nesting_.depth() == 2 && outer_key_ == "metadata" && key_ == "total_size") index_.total_size = value;
  return other(excerpt(value));
}

bool IndexHandler::string(string_t& value) {
  if (!in_map()) return other(excerpt(value));
  require_plain_name(value, file_);
  index_.shard_of.emplace_hint(index_.shard_of.end(), key_, value);
  return true;
}

bool IndexHandler::start_object(std::size_t) {
  const bool is_map = nesting_.depth() == 1 && outer_key_ == map_key;
  if (nesting_.depth() > 0 && !is_map) other("an object");
  has_map_ = has_map_ || is_map;
  nesting_.enter();
  key_.clear();
  return true;
}

bool IndexHandler::end_object() {
  nesting_.leave();
  return true;
}

bool IndexHandler::start_array(std::size_t) {
  other("an array");
  nesting_.enter();
  key_.clear();
  return true;
}

bool IndexHandler::end_array() {
  nesting_.leave();
  return true;
}

bool IndexHandler::key(string_t& name) {
  nesting_.key(name);
  if (nesting_.depth() == 1) outer_key_ = name;
  if (nesting_.depth() == 2) key_ = name;
  return true;
}

ShardIndex IndexHandler::take() {
  if (!has_map_) fail("is missing");
  if (index_.shard_of.empty()) fail("names no tensor");
  return std::move(index_);
}

}  // namespace

const std::string* ShardIndex::find(const std::string& tensor) const {
  const auto found = shard_of.find(tensor);
  return found == shard_of.end() ? nullptr : &found->second;
}

std::vector<std::string> ShardIndex::shards() const {
  std::set<std::string> names;
  for (const auto& [tensor, shard] : shard_of) {
    if (!names.contains(shard)) names.insert(shard);
  }
  return {names.begin(), names.end()};
}

ShardIndex parse_shard_index(std::string_view text, const std::string& file) {
  refuse_foreign_content(text, text.size(), file);
  IndexHandler handler(file);
  const std::optional<std::string> marked = with_marked_constants(text);
  parse_strict_json(marked ? std::string_view(*marked) : text, file, handler);
  return handler.take();
}

}  // namespace moescope
