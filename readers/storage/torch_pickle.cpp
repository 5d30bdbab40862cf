#include "readers/storage/torch_pickle.h"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <set>
#include <utility>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "readers/storage/pickle.h"
#include "readers/text/quoted_text.h"
#include "readers/text/utf8.h"

namespace moescope {
namespace {

constexpr const char* torch_pickle_thing = "data.pkl";
constexpr std::size_t most_tensor_dimensions = 64;  // as in PyTorch
constexpr std::size_t longest_storage_key = 255;    // they are numbers: each tensor gets a copy

/// What a PickleObject of a state dict is.
struct Torch {
  enum Kind : std::uint32_t {
    ordered_dict,       // the class
    rebuild_tensor,     // the function; index: its version
    rebuild_parameter,  // the function
    storage_type,       // index: the DType of its elements
    untyped_storage,    // the class: storages of bytes
    element_type,       // index: the DType
    storage,            // index: into storages_
    tensor,             // index: into tensors_
  };
};

struct TorchName {
  std::string_view module, name;
  Torch::Kind kind;
  std::uint32_t index = 0;
};

constexpr std::uint32_t dtype_index(DType dtype) {
  return static_cast<std::uint32_t>(dtype);
}

// All that a state dict may ask for. PyTorch's newer element types come as "torch NAME", with storages of
// bytes.
constexpr TorchName torch_names[] = {
    {"collections", "OrderedDict", Torch::ordered_dict},
    {"torch._utils", "_rebuild_tensor_v2", Torch::rebuild_tensor, 2},
    {"torch._utils", "_rebuild_tensor_v3", Torch::rebuild_tensor, 3},
    {"torch._utils", "_rebuild_parameter", Torch::rebuild_parameter},
    {"torch", "BFloat16Storage", Torch::storage_type, dtype_index(DType::bf16)},
    {"torch", "HalfStorage", Torch::storage_type, dtype_index(DType::f16)},
    {"torch", "FloatStorage", Torch::storage_type, dtype_index(DType::f32)},
    {"torch", "DoubleStorage", Torch::storage_type, dtype_index(DType::f64)},
    {"torch", "ByteStorage", Torch::storage_type, dtype_index(DType::u8)},
    {"torch", "CharStorage", Torch::storage_type, dtype_index(DType::i8)},
    {"torch", "ShortStorage", Torch::storage_type, dtype_index(DType::i16)},
    {"torch", "IntStorage", Torch::storage_type, dtype_index(DType::i32)},
    {"torch", "LongStorage", Torch::storage_type, dtype_index(DType::i64)},
    {"torch", "BoolStorage", Torch::storage_type, dtype_index(DType::boolean)},
    {"torch", "ComplexFloatStorage", Torch::storage_type, dtype_index(DType::c64)},
    {"torch.storage", "UntypedStorage", Torch::untyped_storage},
    {"torch", "UntypedStorage", Torch::untyped_storage},
    {"torch", "float8_e4m3fn", Torch::element_type, dtype_index(DType::f8_e4m3)},
    {"torch", "float8_e5m2", Torch::element_type, dtype_index(DType::f8_e5m2)},
    {"torch", "float8_e4m3fnuz", Torch::element_type, dtype_index(DType::f8_e4m3fnuz)},
    {"torch", "float8_e5m2fnuz", Torch::element_type, dtype_index(DType::f8_e5m2fnuz)},
    {"torch", "float8_e8m0fnu", Torch::element_type, dtype_index(DType::f8_e8m0)},
    {"torch", "uint16", Torch::element_type, dtype_index(DType::u16)},
    {"torch", "uint32", Torch::element_type, dtype_index(DType::u32)},
    {"torch", "uint64", Torch::element_type, dtype_index(DType::u64)},
};

struct TorchStorage {
  std::optional<DType> dtype;  // none: bytes
  std::string_view key;
  std::uint64_t bytes = 0;
};

/// A tensor before it has a name.
struct RebuiltTensor {
  std::uint32_t storage = 0;
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape, strides;  // strides in elements
  std::uint64_t offset = 0;                   // in elements
};

class StateDictCalls : public PickleCalls {
 public:
  explicit StateDictCalls(const std::string& file) : file_(file) {}

