#include "readers/storage/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "tests/support/gguf_builder.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::string_literals;

// One file for all, which is quicker than one each.
GgufHeader read_gguf(const std::string& bytes) {
  static const TemporaryDirectory directory;
  write_file(directory / "model.gguf", bytes);
  return read_gguf_header(SourceFile(directory / "model.gguf"));
}

std::string gguf_refusal(const std::string& bytes) {
  try {
    read_gguf(bytes);
  } catch (const FormatError& error) {
    return error.what();
  }
  return {};
}

std::string refusal_of_metadata(const std::string& value) {
  BuiltGguf built;
  built.metadata = {{"k", value}};
  return gguf_refusal(built.bytes());
}

std::string refusal_of_tensor(const BuiltGgufTensor& tensor) {
  BuiltGguf built;
  built.tensors = {tensor};
  return gguf_refusal(built.bytes());
}

BuiltGguf every_type() {
  BuiltGguf built;
  built.add({"", DType::f32, {3}, std::string(12, 'a')}, "a");
  built.add({"", DType::bf16, {2, 5}, std::string(20, 'b')}, "b");
  built.add({"", DType::f16, {2, 3, 4}, std::string(48, 'c')}, "c");
  built.add({"", DType::q8_0, {3, 64}, std::string(6 * 34, 'd')}, "d");
  return built;
}

TEST(Gguf, TensorsLieBehindTheHeader) {
  for (const std::uint64_t alignment : {8u, 32u, 256u}) {
    BuiltGguf built = every_type();
    if (alignment != 32) {
      built = {};
      built.alignment = alignment;
      built.metadata = {{"general.alignment", gguf_value::u32(static_cast<std::uint32_t>(alignment))}};
      built.add({"", DType::f32, {3}, std::string(12, 'a')}, "a");
      built.add({"", DType::q8_0, {3, 64}, std::string(6 * 34, 'd')}, "d");
    }
    const std::string bytes = built.bytes();
    const GgufHeader header = read_gguf(bytes);
    ASSERT_EQ(header.tensors.size(), built.tensors.size());
    for (std::size_t i = 0; i < built.tensors.size(); ++i) {
      std::vector<std::uint64_t> shape = built.tensors[i].extents;
      std::ranges::reverse(shape);
      EXPECT_EQ(header.tensors[i].name, built.tensors[i].name);
      EXPECT_EQ(header.tensors[i].shape, shape);
      EXPECT_EQ(bytes.substr(header.tensors[i].offset, header.tensors[i].bytes), built.tensors[i].data);
    }
  }
}

TEST(Gguf, TypesAreThoseThatTheFileTells) {
  std::vector<std::string> types;
  for (const TensorInfo& info : read_gguf(every_type().bytes()).tensors)
    types.emplace_back(dtype_name(info.dtype));
  EXPECT_THAT(types, ElementsAre("F32", "BF16", "F16", "Q8_0"));
}

TEST(Gguf, MetadataOfEveryKind) {
  BuiltGguf built;
  built.metadata = {
      {"u", gguf_value::u32(7)},
      {"i", gguf_value::i64(-8)},
      {"f", gguf_value::f32(1e-5f)},
      {"b", gguf_value::boolean(1)},
      {"t", gguf_value::text("text \xff")},
      {"a", gguf_value::array(8, 2, gguf_text("x") + gguf_text("yz"))},
      {"n", gguf_value::array(
                9, 2, gguf_value::array(0, 3, "123").substr(4) + gguf_value::array(8, 0, "").substr(4))},
      {"z", gguf_value::u16(9)}};
  std::vector<std::string> words;
  for (const auto& [key, value] : read_gguf(built.bytes()).metadata)
    words.push_back(key + "=" + gguf_words(value));
  EXPECT_THAT(words, ElementsAre("a=array of 2 text", "b=true", "f=1e-05", "i=-8", "n=array of 2 array",
                                 "t=text \xEF\xBF\xBD", "u=7", "z=9"));
  EXPECT_EQ(decimal_value(1e-5f), 1e-5);
}

