#include "readers/storage/torch_pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "readers/errors.h"
#include "tests/support/torch_bin_builder.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using namespace std::string_literals;
using namespace pickled;

/// The message with which a pickle is refused; empty when it is accepted.
std::string pickle_refusal(const std::string& pickle) {
  try {
    parse_torch_pickle(pickle, "pytorch_model.bin");
  } catch (const FormatError& error) {
    return error.what();
  }
  return {};
}
std::string value_refusal(const std::string& value) {
  return pickle_refusal(whole(value));
}

const std::string six_floats = storage("FloatStorage", "0", 6);
const std::string two_by_three = tensor(six_floats, 0, {2, 3}, {3, 1});

std::string tensor_refusal(const std::string& value) {
  return value_refusal(dictionary({{"w", value}}));
}
std::string rebuilt(const std::string& arguments) {
  return call(name("torch._utils", "_rebuild_tensor_v2"), arguments);
}

TEST(TorchPickle, ReadsNamesShapesAndPlaces) {
  const auto tensors = parse_torch_pickle(
      whole(
          dictionary({{"b", two_by_three}, {"a", tensor(storage("BFloat16Storage", "7", 9), 5, {4}, {1})}})),
      "f");
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].info.name, "b");
  EXPECT_EQ(tensors[0].info.dtype, DType::f32);
  EXPECT_THAT(tensors[0].info.shape, ElementsAre(2, 3));
  EXPECT_EQ(tensors[0].info.offset, 0u);
  EXPECT_EQ(tensors[0].info.bytes, 24u);
  EXPECT_EQ(tensors[0].storage, "0");
  EXPECT_EQ(tensors[0].storage_bytes, 24u);
  EXPECT_EQ(tensors[1].info.dtype, DType::bf16);
  EXPECT_EQ(tensors[1].info.offset, 10u);  // five elements of two bytes
  EXPECT_EQ(tensors[1].info.bytes, 8u);
  EXPECT_EQ(tensors[1].storage, "7");
}

TEST(TorchPickle, ReadsEveryTypeOfStorage) {
  const std::pair<const char*, DType> types[] = {
      {"BFloat16Storage", DType::bf16}, {"HalfStorage", DType::f16},        {"FloatStorage", DType::f32},
      {"DoubleStorage", DType::f64},    {"ByteStorage", DType::u8},         {"CharStorage", DType::i8},
      {"ShortStorage", DType::i16},     {"IntStorage", DType::i32},         {"LongStorage", DType::i64},
      {"BoolStorage", DType::boolean},  {"ComplexFloatStorage", DType::c64}};
  for (const auto& [type, dtype] : types) {
    const auto tensors =
        parse_torch_pickle(whole(dictionary({{"w", tensor(storage(type, "0", 1), 0, {}, {})}})), "f");
    EXPECT_EQ(tensors.at(0).info.dtype, dtype) << type;
    EXPECT_THAT(tensors.at(0).info.shape, IsEmpty());
    EXPECT_EQ(tensors.at(0).info.bytes, dtype_bytes(dtype, 1));
  }
}

// _rebuild_tensor_v3: newer types have storages of bytes, and say their type themselves.
TEST(TorchPickle, ReadsTypesThatHaveNoStorageOfTheirOwn) {
  const auto of = [](const std::string& type, const std::string& kept = storage("UntypedStorage", "0", 6)) {
    return call(name("torch._utils", "_rebuild_tensor_v3"),
                tuple({kept, number(2), numbers({2, 2}), numbers({2, 1}), "\x89", ordered_dict(), type}));
  };
  const auto tensors =
      parse_torch_pickle(whole(dictionary({{"w", of(name("torch", "float8_e4m3fn"))}})), "f");
  EXPECT_EQ(tensors.at(0).info.dtype, DType::f8_e4m3);
  EXPECT_EQ(tensors.at(0).info.offset, 2u);
  EXPECT_EQ(tensors.at(0).info.bytes, 4u);
  EXPECT_THAT(tensor_refusal(of(name("torch", "uint16"))), HasSubstr("does not lie in its storage"));
  EXPECT_THAT(tensor_refusal(of(name("torch", "float4_e2m1fn_x2"))),
              HasSubstr("asks for 'torch.float4_e2m1fn_x2'"));
  EXPECT_THAT(tensor_refusal(of(number(1))), HasSubstr("makes a tensor whose element type is not known"));
  EXPECT_THAT(tensor_refusal(of(name("torch", "float8_e5m2"), six_floats)),
              HasSubstr("element type is not known"));
  EXPECT_THAT(tensor_refusal(tensor(storage("UntypedStorage", "0", 6), 0, {6}, {1})),
              HasSubstr("element type is not known"));
}