  PickleObject named(std::string_view module, std::string_view name) override;
  PickleObject persistent(const Pickle& pickle, PickleItem id) override;
  PickleValue call(const Pickle& pickle, PickleItem callee, PickleItem arguments) override;

  /// The tensors of the value that the whole pickle is.
  std::vector<PickledTensor> tensors(const Pickle& pickle, PickleItem root) const;

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw FormatError(file_, torch_pickle_thing, problem);
  }
  [[noreturn]] void fail_tensor(const std::string& name, const std::string& problem,
                                const char* hint = "") const {
    throw FormatError(file_, tensor_thing(name), problem, hint);
  }
  const PickleObject* find(const Pickle& pickle, PickleItem item,
                           std::initializer_list<Torch::Kind> kinds) const;
  std::uint64_t number(const Pickle& pickle, PickleItem item, const char* what) const;
  std::vector<std::uint64_t> numbers(const Pickle& pickle, PickleItem item, const char* what) const;
  PickleObject rebuild(const Pickle& pickle, std::uint32_t version, const std::vector<PickleItem>& arguments);
  PickleObject parameter(const Pickle& pickle, const std::vector<PickleItem>& arguments) const;
  void require_empty(const Pickle& pickle, PickleItem item, const char* what) const;
  PickleItem unwrapped(const Pickle& pickle, PickleItem root) const;
  std::string name(const Pickle& pickle, PickleItem key) const;
  PickledTensor placed(const std::string& name, const RebuiltTensor& rebuilt) const;

