#include "readers/storage/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/temporary_directory.h"

// The rules are those of the format's specification and its reference reader, in the order of
// safetensors.cpp.

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

const std::string one = R"("dtype":"U8","shape":[2],"data_offsets":[0,2])";  // one tensor of two bytes

SafetensorsHeader parse_header(const std::string& json, std::uint64_t buffer_bytes = 2) {
  return parse_safetensors_header(json, buffer_bytes, "s");
}

/// The message with which a header is refused; empty when it is accepted.
std::string header_refusal(const std::string& json, std::uint64_t buffer_bytes = 2) {
  try {
    parse_header(json, buffer_bytes);
  } catch (const FormatError& error) {
    return error.what();
  }
  return {};
}

/// The message with which a file of these bytes is refused.
std::string file_refusal(const std::string& bytes) {
  TemporaryDirectory directory;
  write_file(directory / "s.safetensors", bytes);
  try {
    read_safetensors_header(SourceFile(directory / "s.safetensors"));
  } catch (const FormatError& error) {
    return error.what();
  }
  return {};
}

std::string described_tensor(const std::string& fields) {
  return R"({"a":{)" + fields + "}}";
}

TEST(Safetensors, ReadsNamesShapesAndPlaces) {
  const std::string json =
      R"({"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})";
  const SafetensorsHeader header = parse_header(json, 16);
  ASSERT_EQ(header.tensors.size(), 2u);
  EXPECT_EQ(header.header_bytes, 8 + json.size());
  EXPECT_EQ(header.tensors[0].name, "a");  // by offset
  EXPECT_THAT(header.tensors[0].shape, IsEmpty());
  EXPECT_EQ(header.tensors[1].dtype, DType::bf16);
  EXPECT_THAT(header.tensors[1].shape, ElementsAre(2, 3));
  EXPECT_EQ(header.tensors[1].offset, 8 + json.size() + 4);
  EXPECT_EQ(header.tensors[1].bytes, 12u);
}

TEST(Safetensors, ReadsMetadata) {
  EXPECT_THAT(parse_header(R"({"__metadata__":{"format":"pt","note":""}})", 0).metadata,
              ElementsAre(Pair("format", "pt"), Pair("note", "")));
}

TEST(Safetensors, AcceptsAnEmptyHeader) {
  EXPECT_THAT(parse_header("{}", 0).tensors, IsEmpty());
}

TEST(Safetensors, AcceptsWhiteSpaceAroundTheObject) {
  EXPECT_EQ(parse_header(" \n\r\t" + described_tensor(one) + "\n   ").tensors.size(), 1u);
}

// Rule 1
TEST(Safetensors, RejectsAFileOfFewerThanEightBytes) {
  EXPECT_THAT(file_refusal("\x01\x02\x03\x04\x05\x06\x07"),
              HasSubstr("is too short for a safetensors file (expected at least 8 bytes, found 7)"));
  EXPECT_THAT(file_refusal(""), HasSubstr("is empty"));
}

// Rule 2
TEST(Safetensors, RejectsAHeaderAboveTheLimit) {
  const std::string length("\x01\xE1\xF5\x05\0\0\0\0", 8);  // 100,000,001
  EXPECT_THAT(file_refusal(length),
              HasSubstr("its header is too long (expected at most 100000000 bytes, found 100000001)"));
  EXPECT_THAT(file_refusal(std::string(8, '\xFF')), HasSubstr("found 18446744073709551615"));
}

// Rule 3
TEST(Safetensors, RejectsAFileThatEndsInsideItsHeader) {
  EXPECT_THAT(file_refusal(std::string("\x03\0\0\0\0\0\0\0{}", 10)),
              HasSubstr("ends inside its header (expected 11 bytes, found 10)"));
}

