#include "readers/files/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "readers/errors.h"
#include "tests/support/source_path.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string little_endian(std::uint64_t value, std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::string header(const std::string& dictionary, int version = 1) {
  return "\x93NUMPY" + little_endian(static_cast<std::uint64_t>(version), 1) + little_endian(0, 1) +
         little_endian(dictionary.size(), version == 1 ? 2 : 4) + dictionary;
}

std::string dictionary(const std::string& descr, const std::string& shape,
                       const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }    \n";
}

NpyHeader parse_npy(const std::string& start, std::uint64_t data_bytes) {
  return parse_npy_header(start, start.size() + data_bytes, "a.npy");
}

std::string failure(const std::string& start, std::uint64_t data_bytes) {
  try {
    parse_npy(start, data_bytes);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "nothing";
}

NpyFile write_and_open(const TemporaryDirectory& directory, const std::string& bytes) {
  write_file(directory / "a.npy", bytes);
  return NpyFile(directory / "a.npy");
}

TEST(Npy, ReadsAFileThatNumpyWrote) {
  // ids256.npy by numpy.save; its first ids are those of ids256.json.
  const NpyFile file(source_path("data/eval_text/ids256.npy"));
  EXPECT_EQ(file.header().rows, 16u);
  EXPECT_EQ(file.header().columns, 256u);
  EXPECT_THAT(file.read(0, 0, 3), ElementsAre(429, 354, 386));
}

TEST(Npy, ReadsEveryTypeAndVersion) {
  const TemporaryDirectory directory;
  struct Case {
    std::string descr;
    std::size_t bytes;
  };
  for (const Case& type : {Case{"<i4", 4}, {"<i8", 8}, {"<u2", 2}, {"<u4", 4}}) {
    for (const int version : {1, 2, 3}) {
      std::string data = header(dictionary(type.descr, "(2, 2)"), version);
      for (const std::uint64_t value : {7, 65535, 0, 12}) data += little_endian(value, type.bytes);
      const NpyFile file = write_and_open(directory, data);
      EXPECT_THAT(file.read(0, 0, 2), ElementsAre(7, 65535)) << type.descr << version;
      EXPECT_THAT(file.read(1, 1, 2), ElementsAre(12)) << type.descr << version;
    }
  }
}

TEST(Npy, KeepsTheSign) {
  const TemporaryDirectory directory;
  const std::string ones(4, '\xFF');
  EXPECT_THAT(write_and_open(directory, header(dictionary("<i4", "(1,)")) + ones).read(0, 0, 1),
              ElementsAre(-1));
  EXPECT_THAT(write_and_open(directory, header(dictionary("<u4", "(1,)")) + ones).read(0, 0, 1),
              ElementsAre(4294967295));
}

TEST(Npy, TakesAnArrayOfOneDimensionAsOneRow) {
  const NpyHeader array = parse_npy(header(dictionary("<i4", "(5,)")), 20);
  EXPECT_EQ(array.rows, 1u);
  EXPECT_EQ(array.columns, 5u);
  EXPECT_EQ(parse_npy(header(dictionary("<i4", "(0,)")), 0).columns, 0u);
  EXPECT_EQ(parse_npy(header(dictionary("<i4", "(3, 0)")), 0).rows, 3u);
}

TEST(Npy, RefusesOtherTypes) {
  for (const char* descr : {"<f4", ">i4", "|u1", "<i2", "<u8", "|b1", "<U3", "|O", ""}) {
    EXPECT_THAT(failure(header(dictionary(descr, "(1,)")), 4),
                HasSubstr("a.npy: dtype: is not one of token ids (expected <i4, <i8, <u2 or <u4"))
        << descr;
  }
  EXPECT_THAT(failure(header("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,), }"), 4),
              HasSubstr("expected a string"));
}

TEST(Npy, RefusesOtherLayouts) {
  EXPECT_THAT(failure(header(dictionary("<i4", "(2, 2)", "True")), 16), HasSubstr("fortran_order: is True"));
  EXPECT_THAT(failure(header(dictionary("<i4", "()")), 4), HasSubstr("found 0)"));
  EXPECT_THAT(failure(header(dictionary("<i4", "(1, 1, 1)")), 4), HasSubstr("found 3)"));
}

TEST(Npy, RefusesElementsThatDoNotFillTheFile) {
  const std::string start = header(dictionary("<i4", "(2, 3)"));
  EXPECT_EQ(failure(start, 24), "nothing");
  EXPECT_THAT(failure(start, 23), HasSubstr("elements: do not fill the file (expected 24 bytes, found 23)"));
  EXPECT_THAT(failure(start, 25), HasSubstr("found 25"));
  EXPECT_THAT(failure(header(dictionary("<i8", "(4294967296, 4294967296)")), 0), HasSubstr("more than 2^64"));
  EXPECT_THAT(failure(header(dictionary("<i8", "(2305843009213693952,)")), 0), HasSubstr("more than 2^64"));
}

TEST(Npy, RefusesAHeaderThatIsCutOff) {
  for (const int version : {1, 2}) {
    const std::string start = header(dictionary("<i4", "(1,)"), version);
    for (std::size_t length = 0; length < start.size(); ++length) {
      EXPECT_NE(failure(start.substr(0, length), 0), "nothing") << length;
    }
  }
}

TEST(Npy, RefusesAHeaderThatIsNotOne) {
  EXPECT_THAT(failure("PK\x03\x04 and so on", 0), HasSubstr("is not a .npy file, but a .npz archive"));
  EXPECT_THAT(failure(std::string("\x07\0\x08\0", 4), 0),
              HasSubstr("is not a .npy file: it has no .npy header"));
  EXPECT_THAT(failure("version https://git-lfs.github.com/spec/v1\n", 0), HasSubstr("a Git LFS pointer"));
  EXPECT_THAT(failure(header(dictionary("<i4", "(1,)"), 4), 4), HasSubstr("found 4"));
  const std::string entries = "'descr': '<i4', 'fortran_order': False, 'shape': (1,)";
  EXPECT_EQ(failure(header("{" + entries + "}"), 4), "nothing");
  for (const std::string& wrong :
       {std::string(), std::string("{}"), "{" + entries, "{" + entries + "} x",
        "{" + entries + ", 'more': 1}", "{" + entries + ", 'descr': '<i4'}", "[" + entries + "]",
        std::string("{'descr: '<i4'}"), std::string("{'descr': '<i4', 'fortran_order': 0, 'shape': (1,)}"),
        std::string("{'descr': '<i4', 'fortran_order': False, 'shape': 1}"),
        std::string("{'descr': '<i4', 'fortran_order': False, 'shape': (-1,)}"),
        std::string("{'descr': '<i4', 'fortran_order': False, 'shape': (1.0,)}"),
        std::string("{'descr': '<i4', 'fortran_order': False, 'shape': (18446744073709551616,)}")}) {
    EXPECT_THAT(failure(header(wrong), 4), HasSubstr("a.npy: .npy header: ")) << wrong;
  }
}

}  // namespace
}  // namespace moescope