TEST(TorchPickle, ReadsTheStateOfAModule) {
  const std::string metadata =
      dictionary({{"_metadata", dictionary({{"", dictionary({{"version", number(1)}})}})}});
  const std::string state = ordered_dict() + text("w") + two_by_three + "s" + metadata + "b";
  EXPECT_EQ(parse_torch_pickle(whole(state), "f").size(), 1u);
}

TEST(TorchPickle, ReadsParametersAsTheirTensors) {
  const std::string parameter =
      call(name("torch._utils", "_rebuild_parameter"), tuple({two_by_three, "\x88", ordered_dict()}));
  EXPECT_EQ(parse_torch_pickle(whole(dictionary({{"w", parameter}})), "f").at(0).info.bytes, 24u);
  const std::string of_number =
      call(name("torch._utils", "_rebuild_parameter"), tuple({number(1), "\x88", "N"}));
  EXPECT_THAT(tensor_refusal(of_number), HasSubstr("makes a parameter of what is no tensor"));
}

TEST(TorchPickle, TensorsMayShareAStorage) {
  const auto tensors = parse_torch_pickle(
      whole(dictionary({{"a", two_by_three}, {"b", tensor(six_floats, 3, {3}, {1})}})), "f");
  EXPECT_EQ(tensors[0].storage, tensors[1].storage);
  EXPECT_EQ(tensors[1].info.offset, 12u);
}

TEST(TorchPickle, TakesAStateDictOutOfADictionaryThatHoldsNothingElse) {
  for (const char* key : {"state_dict", "model", "module"})
    EXPECT_EQ(parse_torch_pickle(whole(dictionary({{key, dictionary({{"w", two_by_three}})}})), "f")
                  .at(0)
                  .info.name,
              "w");
  const std::string inner = dictionary({{"w", two_by_three}});
  EXPECT_EQ(value_refusal(dictionary({{"state_dict", inner}, {"epoch", number(3)}})),
            "pytorch_model.bin: entry 'state_dict': is a dictionary of 1 (expected a tensor)");
  EXPECT_EQ(value_refusal(dictionary({{"weights", inner}})),
            "pytorch_model.bin: entry 'weights': is a dictionary of 1 (expected a tensor)");
}

TEST(TorchPickle, ReadsNewerProtocols) {
  const std::string function =
      "\x8C"s + "\x0C" + "torch._utils\x94" + "\x8C" + "\x12" + "_rebuild_tensor_v2\x94\x93\x94";
  const std::string frame = "\x95"s + std::string(8, '\x7F');
  const std::string value =
      "}" + text("w") + function +
      tuple({six_floats, number(0), numbers({6}), numbers({1}), "\x89", ordered_dict()}) + "Rs";
  EXPECT_EQ(parse_torch_pickle("\x80\x04" + frame + value + ".", "f").at(0).info.bytes, 24u);
}

// A program that would run, were this Python.
TEST(TorchPickle, RefusesEveryOtherName) {
  const std::string run = tuple({text("touch ran")}) + "R";
  EXPECT_EQ(
      value_refusal(name("os", "system") + run),
      "pytorch_model.bin: data.pkl: asks for 'os.system', which no state dict needs; nothing of it is run");
  for (const auto& [module, function] :
       std::vector<std::pair<std::string, std::string>>{{"posix", "system"},
                                                        {"builtins", "eval"},
                                                        {"__builtin__", "getattr"},
                                                        {"torch", "load"},
                                                        {"torch._utils", "_rebuild_qtensor"},
                                                        {"collections", "OrderedDict.fromkeys"},
                                                        {"torch", "nn.Module"},
                                                        {"numpy.core.multiarray", "scalar"},
                                                        {"", ""},
                                                        {"torch ", "FloatStorage"},
                                                        {"Torch", "FloatStorage"}}) {
    EXPECT_THAT(value_refusal(name(module, function) + run),
                HasSubstr("asks for '" + module + "." + function + "'"));
    EXPECT_THAT(pickle_refusal("\x80\x04" + text(module) + text(function) + "\x93" + run + "."),
                HasSubstr("asks for '" + module + "." + function + "'"));
  }
}

