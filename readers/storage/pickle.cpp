#include "readers/storage/pickle.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "readers/errors.h"
#include "readers/text/quoted_text.h"

namespace moescope {

/// The machine of pickletools.py: a stack, marks on it, and a memo of what is used again.
class PickleReader {
 public:
  PickleReader(std::string_view bytes, const std::string& file, const std::string& thing, PickleCalls& calls,
               Pickle& pickle)
      : bytes_(bytes), file_(file), thing_(thing), calls_(calls), pickle_(pickle) {}

  PickleItem read();

 private:
  /// One that is not known, or of which nothing is run, is refused.
  struct Instruction {
    unsigned char code;
    const char* name;
    void (*run)(PickleReader& reader);
  };
  static const Instruction instructions[];

  [[noreturn]] void fail(const std::string& problem) const { throw FormatError(file_, thing_, problem); }
  [[noreturn]] void fail_here(const std::string& problem) const;

  std::string_view take(std::uint64_t bytes);
  std::string_view take_line();
  std::uint64_t take_number(std::size_t bytes);
  std::int64_t take_signed(std::uint64_t bytes);
  double take_double();

  void push_item(PickleItem item);
  void push(PickleValue value, std::uint32_t depth = 0);
  PickleItem pop();
  PickleItem top() const;
  std::vector<PickleItem> pop_to_mark();
  std::vector<PickleItem> pop_last(std::size_t count);
  void push_tuple(std::vector<PickleItem> items);

  void memoize(std::uint64_t place);
  void recall(std::uint64_t place);
  void put_inside(Pickle::Entry& container, PickleItem item);
  void append(const std::vector<PickleItem>& items);
  void set_items(const std::vector<PickleItem>& items);
  void push_named();
  void push_named_by_texts();
  void push_called();
  void build();
  void mark();

  void begin();
  void run(unsigned char code);

  std::string_view bytes_;
  const std::string& file_;
  const std::string& thing_;
  PickleCalls& calls_;
  Pickle& pickle_;
  std::size_t position_ = 0, pushed_ = 0;
  std::vector<PickleItem> stack_, memo_;
  std::vector<std::size_t> marks_;  // sizes of the stack
};

namespace {

constexpr std::size_t most_pushes = std::size_t{1} << 22;  // a tensor takes about 25
constexpr std::uint32_t deepest_nesting = 64;
constexpr PickleItem no_item = std::numeric_limits<PickleItem>::max();

}  // namespace

std::string Pickle::in_words(PickleItem item) const {
  struct Words {
    std::string operator()(PickleNone) const { return "None"; }
    std::string operator()(bool value) const { return value ? "True" : "False"; }
    std::string operator()(std::int64_t value) const { return "the number " + std::to_string(value); }
    std::string operator()(double value) const { return "the number " + std::to_string(value); }
    std::string operator()(std::string_view text) const {
      return "the text " + single_quoted(std::string(text));
    }
    std::string operator()(const PickleTuple& tuple) const {
      return "a tuple of " + std::to_string(tuple.items.size());
    }
    std::string operator()(const PickleList& list) const {
      return "a list of " + std::to_string(list.items.size());
    }
    std::string operator()(const PickleMapping& mapping) const {
      return "a dictionary of " + std::to_string(mapping.entries.size());
    }
    std::string operator()(PickleObject) const { return "an object"; }
  };
  return std::visit(Words{}, at(item));
}

void PickleReader::fail_here(const std::string& problem) const {
  fail(problem + " (before byte " + std::to_string(position_) + ")");
}

std::string_view PickleReader::take(std::uint64_t bytes) {
  if (bytes > bytes_.size() - position_) fail_here("ends early");
  const std::string_view taken = bytes_.substr(position_, bytes);
  position_ += bytes;
  return taken;
}

std::string_view PickleReader::take_line() {
  const std::size_t end = bytes_.find('\n', position_);
  if (end == std::string_view::npos) fail_here("ends early");
  const std::string_view line = take(end - position_);
  take(1);
  return line;
}

std::uint64_t PickleReader::take_number(std::size_t bytes) {
  const std::string_view text = take(bytes);
  std::uint64_t value = 0;
  for (std::size_t i = bytes; i-- > 0;) value = value << 8 | static_cast<unsigned char>(text[i]);
  return value;
}

// Two's complement.
std::int64_t PickleReader::take_signed(std::uint64_t bytes) {
  if (bytes > 8) fail_here("holds a number of more than 64 bits");
  if (bytes == 0) return 0;
  const auto unused = static_cast<unsigned>(64 - 8 * bytes);
  return static_cast<std::int64_t>(take_number(bytes) << unused) >> unused;
}

// The one number that is big-endian.
double PickleReader::take_double() {
  std::uint64_t bits = 0;
  for (const char byte : take(8)) bits = bits << 8 | static_cast<unsigned char>(byte);
  return std::bit_cast<double>(bits);
}

// Whatever the instructions are, they push something: this bounds all memory.
void PickleReader::push_item(PickleItem item) {
  if (++pushed_ > most_pushes)
    fail("holds too many values (expected at most " + std::to_string(most_pushes) + ")");
  stack_.push_back(item);
}

void PickleReader::push(PickleValue value, std::uint32_t depth) {
  if (depth > deepest_nesting) fail("nests values more than " + std::to_string(deepest_nesting) + " deep");
  push_item(static_cast<PickleItem>(pickle_.values_.size()));
  pickle_.values_.push_back({std::move(value), depth});
}

PickleItem PickleReader::top() const {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) fail_here("takes a value where there is none");
  return stack_.back();
}