// Rule 4
TEST(Safetensors, RejectsInvalidUtf8) {
  for (const char* bytes : {"\xFF", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82"}) {
    EXPECT_THAT(header_refusal(R"({")" + std::string(bytes) + R"(":{)" + one + "}}"),
                HasSubstr("is not valid UTF-8 at byte 2"));
  }
}

TEST(Safetensors, AcceptsNamesInAnyScript) {
  EXPECT_EQ(parse_header("{\"重み\\u00e9\":{" + one + "}}").tensors[0].name, "重みé");
}

// Rule 5
TEST(Safetensors, RejectsAByteOrderMark) {
  EXPECT_THAT(header_refusal("\xEF\xBB\xBF" + described_tensor(one)),
              HasSubstr("begins with a byte order mark"));
}

TEST(Safetensors, RejectsPaddingWithNul) {
  EXPECT_THAT(header_refusal(described_tensor(one) + std::string(3, '\0')), HasSubstr("holds a NUL at byte"));
}

TEST(Safetensors, RejectsTextAfterTheObject) {
  for (const char* rest : {"x", "{}", ",", "]"})
    EXPECT_THAT(header_refusal(described_tensor(one) + rest), HasSubstr("is not valid JSON"));
}

TEST(Safetensors, RejectsAnythingButAnObject) {
  for (const char* json : {"[]", "null", "1", "\"a\"", "true"}) {
    EXPECT_THAT(header_refusal(json), HasSubstr("the header is not a JSON object")) << json;
  }
  EXPECT_THAT(header_refusal(""), HasSubstr("is not valid JSON"));
}

TEST(Safetensors, RejectsBrokenJson) {
  for (const char* json : {"{", "{\"a\"}", "{'a':1}", "{\"a\":}", "{\"__metadata__\":{}", "{\"\\ud800\":{}}",
                           "{\"a\tb\":{}}", "{,}"}) {
    EXPECT_THAT(header_refusal(json), HasSubstr("is not valid JSON")) << json;
  }
}

TEST(Safetensors, RejectsATensorThatIsNotAnObject) {
  EXPECT_EQ(header_refusal(R"({"a":["U8",[2],[0,2]]})"),
            "s: tensor 'a': expected a JSON object, found an array");
  EXPECT_EQ(header_refusal(R"({"a":null})"), "s: tensor 'a': expected a JSON object, found null");
}

TEST(Safetensors, RejectsMetadataThatIsNotStrings) {
  EXPECT_EQ(header_refusal(R"({"__metadata__":{"a":1}})", 0),
            "s: __metadata__ 'a': expected a string, found the number 1");
  EXPECT_EQ(header_refusal(R"({"__metadata__":{"a":{}}})", 0),
            "s: __metadata__ 'a': expected a string, found an object");
  EXPECT_EQ(header_refusal(R"({"__metadata__":[]})", 0),
            "s: __metadata__: expected a JSON object, found an array");
}

TEST(Safetensors, NamesTheKeyThatIsMissing) {
  EXPECT_EQ(header_refusal(described_tensor(R"("shape":[2],"data_offsets":[0,2])")),
            "s: tensor 'a': 'dtype' is missing");
  EXPECT_EQ(header_refusal(described_tensor(R"("dtype":"U8","data_offsets":[0,2])")),
            "s: tensor 'a': 'shape' is missing");
  EXPECT_EQ(header_refusal(described_tensor(R"("dtype":"U8","shape":[2])")),
            "s: tensor 'a': 'data_offsets' is missing");
}

TEST(Safetensors, RejectsAnUnknownDType) {
  EXPECT_EQ(header_refusal(described_tensor(R"("dtype":"U9","shape":[2],"data_offsets":[0,2])")),
            "s: tensor 'a': has an unknown dtype \"U9\"");
  EXPECT_THAT(header_refusal(described_tensor(R"("dtype":7,"shape":[2],"data_offsets":[0,2])")),
              HasSubstr("'dtype': expected a string"));
  EXPECT_THAT(header_refusal(described_tensor(R"("dtype":["U8"],"shape":[2],"data_offsets":[0,2])")),
              HasSubstr("'dtype': expected a string"));
}

TEST(Safetensors, RejectsEveryNumberThatIsNotAPlainInteger) {
  for (const char* number :
       {"2.0", "2e0", "-0", "-2", "18446744073709551616", "true", "null", "\"2\"", "[2]", "{}"}) {
    const std::string shape = R"("dtype":"U8","shape":[)" + std::string(number) + R"(],"data_offsets":[0,2])";
    EXPECT_THAT(header_refusal(described_tensor(shape)),
                HasSubstr("'shape': expected an array of integers from 0 to 2^64 - 1"))
        << number;
    const std::string offsets = R"("dtype":"U8","shape":[2],"data_offsets":[0,)" + std::string(number) + "]";
    EXPECT_THAT(header_refusal(described_tensor(offsets)),
                HasSubstr("'data_offsets': expected an array of integers"))
        << number;
  }
  for (const char* number : {"02", "+2", "0x2", ".2", "2."}) {
    EXPECT_THAT(header_refusal(described_tensor(R"("dtype":"U8","shape":[)" + std::string(number) +
                                                R"(],"data_offsets":[0,2])")),
                HasSubstr("is not valid JSON"))
        << number;
  }
}

TEST(Safetensors, RejectsAShapeThatIsNotAnArray) {
  EXPECT_THAT(header_refusal(described_tensor(R"("dtype":"U8","shape":2,"data_offsets":[0,2])")),
              HasSubstr("'shape': expected an array"));
  EXPECT_THAT(header_refusal(described_tensor(R"("dtype":"U8","shape":{},"data_offsets":[0,2])")),
              HasSubstr("'shape': expected an array"));
}

TEST(Safetensors, RejectsDataOffsetsOfOtherThanTwoNumbers) {
  for (const char* offsets : {"[]", "[0]", "[0,1,2]"}) {
    EXPECT_THAT(header_refusal(
                    described_tensor(R"("dtype":"U8","shape":[2],"data_offsets":)" + std::string(offsets))),
                HasSubstr("'data_offsets': expected 2 numbers"));
  }
}

TEST(Safetensors, RejectsANameThatStandsTwice) {
  EXPECT_EQ(header_refusal(R"({"a":{)" + one + R"(},"a":{)" + one + "}}"),
            "s: key 'a': stands twice in one JSON object");
  EXPECT_EQ(header_refusal(R"({"a":{)" + one + R"(},"\u0061":{)" + one + "}}"),
            "s: key 'a': stands twice in one JSON object");
  EXPECT_EQ(
      header_refusal(R"({"b":{)" + one + R"(},"a":{)" + one + R"(},"c":{)" + one + R"(},"b":{)" + one + "}}"),
      "s: key 'b': stands twice in one JSON object");
  EXPECT_THAT(header_refusal(R"({"__metadata__":{},"__metadata__":{}})", 0),
              HasSubstr("key '__metadata__': stands twice"));
}

TEST(Safetensors, RejectsAKeyThatStandsTwiceAtAnyDepth) {
  EXPECT_EQ(header_refusal(described_tensor(one + R"(,"dtype":"U8")")),
            "s: key 'dtype': stands twice in one JSON object");
  EXPECT_EQ(header_refusal(R"({"__metadata__":{"x":"","x":""}})", 0),
            "s: key 'x': stands twice in one JSON object");
  EXPECT_EQ(header_refusal(described_tensor(one + R"(,"extra":[{"y":1,"y":2}])")),
            "s: key 'y': stands twice in one JSON object");
}

TEST(Safetensors, AcceptsOneKeyInSeveralObjectsAndKeysInAnyOrder) {
  EXPECT_EQ(header_refusal(
                R"({"c":{"dtype":"U8","extra":{"c":1,"b":[{"c":2}],"a":3},)"
                R"("shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})"),
            "");
}