TEST(TorchPickle, RefusesInstructionsThatMakeObjects) {
  EXPECT_THAT(value_refusal("(ios\nsystem\n"), HasSubstr("asks for 'os.system'"));
  EXPECT_EQ(
      value_refusal("(icollections\nOrderedDict\n"),
      "pytorch_model.bin: data.pkl: asks for an instruction that no state dict needs (INST, code 105 at byte 3); "
      "nothing of it is run");
  EXPECT_THAT(value_refusal("(" + name("collections", "OrderedDict") + "o"),
              HasSubstr("needs (OBJ, code 111"));
  EXPECT_THAT(value_refusal(name("collections", "OrderedDict") + ")\x81"),
              HasSubstr("needs (NEWOBJ, code 129"));
  EXPECT_THAT(value_refusal("\x82\1"), HasSubstr("needs (EXT1, code 130"));
  EXPECT_THAT(value_refusal("\xEE"), HasSubstr("needs (code 238 at byte 2)"));
  EXPECT_THAT(value_refusal("S'text'\n"), HasSubstr("needs (code 83"));
}

TEST(TorchPickle, RefusesCallsOfWhatIsNoFunction) {
  EXPECT_THAT(value_refusal(number(1) + ")R"),
              HasSubstr("calls what is no function of a state dict: the number 1"));
  EXPECT_THAT(value_refusal(call(two_by_three, ")")),
              HasSubstr("calls what is no function of a state dict: an obj"));
  EXPECT_THAT(value_refusal(call(ordered_dict(), ")")), HasSubstr("calls what is no function"));
  EXPECT_THAT(value_refusal(call(name("torch", "FloatStorage"), ")")),
              HasSubstr("calls what is no function"));
  EXPECT_THAT(value_refusal(call(name("collections", "OrderedDict"), number(1))),
              HasSubstr("calls with the number 1 in place of arguments"));
  EXPECT_THAT(value_refusal(call(name("collections", "OrderedDict"), tuple({"]"}))),
              HasSubstr("makes an OrderedDict of a list of 0"));
}

TEST(TorchPickle, RefusesStateOfOtherThanDictionaries) {
  EXPECT_THAT(tensor_refusal(two_by_three + "}b"),
              HasSubstr("sets the state of an object to a dictionary of 0"));
  EXPECT_THAT(value_refusal("}" + number(1) + "b"),
              HasSubstr("sets the state of a dictionary of 0 to the number 1"));
}

TEST(TorchPickle, RefusesStoragesThatAreNone) {
  EXPECT_THAT(value_refusal(text("x") + "Q"),
              HasSubstr("asks for an object outside it that is no storage: the text 'x'"));
  EXPECT_THAT(value_refusal(tuple({text("module"), "N", "N", "N", "N"}) + "Q"),
              HasSubstr("that is no storage: a tuple of 5"));
  const auto kept = [](const std::string& type, const std::string& key, const std::string& elements) {
    return value_refusal(tuple({text("storage"), type, key, text("cpu"), elements}) + "Q");
  };
  const std::string type = name("torch", "FloatStorage");
  EXPECT_THAT(kept(text("float"), text("0"), number(1)),
              HasSubstr("asks for a storage of the type the text 'float'"));
  EXPECT_THAT(kept(name("torch", "uint16"), text("0"), number(1)),
              HasSubstr("a storage of the type an object"));
  EXPECT_THAT(kept(type, number(0), number(1)), HasSubstr("asks for a storage by the number 0"));
  EXPECT_THAT(kept(type, text(std::string(256, '0')), number(1)),
              HasSubstr("asks for a storage by the text '000"));
  EXPECT_THAT(kept(type, text("0"), number(-1)), HasSubstr("gives the number -1 as the size of a storage"));
  EXPECT_THAT(kept(type, text("0"), number(INT64_MAX)), HasSubstr("a storage of more than 2^64 bytes"));
}

TEST(TorchPickle, RefusesTensorsOutsideTheirStorage) {
  EXPECT_EQ(
      tensor_refusal(tensor(six_floats, 1, {2, 3}, {3, 1})),
      "pytorch_model.bin: tensor 'w': shape [2, 3] of F32 from element 1 on does not lie in its storage of 24 bytes");
  EXPECT_THAT(tensor_refusal(tensor(six_floats, 0, {7}, {1})), HasSubstr("does not lie in its storage"));
  EXPECT_THAT(tensor_refusal(tensor(six_floats, INT64_MAX, {1}, {1})),
              HasSubstr("does not lie in its storage"));
  EXPECT_THAT(tensor_refusal(tensor(six_floats, 7, {0}, {1})), HasSubstr("does not lie in its storage"));
  EXPECT_THAT(tensor_refusal(tensor(six_floats, 0, {INT64_MAX, INT64_MAX}, {1, 1})),
              HasSubstr("does not lie in"));
  EXPECT_THAT(tensor_refusal(tensor(six_floats, -1, {1}, {1})),
              HasSubstr("gives the number -1 as the offset of a tensor"));
  EXPECT_THAT(tensor_refusal(tensor(six_floats, 0, {-1}, {1})),
              HasSubstr("gives the number -1 as the shape of a tensor"));
}

