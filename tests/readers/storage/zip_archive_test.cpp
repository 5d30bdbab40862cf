#include "readers/storage/zip_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/torch_bin_builder.h"

namespace moescope {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::string_literals;

/// The members of an archive of these bytes, and what lies where they are said to lie.
std::vector<BuiltMember> read(const std::string& bytes) {
  TemporaryDirectory directory;
  write_file(directory / "a.bin", bytes);
  std::vector<BuiltMember> found;
  for (const ZipMember& member : read_zip_members(SourceFile(directory / "a.bin")))
    found.push_back({member.name, bytes.substr(member.offset, member.bytes)});
  return found;
}

std::string zip_refusal(const std::string& bytes) {
  try {
    read(bytes);
  } catch (const FormatError& error) {
    return error.what();
  }
  return {};
}

std::string with(std::string bytes, std::size_t place, const std::string& change) {
  return bytes.replace(place, change.size(), change);
}

// Where the directory, the ZIP64 end record, its locator and the end record of an archive begin.
struct Places {
  std::size_t directory, zip64, locator, end;
};
Places places(const std::string& bytes) {
  return {bytes.find("PK\1\2"), bytes.rfind("PK\6\6"), bytes.rfind("PK\6\7"), bytes.rfind("PK\5\6")};
}

const std::vector<BuiltMember> two = {{"a/x", "first"}, {"a/y", "second one"}};

TEST(ZipArchive, ReadsMembersWithTheirPlaces) {
  for (const std::string& bytes : {zip_bytes(two), plain_zip_bytes(two)}) {
    const std::vector<BuiltMember> members = read(bytes);
    ASSERT_EQ(members.size(), 2u);
    EXPECT_EQ(members[0].name, "a/x");
    EXPECT_EQ(members[0].data, "first");
    EXPECT_EQ(members[1].data, "second one");
  }
}

TEST(ZipArchive, SkipsThePaddingThatAlignsAMember) {
  const std::string padding = "FB\x08\0ZZZZZZZZ"s;
  const auto members =
      read(zip_bytes({{"a", "first", 0, 0x0808, padding}, {"b", "second", 0, 0x0800, padding}}));
  EXPECT_EQ(members[0].data, "first");
  EXPECT_EQ(members[1].data, "second");
}

TEST(ZipArchive, AcceptsAnEmptyArchiveAndEmptyMembers) {
  EXPECT_THAT(read(zip_bytes({})), IsEmpty());
  EXPECT_EQ(read(zip_bytes({{"a", "", 0, 0x0800}, {"b", ""}})).size(), 2u);
}

// What does not fit 32 bits stands in an extra field of the directory.
TEST(ZipArchive, ReadsSizesAndPlacesOfZip64) {
  const std::string extra = "XX\1\0?\1\0\x18\0\4\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"s;
  const auto with_extra = [&](const std::string& field) {
    std::string bytes = zip_bytes({{"a", "data"}});
    const Places at = places(bytes);
    bytes = with(bytes, at.directory + 20, std::string(8, '\xFF'));
    bytes = with(bytes, at.directory + 42, std::string(4, '\xFF'));
    bytes[at.directory + 30] = bytes[at.zip64 + 40] = static_cast<char>(field.size());
    bytes[at.zip64 + 40] = static_cast<char>(47 + field.size());
    bytes[at.locator + 8] = static_cast<char>(at.zip64 + field.size());
    return bytes.insert(at.zip64, field);
  };
  const auto members = read(with_extra(extra));
  ASSERT_EQ(members.size(), 1u);
  EXPECT_EQ(members[0].data, "data");
  for (const std::string& field :
       {""s, extra.substr(0, 5), extra.substr(0, 20), "\1\0\x08\0\4\0\0\0\0\0\0\0"s})
    EXPECT_THAT(zip_refusal(with_extra(field)), HasSubstr("member 'a': lacks the ZIP64 field"));
}

TEST(ZipArchive, RejectsAFileThatIsCutShortOrGoesOn) {
  const std::string bytes = zip_bytes(two);
  for (const std::size_t size :
       {bytes.size() - 1, bytes.size() - 22, bytes.size() / 2, std::size_t{4}, std::size_t{0}})
    EXPECT_THAT(zip_refusal(bytes.substr(0, size)),
                HasSubstr("a.bin: is truncated, or goes on behind its end"));
  EXPECT_THAT(zip_refusal(bytes + "x"), HasSubstr("is truncated, or goes on behind its end"));
}

TEST(ZipArchive, AcceptsACommentOfTheLengthThatItTells) {
  std::string bytes = zip_bytes(two);
  bytes[bytes.size() - 2] = 5;
  EXPECT_EQ(read(bytes + "hello").size(), 2u);
  EXPECT_THAT(zip_refusal(bytes + "hell"), HasSubstr("is truncated, or goes on behind its end"));
}

TEST(ZipArchive, RejectsWhatStandsBeforeOrBetween) {
  EXPECT_THAT(zip_refusal("before" + zip_bytes(two)),
              HasSubstr("has no ZIP64 end record where its locator says"));
  EXPECT_THAT(zip_refusal("before" + plain_zip_bytes(two)),
              HasSubstr("its directory does not lie where the archive's end says"));
}

TEST(ZipArchive, RejectsCompressedMembers) {
  EXPECT_THAT(zip_refusal(zip_bytes({{"a", "x", 8}})),
              HasSubstr("a.bin: member 'a': is compressed (expected it stored as it is, as torch.save does; "
                        "found method 8)"));
  std::string bytes = zip_bytes({{"a", "data"}});
  bytes[places(bytes).directory + 20] = 3;
  EXPECT_THAT(zip_refusal(bytes), HasSubstr("member 'a': is compressed"));
}

TEST(ZipArchive, RejectsEncryptedMembers) {
  for (const std::uint16_t flag : {0x0001, 0x0040, 0x2000})
    EXPECT_THAT(zip_refusal(zip_bytes({{"a", "x", 0, flag}})), HasSubstr("member 'a': is encrypted"));
}

TEST(ZipArchive, RejectsTwoMembersOfOneName) {
  EXPECT_THAT(zip_refusal(zip_bytes({{"a", "x"}, {"b", ""}, {"a", "y"}})),
              HasSubstr("member 'a': is there twice"));
}

TEST(ZipArchive, RejectsMembersThatOverlap) {
  const std::string inner = zip_bytes({{"b", "inside"}}), local = inner.substr(0, places(inner).directory);
  std::string bytes = zip_bytes({{"a", local}, {"b", "inside"}});
  const std::size_t second = places(bytes).directory + 47;
  bytes[second + 42] = 31;  // the header that is the data of the first
  EXPECT_THAT(zip_refusal(bytes), HasSubstr("member 'b': overlaps member 'a'"));
}

TEST(ZipArchive, RejectsMembersThatAreNotWhereTheDirectorySays) {
  const std::string bytes = zip_bytes(two);
  const std::size_t entry = places(bytes).directory;
  EXPECT_THAT(zip_refusal(with(bytes, entry + 42, "\1")), HasSubstr("member 'a/x': is not where"));
  EXPECT_THAT(zip_refusal(with(bytes, entry + 42, "\xFF\xFF")), HasSubstr("member 'a/x': lies beyond"));
  EXPECT_THAT(zip_refusal(with(bytes, 30, "b")), HasSubstr("member 'a/x': is not where"));
  EXPECT_THAT(
      zip_refusal(with(bytes, entry + 20, "\xFF\xFF\0\0\xFF\xFF\0\0"s)),
      HasSubstr("member 'a/x': ends beyond the file's data (expected 65535 bytes from byte 33, found"));
  EXPECT_THAT(zip_refusal(with(bytes, 28, "\xFF\xFF")), HasSubstr("member 'a/x': ends beyond"));
}

TEST(ZipArchive, RejectsHeadersThatContradictTheDirectory) {
  const std::string bytes = zip_bytes({{"a", "data", 0, 0}});
  EXPECT_THAT(zip_refusal(with(bytes, 22, "\3")),
              HasSubstr("member 'a': is described otherwise by its own header"));
  EXPECT_THAT(zip_refusal(with(bytes, 8, "\x08")), HasSubstr("member 'a': is described otherwise"));
  EXPECT_THAT(zip_refusal(with(bytes, 6, "\1")), HasSubstr("member 'a': is described otherwise"));
}

TEST(ZipArchive, RejectsADamagedDirectory) {
  const std::string bytes = zip_bytes(two);
  const Places at = places(bytes);
  EXPECT_THAT(zip_refusal(with(bytes, at.directory, "pk")), HasSubstr("its directory is damaged at entry 1"));
  EXPECT_THAT(zip_refusal(with(bytes, at.directory + 28, "\xFF\xFF")), HasSubstr("damaged at entry 1"));
  EXPECT_THAT(zip_refusal(with(bytes, at.zip64 + 24, "\3\0\0\0\0\0\0\0\3"s)),
              HasSubstr("another number of entries than its end says (expected 3, found 2)"));
  EXPECT_THAT(zip_refusal(with(bytes, at.zip64 + 40, "\xFF")), HasSubstr("its directory does not lie where"));
  EXPECT_THAT(zip_refusal(with(bytes, at.zip64 + 48, std::string(8, '\xFF'))),
              HasSubstr("its directory does not lie where"));
  EXPECT_THAT(zip_refusal(with(bytes, at.locator + 8, std::string(8, '\xFF'))),
              HasSubstr("its ZIP64 end record is said to lie beyond the file"));
  EXPECT_THAT(zip_refusal(with(bytes, at.zip64 + 16, "\1")),
              HasSubstr("is one part of a ZIP archive in several"));
  std::string plain = plain_zip_bytes(two);
  EXPECT_THAT(zip_refusal(with(plain, places(plain).end + 4, "\1")),
              HasSubstr("is one part of a ZIP archive"));
}

}  // namespace
}  // namespace moescope