TEST(Safetensors, RejectsAnEmptyName) {
  EXPECT_EQ(header_refusal(R"({"":{)" + one + "}}"), "s: a tensor has an empty name");
}

TEST(Safetensors, IgnoresFurtherKeysOfATensor) {
  for (const char* value :
       {"1.5", "null", "-1", "\"dtype\"", "[[1,{\"shape\":[]}]]", "{\"dtype\":{\"data_offsets\":3}}", "[]"}) {
    const SafetensorsHeader header =
        parse_header(described_tensor(R"("extra":)" + std::string(value) + "," + one));
    ASSERT_EQ(header.tensors.size(), 1u) << value;
    EXPECT_THAT(header.tensors[0].shape, ElementsAre(2)) << value;
  }
}

TEST(Safetensors, LimitsNesting) {
  const auto nested = [](std::size_t depth) {
    return described_tensor(one + R"(,"extra":)" + std::string(depth, '[') + std::string(depth, ']'));
  };
  EXPECT_EQ(header_refusal(nested(62)), "");  // 62 arrays in a tensor in the header: 64
  EXPECT_THAT(header_refusal(nested(63)), HasSubstr("nests JSON values more than 64 deep"));
  EXPECT_THAT(header_refusal(described_tensor(one + R"(,"extra":)" + std::string(1000000, '['))),
              HasSubstr("nests JSON values"));
}