TEST(Gguf, VersionsTwoAndThreeAreTheSame) {
  BuiltGguf built = every_type();
  built.version = 2;
  EXPECT_EQ(read_gguf(built.bytes()).tensors.size(), 4u);
  built.version = 1;
  EXPECT_THAT(gguf_refusal(built.bytes()), HasSubstr("model.gguf: is of version 1 of GGUF"));
  built.version = 3u << 24;
  EXPECT_THAT(gguf_refusal(built.bytes()), HasSubstr("is a big-endian GGUF file"));
}

TEST(Gguf, OtherFilesAreNamed) {
  EXPECT_THAT(gguf_refusal(""), HasSubstr("model.gguf: is empty"));
  EXPECT_THAT(gguf_refusal("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"),
              HasSubstr("Git LFS"));
  EXPECT_THAT(gguf_refusal("GGJT\1\0\0\0"s), HasSubstr("is not a GGUF file"));
}

TEST(Gguf, OtherTypesAreRefusedByName) {
  EXPECT_THAT(
      refusal_of_tensor({"blk.0.ffn_up.weight", 12, {256, 2}, std::string(288, 'x')}),
      HasSubstr("model.gguf: tensor 'blk.0.ffn_up.weight': is stored as Q4_K, which moescope does not "
                "read (expected F32, F16, BF16 or Q8_0)"));
  EXPECT_THAT(refusal_of_tensor({"w", 39, {32}, std::string(17, 'x')}), HasSubstr("is stored as MXFP4,"));
  EXPECT_THAT(refusal_of_tensor({"w", 77, {32}, ""}), HasSubstr("is stored as type 77,"));
}

TEST(Gguf, ShapesFitTheFile) {
  const std::uint64_t large = std::uint64_t{1} << 33;
  EXPECT_THAT(refusal_of_tensor({"w", 8, {48, 2}, std::string(102, 'x')}),
              HasSubstr("tensor 'w': shape [2, 48] of Q8_0 has rows that are not a multiple of 32"));
  EXPECT_THAT(refusal_of_tensor({"w", 0, {large, large}, ""}), HasSubstr("is larger than 2^64 bits"));
  EXPECT_THAT(refusal_of_tensor({"w", 0, {4, 0}, ""}), HasSubstr("shape [0, 4] of F32 has no elements"));
  EXPECT_THAT(refusal_of_tensor({"w", 0, {}, ""}), HasSubstr("expected 1 to 4 dimensions, found 0"));
  EXPECT_THAT(refusal_of_tensor({"w", 0, {1, 1, 1, 1, 1}, "xxxx"}), HasSubstr("found 5"));
  EXPECT_THAT(refusal_of_tensor({"w", 0, {100}, std::string(96, 'x')}),
              HasSubstr("lies beyond the end of the file (expected 400 bytes from byte 0 of 96)"));
  EXPECT_THAT(refusal_of_tensor({"w", 0, {1}, "xxxx", 31}), HasSubstr("is not a multiple of 32"));
  EXPECT_THAT(refusal_of_tensor({"w", 0, {1}, "xxxx", ~std::uint64_t{31}}), HasSubstr("lies beyond the end"));
}

TEST(Gguf, TensorsLieBesideOneAnother) {
  BuiltGguf built;
  built.tensors = {{"a", 0, {16}, std::string(64, 'x'), 0}, {"b", 0, {8}, std::string(32, 'x'), 32}};
  EXPECT_THAT(gguf_refusal(built.bytes()), HasSubstr("tensor 'b': lies over tensor 'a'"));
  built.tensors[1].offset = 64;
  EXPECT_EQ(gguf_refusal(built.bytes()), "");
  built.tensors[1].name = "a";
  EXPECT_THAT(gguf_refusal(built.bytes()), HasSubstr("tensor 'a': is there twice"));
  std::swap(built.tensors[0].offset, built.tensors[1].offset);
  built.tensors[1].name = "b";
  EXPECT_THAT(gguf_refusal(built.bytes()), HasSubstr("tensor 'a': lies beyond the end of the file"));
}

TEST(Gguf, NamesAreText) {
  EXPECT_THAT(refusal_of_tensor({"w\xff\n", 0, {1}, "xxxx"}),
              HasSubstr("tensor 0: the name 'w\xEF\xBF\xBD\\n' is not valid UTF-8"));
  EXPECT_THAT(refusal_of_tensor({"", 0, {1}, "xxxx"}), HasSubstr("tensor 0: has an empty name"));
  BuiltGguf built;
  built.metadata = {{"k", gguf_value::u32(1)}, {"k", gguf_value::u32(1)}};
  EXPECT_THAT(gguf_refusal(built.bytes()), HasSubstr("metadata 'k': is there twice"));
}