TEST(TorchPickle, RefusesViewsWhoseElementsDoNotLieInOrder) {
  EXPECT_EQ(
      tensor_refusal(tensor(six_floats, 0, {3, 2}, {1, 3})),
      "pytorch_model.bin: tensor 'w': is a view whose elements do not lie in order (shape [3, 2], strides [1, 3])");
  EXPECT_THAT(tensor_refusal(tensor(six_floats, 0, {2}, {3})), HasSubstr("do not lie in order"));
  EXPECT_THAT(tensor_refusal(tensor(six_floats, 0, {6}, {0})), HasSubstr("do not lie in order"));
  EXPECT_THAT(tensor_refusal(tensor(six_floats, 0, {2, 3}, {3})),
              HasSubstr("of shape [2, 3] and strides [3]"));
  // Where there is but one element in a direction, or none at all, a stride means nothing.
  EXPECT_EQ(tensor_refusal(tensor(six_floats, 0, {1, 6, 1}, {99, 1, 7})), "");
  EXPECT_EQ(tensor_refusal(tensor(six_floats, 0, {0, 3}, {1, 1})), "");
}

TEST(TorchPickle, RefusesTensorsThatAreMoreThanTheirElements) {
  const auto with = [](const std::string& hooks, const std::string& metadata = "") {
    return tensor_refusal(
        rebuilt(tuple({six_floats, number(0), numbers({6}), numbers({1}), "\x89", hooks, metadata})));
  };
  EXPECT_EQ(with(ordered_dict(), "}"), "");
  EXPECT_THAT(with(dictionary({{"1", number(1)}})),
              HasSubstr("gives a dictionary of 1 as backward hooks of a tensor"));
  EXPECT_THAT(with("}", dictionary({{"conj", "\x88"}})),
              HasSubstr("gives a dictionary of 1 as metadata of a tensor"));
  EXPECT_THAT(tensor_refusal(rebuilt(tuple({six_floats}))),
              HasSubstr("a tensor of 1 arguments (expected 6)"));
  EXPECT_THAT(tensor_refusal(rebuilt(tuple({number(1), number(0), ")", ")", "\x89", "}"}))),
              HasSubstr("makes a tensor of the number 1 in place of a storage"));
  EXPECT_THAT(
      tensor_refusal(rebuilt(tuple({six_floats, number(0), number(6), ")", "\x89", "}"}))),
      HasSubstr("gives the number 6 as the shape of a tensor (expected a tuple of at most 64 numbers)"));
  EXPECT_THAT(tensor_refusal(tensor(six_floats, 0, std::vector<std::int64_t>(65, 1), {})),
              HasSubstr("gives a tuple of 65 as the shape"));
}

TEST(TorchPickle, RefusesOtherThanAStateDict) {
  EXPECT_EQ(value_refusal(two_by_three),
            "pytorch_model.bin: data.pkl: is an object (expected a state dict: tensors by name)");
  EXPECT_THAT(value_refusal("]" + two_by_three + "a"), HasSubstr("is a list of 1 (expected a state dict"));
  EXPECT_EQ(tensor_refusal(number(3)), "pytorch_model.bin: entry 'w': is the number 3 (expected a tensor)");
  EXPECT_EQ(tensor_refusal("N"), "pytorch_model.bin: entry 'w': is None (expected a tensor)");
  EXPECT_THAT(tensor_refusal("G\x3F\xF0\0\0\0\0\0\0"s), HasSubstr("is the number 1.0"));
  EXPECT_EQ(value_refusal("}"), "");
}

TEST(TorchPickle, RefusesNamesThatAreNone) {
  EXPECT_THAT(value_refusal("}" + number(7) + two_by_three + "s"),
              HasSubstr("has the number 7 in place of a tensor's name"));
  EXPECT_THAT(value_refusal(dictionary({{"", two_by_three}})), HasSubstr("a tensor has an empty name"));
  EXPECT_THAT(value_refusal(dictionary({{"\xFF", two_by_three}})), HasSubstr("is not valid UTF-8"));
  EXPECT_EQ(value_refusal(dictionary({{"w", two_by_three}, {"v", two_by_three}, {"w", two_by_three}})),
            "pytorch_model.bin: tensor 'w': stands twice in the state dict");
}