  const std::string& file_;
  std::vector<TorchStorage> storages_;
  std::vector<RebuiltTensor> tensors_;
};

PickleObject StateDictCalls::named(std::string_view module, std::string_view name) {
  for (const TorchName& known : torch_names) {
    if (known.module == module && known.name == name) return {known.kind, known.index};
  }
  const std::string asked = shortened(std::string(module) + "." + std::string(name), 200);
  throw FormatError(file_, torch_pickle_thing,
                    "asks for " + single_quoted(asked) + ", which no state dict needs; nothing of it is run",
                    "a file of weights holds the state dict alone: torch.save(model.state_dict(), FILE)");
}

/// Null unless it is of one of these kinds.
const PickleObject* StateDictCalls::find(const Pickle& pickle, PickleItem item,
                                         std::initializer_list<Torch::Kind> kinds) const {
  const auto* object = pickle.find<PickleObject>(item);
  const bool found =
      object != nullptr && std::ranges::any_of(kinds, [&](Torch::Kind kind) { return object->kind == kind; });
  return found ? object : nullptr;
}

std::uint64_t StateDictCalls::number(const Pickle& pickle, PickleItem item, const char* what) const {
  const auto* value = pickle.find<std::int64_t>(item);
  if (value == nullptr || *value < 0)
    fail(std::string("gives ") + pickle.in_words(item) + " as " + what + " (expected a number from 0 on)");
  return static_cast<std::uint64_t>(*value);
}

std::vector<std::uint64_t> StateDictCalls::numbers(const Pickle& pickle, PickleItem item,
                                                   const char* what) const {
  const auto* tuple = pickle.find<PickleTuple>(item);
  if (tuple == nullptr || tuple->items.size() > most_tensor_dimensions)
    fail(std::string("gives ") + pickle.in_words(item) + " as " + what +
         " (expected a tuple of at most 64 numbers)");
  std::vector<std::uint64_t> values;
  for (const PickleItem entry : tuple->items) values.push_back(number(pickle, entry, what));
  return values;
}

// ("storage", type, key, device, number of elements)
PickleObject StateDictCalls::persistent(const Pickle& pickle, PickleItem id) {
  const auto* tuple = pickle.find<PickleTuple>(id);
  const auto* word =
      tuple == nullptr || tuple->items.size() != 5 ? nullptr : pickle.find<std::string_view>(tuple->items[0]);
  if (word == nullptr || *word != "storage")
    fail("asks for an object outside it that is no storage: " + pickle.in_words(id));
  const auto* type = find(pickle, tuple->items[1], {Torch::storage_type, Torch::untyped_storage});
  const auto* key = pickle.find<std::string_view>(tuple->items[2]);
  if (type == nullptr) fail("asks for a storage of the type " + pickle.in_words(tuple->items[1]));
  if (key == nullptr || key->size() > longest_storage_key)
    fail("asks for a storage by " + pickle.in_words(tuple->items[2]));
  TorchStorage storage{std::nullopt, *key, number(pickle, tuple->items[4], "the size of a storage")};
  if (type->kind == Torch::storage_type) {
    storage.dtype = static_cast<DType>(type->index);
    if (__builtin_mul_overflow(storage.bytes, dtype_bytes(*storage.dtype, 1), &storage.bytes))
      fail("asks for a storage of more than 2^64 bytes");
  }
  storages_.push_back(storage);
  return {Torch::storage, static_cast<std::uint32_t>(storages_.size() - 1)};
}

PickleValue StateDictCalls::call(const Pickle& pickle, PickleItem callee, PickleItem arguments) {
  const auto* function =
      find(pickle, callee, {Torch::ordered_dict, Torch::rebuild_tensor, Torch::rebuild_parameter});
  if (function == nullptr) fail("calls what is no function of a state dict: " + pickle.in_words(callee));
  const std::vector<PickleItem>& items = pickle.find<PickleTuple>(arguments)->items;
  if (function->kind == Torch::rebuild_tensor) return rebuild(pickle, function->index, items);
  if (function->kind == Torch::rebuild_parameter) return parameter(pickle, items);
  if (!items.empty()) fail("makes an OrderedDict of " + pickle.in_words(items.front()));
  return PickleMapping{};
}

// Hooks and metadata would change what the elements mean.
void StateDictCalls::require_empty(const Pickle& pickle, PickleItem item, const char* what) const {
  const auto* mapping = pickle.find<PickleMapping>(item);
  if (pickle.find<PickleNone>(item) == nullptr && (mapping == nullptr || !mapping->entries.empty()))
    fail(std::string("gives ") + pickle.in_words(item) + " as " + what + " of a tensor (expected none)");
}

// (storage, offset, shape, strides, requires_grad, hooks[, element type, from version 3 on][, metadata])
PickleObject StateDictCalls::rebuild(const Pickle& pickle, std::uint32_t version,
                                     const std::vector<PickleItem>& arguments) {
  const std::size_t least = version == 3 ? 7 : 6;
  if (arguments.size() < least || arguments.size() > least + 1)
    fail("makes a tensor of " + std::to_string(arguments.size()) + " arguments (expected " +
         std::to_string(least) + ")");
  const auto* place = find(pickle, arguments[0], {Torch::storage});
  if (place == nullptr) fail("makes a tensor of " + pickle.in_words(arguments[0]) + " in place of a storage");
  RebuiltTensor rebuilt;
  rebuilt.storage = place->index;
  rebuilt.offset = number(pickle, arguments[1], "the offset of a tensor");
  rebuilt.shape = numbers(pickle, arguments[2], "the shape of a tensor");
  rebuilt.strides = numbers(pickle, arguments[3], "the strides of a tensor");
  if (rebuilt.shape.size() != rebuilt.strides.size())
    fail("makes a tensor of shape " + format_shape(rebuilt.shape) + " and strides " +
         format_shape(rebuilt.strides));
  require_empty(pickle, arguments[5], "backward hooks");
  if (arguments.size() > least) require_empty(pickle, arguments[least], "metadata");
  const std::optional<DType> stored = storages_[place->index].dtype;
  const auto* type = version == 3 ? find(pickle, arguments[6], {Torch::element_type}) : nullptr;
  if (stored.has_value() == (type != nullptr)) fail("makes a tensor whose element type is not known");
  rebuilt.dtype = stored ? *stored : static_cast<DType>(type->index);
  tensors_.push_back(std::move(rebuilt));
  return {Torch::tensor, static_cast<std::uint32_t>(tensors_.size() - 1)};
}

// (tensor, requires_grad, hooks)
PickleObject StateDictCalls::parameter(const Pickle& pickle, const std::vector<PickleItem>& arguments) const {
  const auto* data = arguments.size() == 3 ? find(pickle, arguments[0], {Torch::tensor}) : nullptr;
  if (data == nullptr) fail("makes a parameter of what is no tensor");
  require_empty(pickle, arguments[2], "backward hooks");
  return *data;
}

/// The state dict itself, where it is the one entry of a dictionary.
PickleItem StateDictCalls::unwrapped(const Pickle& pickle, PickleItem root) const {
  const auto* outer = pickle.find<PickleMapping>(root);
  if (outer == nullptr || outer->entries.size() != 1) return root;
  const auto [key, value] = outer->entries.front();
  const auto* word = pickle.find<std::string_view>(key);
  const bool is_wrapper = word != nullptr && (*word == "state_dict" || *word == "model" || *word == "module");
  return is_wrapper && pickle.find<PickleMapping>(value) != nullptr ? value : root;
}

std::string StateDictCalls::name(const Pickle& pickle, PickleItem key) const {
  const auto* text = pickle.find<std::string_view>(key);
  if (text == nullptr) fail("has " + pickle.in_words(key) + " in place of a tensor's name");
  if (text->empty()) fail("a tensor has an empty name");
  if (first_invalid_utf8(*text) != text->size())
    fail("the name " + single_quoted(std::string(*text)) + " is not valid UTF-8");
  return std::string(*text);
}

// The strides of extents of 1 do not matter, nor do any of a tensor without elements.
bool is_in_c_order(const std::vector<std::uint64_t>& shape, const std::vector<std::uint64_t>& strides) {
  if (std::ranges::find(shape, std::uint64_t{0}) != shape.end()) return true;
  std::uint64_t expected = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

PickledTensor StateDictCalls::placed(const std::string& name, const RebuiltTensor& rebuilt) const {
  const TorchStorage& storage = storages_[rebuilt.storage];
  PickledTensor placed;
  const auto bits = checked_bits(rebuilt.shape, rebuilt.dtype);
  const std::uint64_t element = dtype_bytes(rebuilt.dtype, 1);
  if (!bits || __builtin_mul_overflow(rebuilt.offset, element, &placed.info.offset) ||
      !ends_within(placed.info.offset, *bits / 8, storage.bytes)) {
    fail_tensor(name, "shape " + format_shape(rebuilt.shape) + " of " +
                          std::string(dtype_name(rebuilt.dtype)) + " from element " +
                          std::to_string(rebuilt.offset) + " on does not lie in its storage of " +
                          std::to_string(storage.bytes) + " bytes");
  }
  if (!is_in_c_order(rebuilt.shape, rebuilt.strides)) {
    fail_tensor(name,
                "is a view whose elements do not lie in order (shape " + format_shape(rebuilt.shape) +
                    ", strides " + format_shape(rebuilt.strides) + ")",
                "save tensor.contiguous() in its place");
  }
  placed.info.name = name;
  placed.info.dtype = rebuilt.dtype;
  placed.info.shape = rebuilt.shape;
  placed.info.bytes = *bits / 8;
  placed.storage = storage.key;
  placed.storage_bytes = storage.bytes;
  return placed;
}

std::vector<PickledTensor> StateDictCalls::tensors(const Pickle& pickle, PickleItem root) const {
  const PickleItem state = unwrapped(pickle, root);
  const auto* mapping = pickle.find<PickleMapping>(state);
  if (mapping == nullptr) fail("is " + pickle.in_words(state) + " (expected a state dict: tensors by name)");
  std::vector<PickledTensor> tensors;
  std::set<std::string> names;
  for (const auto& [key, value] : mapping->entries) {
    std::string name = this->name(pickle, key);
    const auto* object = find(pickle, value, {Torch::tensor});
    if (object == nullptr) {
      throw FormatError(file_, "entry " + single_quoted(name),
                        "is " + pickle.in_words(value) + " (expected a tensor)",
                        "a file of weights holds the state dict alone: torch.save(model.state_dict(), FILE)");
    }
    tensors.push_back(placed(name, tensors_[object->index]));
    if (!names.insert(std::move(name)).second)
      fail_tensor(tensors.back().info.name, "stands twice in the state dict");
  }
  return tensors;
}

}  // namespace

std::vector<PickledTensor> parse_torch_pickle(std::string_view bytes, const std::string& file) {
  Pickle pickle;
  StateDictCalls calls(file);
  const PickleItem root = read_pickle(bytes, file, torch_pickle_thing, calls, pickle);
  return calls.tensors(pickle, root);
}

}  // namespace moescope