PickleItem PickleReader::pop() {
  const PickleItem item = top();
  stack_.pop_back();
  return item;
}

void PickleReader::mark() {
  if (marks_.size() >= deepest_nesting)
    fail("nests values more than " + std::to_string(deepest_nesting) + " deep");
  marks_.push_back(stack_.size());
}

std::vector<PickleItem> PickleReader::pop_to_mark() {
  if (marks_.empty()) fail_here("ends a group of values that did not begin");
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<PickleItem> items(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return items;
}

void PickleReader::push_tuple(std::vector<PickleItem> items) {
  std::uint32_t depth = 0;
  for (const PickleItem item : items) depth = std::max(depth, pickle_.values_[item].depth + 1);
  push(PickleTuple{std::move(items)}, depth);
}

std::vector<PickleItem> PickleReader::pop_last(std::size_t count) {
  std::vector<PickleItem> items(count);
  for (std::size_t i = count; i-- > 0;) items[i] = pop();
  return items;
}

// Python numbers the memo from 0 on.
void PickleReader::memoize(std::uint64_t place) {
  if (place > most_pushes) fail_here("remembers a value at the absurd place " + std::to_string(place));
  if (memo_.size() <= place) memo_.resize(place + 1, no_item);
  memo_[place] = top();
}

void PickleReader::recall(std::uint64_t place) {
  if (place >= memo_.size() || memo_[place] == no_item)
    fail_here("takes from its memo what is not there (place " + std::to_string(place) + ")");
  push_item(memo_[place]);
}

void PickleReader::put_inside(Pickle::Entry& container, PickleItem item) {
  container.depth = std::max(container.depth, pickle_.values_[item].depth + 1);
  if (container.depth > deepest_nesting)
    fail("nests values more than " + std::to_string(deepest_nesting) + " deep");
}

void PickleReader::append(const std::vector<PickleItem>& items) {
  Pickle::Entry& entry = pickle_.values_[top()];
  auto* list = std::get_if<PickleList>(&entry.value);
  if (list == nullptr) fail_here("appends to " + pickle_.in_words(top()));
  for (const PickleItem item : items) {
    put_inside(entry, item);
    list->items.push_back(item);
  }
}

void PickleReader::set_items(const std::vector<PickleItem>& items) {
  Pickle::Entry& entry = pickle_.values_[top()];
  auto* mapping = std::get_if<PickleMapping>(&entry.value);
  if (mapping == nullptr) fail_here("sets an entry of " + pickle_.in_words(top()));
  if (items.size() % 2 != 0) fail_here("sets a key without a value");
  for (std::size_t i = 0; i < items.size(); i += 2) {
    put_inside(entry, items[i]);
    put_inside(entry, items[i + 1]);
    mapping->entries.emplace_back(items[i], items[i + 1]);
  }
}

void PickleReader::push_named() {
  const std::string_view module = take_line(), name = take_line();
  push(calls_.named(module, name));
}

void PickleReader::push_named_by_texts() {
  const PickleItem name = pop(), module = pop();
  const auto *name_text = pickle_.find<std::string_view>(name),
             *module_text = pickle_.find<std::string_view>(module);
  if (name_text == nullptr || module_text == nullptr) fail_here("names an object by what is no text");
  push(calls_.named(*module_text, *name_text));
}

void PickleReader::push_called() {
  const PickleItem arguments = pop(), callee = pop();
  if (pickle_.find<PickleTuple>(arguments) == nullptr)
    fail_here("calls with " + pickle_.in_words(arguments) + " in place of arguments");
  push(calls_.call(pickle_, callee, arguments));
}

// Sets attributes of an object, of which a dictionary has none that matter.
void PickleReader::build() {
  const PickleItem state = pop();
  if (pickle_.find<PickleMapping>(top()) == nullptr || pickle_.find<PickleMapping>(state) == nullptr)
    fail_here("sets the state of " + pickle_.in_words(top()) + " to " + pickle_.in_words(state));
}

// By the names of pickletools.py.
const PickleReader::Instruction PickleReader::instructions[] = {
    {'N', "NONE", [](PickleReader& r) { r.push(PickleNone{}); }},
    {0x88, "NEWTRUE", [](PickleReader& r) { r.push(true); }},
    {0x89, "NEWFALSE", [](PickleReader& r) { r.push(false); }},
    {'K', "BININT1", [](PickleReader& r) { r.push(static_cast<std::int64_t>(r.take_number(1))); }},
    {'M', "BININT2", [](PickleReader& r) { r.push(static_cast<std::int64_t>(r.take_number(2))); }},
    {'J', "BININT", [](PickleReader& r) { r.push(r.take_signed(4)); }},
    {0x8A, "LONG1", [](PickleReader& r) { r.push(r.take_signed(r.take_number(1))); }},
    {'G', "BINFLOAT", [](PickleReader& r) { r.push(r.take_double()); }},
    {'X', "BINUNICODE", [](PickleReader& r) { r.push(r.take(r.take_number(4))); }},
    {0x8C, "SHORT_BINUNICODE", [](PickleReader& r) { r.push(r.take(r.take_number(1))); }},
    {'}', "EMPTY_DICT", [](PickleReader& r) { r.push(PickleMapping{}); }},
    {']', "EMPTY_LIST", [](PickleReader& r) { r.push(PickleList{}); }},
    {')', "EMPTY_TUPLE", [](PickleReader& r) { r.push(PickleTuple{}); }},
    {'(', "MARK", [](PickleReader& r) { r.mark(); }},
    {'t', "TUPLE", [](PickleReader& r) { r.push_tuple(r.pop_to_mark()); }},
    {0x85, "TUPLE1", [](PickleReader& r) { r.push_tuple(r.pop_last(1)); }},
    {0x86, "TUPLE2", [](PickleReader& r) { r.push_tuple(r.pop_last(2)); }},
    {0x87, "TUPLE3", [](PickleReader& r) { r.push_tuple(r.pop_last(3)); }},
    {'a', "APPEND", [](PickleReader& r) { r.append(r.pop_last(1)); }},
    {'e', "APPENDS", [](PickleReader& r) { r.append(r.pop_to_mark()); }},
    {'s', "SETITEM", [](PickleReader& r) { r.set_items(r.pop_last(2)); }},
    {'u', "SETITEMS", [](PickleReader& r) { r.set_items(r.pop_to_mark()); }},
    {'b', "BUILD", [](PickleReader& r) { r.build(); }},
    {'q', "BINPUT", [](PickleReader& r) { r.memoize(r.take_number(1)); }},
    {'r', "LONG_BINPUT", [](PickleReader& r) { r.memoize(r.take_number(4)); }},
    {0x94, "MEMOIZE", [](PickleReader& r) { r.memoize(r.memo_.size()); }},
    {'h', "BINGET", [](PickleReader& r) { r.recall(r.take_number(1)); }},
    {'j', "LONG_BINGET", [](PickleReader& r) { r.recall(r.take_number(4)); }},
    {'c', "GLOBAL", [](PickleReader& r) { r.push_named(); }},
    {0x93, "STACK_GLOBAL", [](PickleReader& r) { r.push_named_by_texts(); }},
    {'Q', "BINPERSID", [](PickleReader& r) { r.push(r.calls_.persistent(r.pickle_, r.pop())); }},
    {'R', "REDUCE", [](PickleReader& r) { r.push_called(); }},
    {0x95, "FRAME", [](PickleReader& r) { r.take_number(8); }},  // how much to read at once
    // These make objects, or find them elsewhere.
    {'i', "INST", nullptr},
    {'o', "OBJ", nullptr},
    {0x81, "NEWOBJ", nullptr},
    {0x92, "NEWOBJ_EX", nullptr},
    {0x82, "EXT1", nullptr},
    {0x83, "EXT2", nullptr},
    {0x84, "EXT4", nullptr},
    {'P', "PERSID", nullptr},
    {0x97, "NEXT_BUFFER", nullptr},
};

void PickleReader::run(unsigned char code) {
  const auto* const found = std::ranges::find(instructions, code, &Instruction::code);
  const bool known = found != std::end(instructions);
  if (known && found->run != nullptr) return found->run(*this);
  const std::size_t place = position_ - 1;
  if (code == 'i') push_named();  // INST names what it would make
  fail("asks for an instruction that no state dict needs (" + (known ? found->name + std::string(", ") : "") +
       "code " + std::to_string(code) + " at byte " + std::to_string(place) + "); nothing of it is run");
}

void PickleReader::begin() {
  constexpr unsigned char protocol = 0x80;
  const std::uint64_t code = take_number(1), version = code == protocol ? take_number(1) : 0;
  if (version < 2 || version > 5)
    fail(code == protocol ? "is a pickle of protocol " + std::to_string(version) + " (expected 2 to 5)"
                          : "is not a pickle of Python of protocol 2 to 5");
}

PickleItem PickleReader::read() {
  begin();
  for (;;) {
    const auto code = static_cast<unsigned char>(take_number(1));
    if (code == '.') break;
    run(code);
  }
  const PickleItem root = pop();
  if (!stack_.empty() || !marks_.empty()) fail_here("ends with values that nothing took");
  if (position_ != bytes_.size()) fail_here("goes on behind its end");
  return root;
}

PickleItem read_pickle(std::string_view bytes, const std::string& file, const std::string& thing,
                       PickleCalls& calls, Pickle& pickle) {
  return PickleReader(bytes, file, thing, calls, pickle).read();
}

}  // namespace moescope