TEST(TorchPickle, RefusesWhatIsNoPickle) {
  EXPECT_THAT(pickle_refusal(""), HasSubstr("data.pkl: ends early"));
  EXPECT_THAT(pickle_refusal("}."), HasSubstr("is not a pickle of Python of protocol 2 to 5"));
  EXPECT_THAT(pickle_refusal("\x80\x01}."), HasSubstr("is a pickle of protocol 1 (expected 2 to 5)"));
  EXPECT_THAT(pickle_refusal("\x80\x06}."), HasSubstr("is a pickle of protocol 6"));
  EXPECT_THAT(pickle_refusal("\x80\x02}"), HasSubstr("ends early (before byte 3)"));
  EXPECT_THAT(pickle_refusal("\x80\x02}.}"), HasSubstr("goes on behind its end"));
  EXPECT_THAT(pickle_refusal("\x80\x02X\xFF\xFF\xFF\xFFw"), HasSubstr("ends early"));
  EXPECT_THAT(pickle_refusal("\x80\x02"s + "cos"), HasSubstr("ends early"));
  EXPECT_THAT(value_refusal("\x8A\x09" + std::string(9, '\1')),
              HasSubstr("holds a number of more than 64 bits"));
}

TEST(TorchPickle, RefusesAStackThatDoesNotFit) {
  EXPECT_THAT(value_refusal(""), HasSubstr("takes a value where there is none"));
  EXPECT_THAT(value_refusal("}}"), HasSubstr("ends with values that nothing took"));
  EXPECT_THAT(value_refusal("}(}"), HasSubstr("ends with values that nothing took"));
  EXPECT_THAT(value_refusal("N("), HasSubstr("takes a value where there is none"));
  EXPECT_THAT(value_refusal("}(\x85"),
              HasSubstr("takes a value where there is none"));  // from beneath a mark
  EXPECT_THAT(value_refusal("}u"), HasSubstr("ends a group of values that did not begin"));
  EXPECT_THAT(value_refusal("}(" + text("w") + "u"), HasSubstr("sets a key without a value"));
  EXPECT_THAT(value_refusal("](NNu"), HasSubstr("sets an entry of a list of 0"));
  EXPECT_THAT(value_refusal("}Na"), HasSubstr("appends to a dictionary of 0"));
  EXPECT_THAT(value_refusal("h\5"), HasSubstr("takes from its memo what is not there (place 5)"));
  EXPECT_THAT(value_refusal("}r\xFF\xFF\xFF\x7F"),
              HasSubstr("remembers a value at the absurd place 2147483647"));
  EXPECT_THAT(pickle_refusal("\x80\x04" + number(1) + text("x") + "\x93."),
              HasSubstr("names an object by what is no text"));
}

// Each list holds the one before ten times: 10^20 values, were they copied.
TEST(TorchPickle, SharedPartsAreNeverCopied) {
  std::string bomb = "]q" + std::string(1, '\0');
  for (char level = 0; level < 20; ++level) {
    bomb += "](";
    for (int i = 0; i < 10; ++i) bomb += "h" + std::string(1, level);
    bomb += "eq" + std::string(1, static_cast<char>(level + 1));
  }
  const std::string all = "(" + bomb + "t";
  EXPECT_THAT(value_refusal(all), HasSubstr("is a tuple of 21 (expected a state dict"));
}

TEST(TorchPickle, LimitsNestingAndTheNumberOfValues) {
  EXPECT_THAT(value_refusal(")" + std::string(64, '\x85')), HasSubstr("is a tuple of 1"));
  EXPECT_THAT(value_refusal(")" + std::string(65, '\x85')), HasSubstr("nests values more than 64 deep"));
  EXPECT_THAT(value_refusal(std::string(65, '(')), HasSubstr("nests values more than 64 deep"));
  EXPECT_THAT(value_refusal(std::string(1 << 23, 'N')),
              HasSubstr("holds too many values (expected at most 4194304)"));
  std::string itself = "]q\1";
  for (int i = 0; i < 100; ++i) itself += "h\1a";
  EXPECT_THAT(value_refusal(itself), HasSubstr("nests values more than 64 deep"));
}

TEST(TorchPickle, MessagesStayShortAndOnOneLine) {
  const std::string longest(100000, 'x');
  for (const std::string& value :
       {name("os\x1B", longest), dictionary({{longest, number(1)}}), text(longest) + "Q", text(longest)}) {
    const std::string message = value_refusal(value);
    EXPECT_THAT(message, StartsWith("pytorch_model.bin: "));
    EXPECT_LT(message.size(), 500u);
    EXPECT_EQ(message.find_first_of("\n\x1B"), std::string::npos);
  }
}

}  // namespace
}  // namespace moescope