TEST(Safetensors, EscapesControlCharactersInMessages) {
  EXPECT_EQ(header_refusal(R"({"a\n\u001b":1})"),
            "s: tensor 'a\\n\\u001b': expected a JSON object, found the number 1");
}

TEST(Safetensors, MessagesStayShortWhateverTheFileHolds) {
  const std::string endless(1 << 20, 'x');
  EXPECT_LT(header_refusal("{\"" + endless).size(), 300u);
  EXPECT_LT(header_refusal("{\"" + endless + "\":1}").size(), 300u);
  EXPECT_LT(header_refusal(described_tensor(R"("dtype":")" + endless + "\"")).size(), 300u);
}

// Rule 6
TEST(Safetensors, RejectsAHole) {
  EXPECT_THAT(header_refusal(described_tensor(R"("dtype":"U8","shape":[2],"data_offsets":[1,3])"), 3),
              HasSubstr("leaves a hole before it (expected data from byte 0, found data_offsets [1, 3])"));
}

TEST(Safetensors, RejectsOverlappingTensors) {
  EXPECT_THAT(
      header_refusal(R"({"a":{)" + one + R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})", 3),
      HasSubstr(
          "tensor 'b': overlaps another tensor (expected data from byte 2, found data_offsets [1, 3])"));
  EXPECT_THAT(header_refusal(R"({"a":{)" + one + R"(},"b":{)" + one + "}}"),
              HasSubstr("tensor 'b': overlaps another tensor"));
}

TEST(Safetensors, RejectsATensorThatEndsBeforeItBegins) {
  EXPECT_THAT(header_refusal(R"({"a":{)" + one + R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,0]}})"),
              HasSubstr("tensor 'b': ends before it begins"));
}

// Rule 7
TEST(Safetensors, RejectsAShapeThatDoesNotMatchItsLength) {
  EXPECT_EQ(
      header_refusal(described_tensor(R"("dtype":"F32","shape":[1,3],"data_offsets":[0,2])")),
      "s: tensor 'a': shape [1, 3] of F32 does not match its data_offsets (expected 12 bytes, found 2)");
}

TEST(Safetensors, RejectsAProductThatOverflows) {
  for (const char* shape :
       {"[4294967296,4294967296]", "[18446744073709551615,2,0]", "[4611686018427387904]"}) {
    EXPECT_THAT(header_refusal(described_tensor(R"("dtype":"F32","shape":)" + std::string(shape) +
                                                R"(,"data_offsets":[0,0])"),
                               0),
                HasSubstr("is larger than 2^64 bits"));
  }
}

TEST(Safetensors, RejectsElementsThatDoNotFillWholeBytes) {
  EXPECT_THAT(header_refusal(described_tensor(R"("dtype":"F4","shape":[3],"data_offsets":[0,2])")),
              HasSubstr("does not fill whole bytes (12 bits)"));
  EXPECT_THAT(header_refusal(described_tensor(R"("dtype":"F6_E2M3","shape":[2],"data_offsets":[0,2])")),
              HasSubstr("does not fill whole bytes"));
}

