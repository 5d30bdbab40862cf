#pragma once
/// A pickle of Python, read without Python: what it describes is built as values; what it asks to call is
/// handed to a PickleCalls, which knows the few things that one format needs. Nothing is ever run or
/// imported. Format: pickletools.py of Python (protocols 2 to 5; of their instructions those that
/// dictionaries, lists, tuples, texts and numbers need).

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace moescope {

/// A value by its number in the Pickle that holds it. Values may share parts, and contain themselves.
using PickleItem = std::uint32_t;

struct PickleNone {};
struct PickleTuple {
  std::vector<PickleItem> items;
};
struct PickleList {
  std::vector<PickleItem> items;
};
struct PickleMapping {
  std::vector<std::pair<PickleItem, PickleItem>> entries;  // in the order in which they were set
};
/// What a PickleCalls made; only it knows what the numbers mean.
struct PickleObject {
  std::uint32_t kind = 0, index = 0;
};
using PickleValue = std::variant<PickleNone, bool, std::int64_t, double, std::string_view, PickleTuple,
                                 PickleList, PickleMapping, PickleObject>;

/// The values of one pickle. Texts lie in the bytes it was read from, which must outlive it; whether they are
/// UTF-8 is not checked.
class Pickle {
 public:
  const PickleValue& at(PickleItem item) const { return values_[item].value; }
  template <class Kind>
  const Kind* find(PickleItem item) const {
    return std::get_if<Kind>(&at(item));
  }
  /// "the text 'cpu'", "a tuple of 3".
  std::string in_words(PickleItem item) const;

 private:
  friend class PickleReader;
  struct Entry {
    PickleValue value;
    std::uint32_t depth = 0;  // how deep other values lie in it
  };
  std::deque<Entry> values_;
};

/// What names, calls and persistent ids of a pickle mean. Each may refuse with a FormatError.
class PickleCalls {
 public:
  virtual ~PickleCalls() = default;
  /// What a module of Python calls `name`.
  virtual PickleObject named(std::string_view module, std::string_view name) = 0;
  /// What an id stands for that the writer gave in place of an object.
  virtual PickleObject persistent(const Pickle& pickle, PickleItem id) = 0;
  /// The result of `callee(*arguments)`.
  virtual PickleValue call(const Pickle& pickle, PickleItem callee, PickleItem arguments) = 0;
};

/// Reads all of `bytes` and returns the value that the pickle is. `pickle` is empty before. Throws
/// FormatError, with `file` and `thing` in front: damage, other instructions, more than 4 million values or
/// values nested more than 64 deep.
PickleItem read_pickle(std::string_view bytes, const std::string& file, const std::string& thing,
                       PickleCalls& calls, Pickle& pickle);

}  // namespace moescope