TEST(Gguf, LengthsThatTheFileDoesNotHaveAreRefused) {
  const std::uint64_t huge = ~std::uint64_t{0};
  EXPECT_THAT(refusal_of_metadata("\10\0\0\0"s + gguf_number(huge) + "x"),
              HasSubstr("metadata 'k': is cut short"));
  EXPECT_THAT(refusal_of_metadata(gguf_value::array(8, huge, "")),
              HasSubstr("for which the file is too short"));
  EXPECT_THAT(refusal_of_metadata(gguf_value::array(10, huge / 8 + 1, "")),
              HasSubstr("the file is too short"));
  EXPECT_THAT(refusal_of_metadata(gguf_value::array(0, 1000, "")), HasSubstr("the file is too short"));
  EXPECT_THAT(gguf_refusal("GGUF\3\0\0\0"s + gguf_number(huge) + gguf_number(0)),
              HasSubstr("its tensors: are said to be 18446744073709551615"));
  EXPECT_THAT(gguf_refusal("GGUF\3\0\0\0"s + gguf_number(0) + gguf_number(huge)),
              HasSubstr("its metadata: are said"));
}

TEST(Gguf, SenselessValuesAreRefused) {
  EXPECT_THAT(refusal_of_metadata("\15\0\0\0"s + gguf_number(0)),
              HasSubstr("metadata 'k': has the unknown type 13"));
  EXPECT_THAT(refusal_of_metadata(gguf_value::boolean(2)), HasSubstr("is neither true nor false (found 2)"));
  std::string nested = gguf_value::array(0, 0, "").substr(4);
  for (int depth = 0; depth < 3; ++depth) nested = gguf_value::array(9, 1, nested).substr(4);
  EXPECT_EQ(refusal_of_metadata(std::string("\11\0\0\0", 4) + nested), "");
  nested = gguf_value::array(9, 1, nested).substr(4);
  EXPECT_THAT(refusal_of_metadata(std::string("\11\0\0\0", 4) + nested), HasSubstr("more than 4 deep"));
  for (const std::string& value :
       {gguf_value::u32(0), gguf_value::u32(24), gguf_value::text("32"), gguf_value::u32(1u << 21)}) {
    BuiltGguf built;
    built.metadata = {{"general.alignment", value}};
    EXPECT_THAT(gguf_refusal(built.bytes()),
                HasSubstr("metadata 'general.alignment': expected a power of two"));
  }
}

TEST(Gguf, EveryTruncationIsRefused) {
  BuiltGguf built = every_type();
  built.metadata = {{"a", gguf_value::text("text")}, {"b", gguf_value::array(8, 1, gguf_text("x"))}};
  const std::string bytes = built.bytes();
  const std::size_t used = read_gguf(bytes).tensors.back().offset + read_gguf(bytes).tensors.back().bytes;
  for (std::size_t length = 0; length < used; ++length)
    EXPECT_NE(gguf_refusal(bytes.substr(0, length)), "") << length;
}

// Whatever is accepted keeps its promises.
TEST(Gguf, DamageIsRefusedOrHarmless) {
  BuiltGguf built = every_type();
  built.metadata = {{"a", gguf_value::text("text")}, {"b", gguf_value::array(8, 1, gguf_text("x"))}};
  const std::string whole = built.bytes();
  std::mt19937 random(1);
  for (int round = 0; round < 600; ++round) {
    std::string bytes = whole;
    for (int change = 0; change < 1 + round % 3; ++change)
      bytes[random() % (whole.size() / 2)] = static_cast<char>(random());
    try {
      std::uint64_t end = 0;
      for (const TensorInfo& info : read_gguf(bytes).tensors) {
        EXPECT_GE(info.offset, end);
        end = info.offset + info.bytes;
        EXPECT_LE(end, bytes.size());
        EXPECT_EQ(checked_bits(info.shape, info.dtype), info.bytes * 8);
      }
    } catch (const FormatError&) {
    }
  }
}

}  // namespace
}  // namespace moescope