TEST(Safetensors, AcceptsElementsSmallerThanAByteThatFillBytes) {
  EXPECT_EQ(
      parse_header(described_tensor(R"("dtype":"F4","shape":[4],"data_offsets":[0,2])")).tensors[0].bytes,
      2u);
  EXPECT_EQ(parse_header(described_tensor(R"("dtype":"F6_E3M2","shape":[4],"data_offsets":[0,3])"), 3)
                .tensors[0]
                .bytes,
            3u);
}

TEST(Safetensors, AcceptsScalarsAndTensorsWithoutElements) {
  const std::string json =
      R"({"s":{"dtype":"U16","shape":[],"data_offsets":[0,2]},"z":{"dtype":"F32","shape":[0,9],"data_offsets":[2,2]},)"
      R"("y":{"dtype":"F32","shape":[3,0],"data_offsets":[0,0]}})";
  EXPECT_EQ(parse_header(json).tensors.size(), 3u);
}

TEST(Safetensors, AcceptsUnalignedData) {
  const std::string json =
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F64","shape":[1],"data_offsets":[1,9]}})";
  EXPECT_EQ(parse_header(json, 9).tensors[1].bytes, 8u);
}

TEST(Safetensors, KnowsEveryDType) {
  // Name and bits from the format's specification.
  const std::vector<std::pair<std::string, unsigned>> dtypes = {
      {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
      {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
      {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
      {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64}};
  for (const auto& [name, bits] : dtypes) {
    const std::string json = described_tensor(R"("dtype":")" + name + R"(","shape":[8],"data_offsets":[0,)" +
                                              std::to_string(bits) + "]");
    EXPECT_EQ(dtype_name(parse_header(json, bits).tensors[0].dtype), name);
    EXPECT_EQ(dtype_bytes(*parse_dtype(name), 8), bits);
    EXPECT_EQ(dtype_elements(*parse_dtype(name), bits), 8u);
    EXPECT_EQ(is_weight_dtype(*parse_dtype(name)), name == "BF16" || name == "F16" || name == "F32");
  }
}

// Rule 8
TEST(Safetensors, RejectsATruncatedFile) {
  EXPECT_EQ(header_refusal(described_tensor(one), 1),
            "s: is truncated (expected 2 bytes of tensors, found 1)");
}

TEST(Safetensors, RejectsBytesAfterTheLastTensor) {
  EXPECT_EQ(header_refusal(described_tensor(one), 3),
            "s: has bytes after its last tensor (expected 2 bytes of tensors, found 3)");
  EXPECT_THAT(header_refusal("{}", 1), HasSubstr("has bytes after its last tensor"));
}

TEST(Safetensors, EarlierRulesSpeakFirst) {
  // A hole (6), a wrong length (7) and a truncated buffer (8) at once.
  EXPECT_THAT(header_refusal(described_tensor(R"("dtype":"F32","shape":[5],"data_offsets":[1,3])"), 1),
              HasSubstr("leaves a hole"));
  EXPECT_THAT(header_refusal(described_tensor(R"("dtype":"F32","shape":[5],"data_offsets":[0,3])"), 1),
              HasSubstr("does not match"));
}

TEST(Safetensors, ReadsAShardFromAFile) {
  TemporaryDirectory directory;
  write_file(directory / "s.safetensors", safetensors_bytes(build_checkpoint().tensors));
  const SafetensorsHeader header = read_safetensors_header(SourceFile(directory / "s.safetensors"));
  EXPECT_EQ(header.tensors.size(), build_checkpoint().tensors.size());
  EXPECT_EQ(header.metadata.at("format"), "pt");
  EXPECT_EQ(header.header_bytes % 8, 0u);
}

TEST(Safetensors, FormatsShapesLikeTheHeader) {
  EXPECT_EQ(format_shape({128, 4096}), "[128, 4096]");
  EXPECT_EQ(format_shape({}), "[]");
}

}  // namespace
}  // namespace moescope
