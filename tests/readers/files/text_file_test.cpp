#include "readers/files/text_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <sys/stat.h>

#include <fstream>
#include <thread>
#include <vector>

#include "readers/errors.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string gzip(const std::string& text) {
  z_stream zlib{};
  deflateInit2(&zlib, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string bytes(deflateBound(&zlib, text.size()), '\0');
  zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  zlib.avail_in = static_cast<uInt>(text.size());
  zlib.next_out = reinterpret_cast<Bytef*>(bytes.data());
  zlib.avail_out = static_cast<uInt>(bytes.size());
  EXPECT_EQ(deflate(&zlib, Z_FINISH), Z_STREAM_END);
  bytes.resize(zlib.total_out);
  deflateEnd(&zlib);
  return bytes;
}

std::string zstd(const std::string& text) {
  std::string bytes(ZSTD_compressBound(text.size()), '\0');
  bytes.resize(ZSTD_compress(bytes.data(), bytes.size(), text.data(), text.size(), 3));
  return bytes;
}

struct Compression {
  const char* suffix;
  std::string (*compress)(const std::string&);
};

class CompressedText : public testing::TestWithParam<Compression> {
 protected:
  std::filesystem::path write(const std::string& bytes) {
    const std::filesystem::path path = directory_ / ("text" + std::string(GetParam().suffix));
    write_file(path, bytes);
    return path;
  }
  std::string compress(const std::string& text) const { return GetParam().compress(text); }

  static std::vector<std::string> lines(const std::filesystem::path& path) {
    TextFile file(path);
    std::vector<std::string> result;
    for (std::string line; file.read_line(line);) result.push_back(line);
    return result;
  }

  TemporaryDirectory directory_;
};

// Long and hard to compress, so that the buffers on both sides are filled more than once.
std::string long_text() {
  std::string text;
  std::uint64_t state = 1;
  while (text.size() < 1'000'000) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    text += std::to_string(state) + "\n";
  }
  return text;
}

TEST_P(CompressedText, IsReadLineByLine) {
  EXPECT_THAT(lines(write(compress("one\ntwo\n\nfour"))), ElementsAre("one", "two", "", "four"));
  EXPECT_THAT(lines(write(compress("one\n"))), ElementsAre("one"));
  EXPECT_THAT(lines(write(compress(""))), ElementsAre());
}

TEST_P(CompressedText, MayBeLongerThanTheBuffers) {
  const std::string text = long_text();
  EXPECT_EQ(TextFile(write(compress(text))).read_rest(), text);
  std::string joined;
  for (const std::string& line : lines(write(compress(text)))) joined += line + "\n";
  EXPECT_EQ(joined, text);
}

TEST_P(CompressedText, CountsItsLines) {
  TextFile file(write(compress("one\ntwo\nthree")));
  std::string line;
  EXPECT_TRUE(file.read_line(line));
  EXPECT_EQ(file.line_number(), 1u);
  EXPECT_TRUE(file.read_line(line));
  EXPECT_EQ(file.line_number(), 2u);
  EXPECT_EQ(file.read_rest(), "three");
  EXPECT_FALSE(file.read_line(line));
}

TEST_P(CompressedText, MayComeInSeveralPieces) {
  EXPECT_THAT(lines(write(compress("one\nt") + compress("wo\n") + compress(""))), ElementsAre("one", "two"));
}

// Plain text can be cut anywhere and hold anything.
class DamagedText : public CompressedText {};

TEST_P(DamagedText, IsRefusedWhereverItIsCutOff) {
  const std::string bytes = compress("one\ntwo\nthree\n");
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto path = write(bytes.substr(0, length));
    EXPECT_THROW(lines(path), FormatError) << length << " of " << bytes.size() << " bytes";
  }
  const std::string long_bytes = compress(long_text());
  EXPECT_THROW(lines(write(long_bytes.substr(0, long_bytes.size() - 1))), FormatError);
}

TEST_P(DamagedText, IsRefusedWhenCorruptOrFollowedByOtherBytes) {
  EXPECT_THROW(lines(write("this is no compressed data")), FormatError);
  EXPECT_THROW(lines(write(compress("one\n") + "rest")), FormatError);
  std::string bytes = compress(long_text());
  for (std::size_t i = bytes.size() / 2; i < bytes.size() / 2 + 64; ++i) bytes[i] = '\x55';
  EXPECT_THROW(lines(write(bytes)), FormatError);
}

TEST_P(DamagedText, IsNamedInMessages) {
  try {
    lines(write(compress("one\n").substr(0, 8)));
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("text" + std::string(GetParam().suffix)));
  }
}

const auto suffix_without_dot = [](const auto& compression) {
  return std::string(compression.param.suffix + 1);
};

INSTANTIATE_TEST_SUITE_P(Text, CompressedText,
                         testing::Values(Compression{".txt", [](const std::string& text) { return text; }},
                                         Compression{".gz", gzip}, Compression{".zst", zstd}),
                         suffix_without_dot);
INSTANTIATE_TEST_SUITE_P(Text, DamagedText,
                         testing::Values(Compression{".gz", gzip}, Compression{".zst", zstd}),
                         suffix_without_dot);

/// What opening and reading throws, "MESSAGE [HINT]".
std::string failure(const std::string& name, const std::string& content,
                    std::uint64_t memory = least_zstd_window) {
  const TemporaryDirectory directory;
  write_file(directory / name, content);
  try {
    TextFile(directory / name, memory).read_rest();
  } catch (const FormatError& error) {
    return std::string(error.what()) + " [" + error.hint() + "]";
  }
  return "nothing";
}

std::string content_of(const std::string& name, const std::string& content,
                       std::uint64_t memory = least_zstd_window) {
  const TemporaryDirectory directory;
  write_file(directory / name, content);
  return TextFile(directory / name, memory).read_rest();
}

TEST(TextFile, DoesNotCountAByteOrderMarkAsText) {
  EXPECT_EQ(content_of("a.txt", "\xEF\xBB\xBFone\n"), "one\n");
  EXPECT_EQ(content_of("a.txt", "\xEF\xBB\xBF"), "");
  EXPECT_EQ(content_of("a.txt.gz", gzip("\xEF\xBB\xBFone")), "one");
  EXPECT_EQ(content_of("a.txt", "o\xEF\xBB\xBFne"), "o\xEF\xBB\xBFne");
}

TEST(TextFile, NamesAnEncodingThatIsNotUtf8) {
  using namespace std::string_literals;
  EXPECT_THAT(failure("a.txt", "\xFF\xFEo\0n\0e\0"s),
              HasSubstr("a.txt: is text in UTF-16 (expected UTF-8) [iconv -f UTF-16"));
  EXPECT_THAT(failure("a.txt", "\xFE\xFF\0o\0n\0e"s), HasSubstr("UTF-16 (expected"));
  EXPECT_THAT(failure("a.txt", "\xFF\xFE\0\0o\0\0\0"s), HasSubstr("UTF-32"));
  EXPECT_THAT(failure("a.jsonl", "{\0\"\0t\0"s), HasSubstr("UTF-16LE"));
  EXPECT_THAT(failure("a.jsonl", "\0{\0\"\0t"s), HasSubstr("UTF-16BE"));
  EXPECT_EQ(failure("a.txt", "a\0b\0c d"s), "nothing");
}

TEST(TextFile, NamesAPointerThatStandsForAFile) {
  EXPECT_THAT(failure("a.txt", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"),
              HasSubstr("a.txt: is a Git LFS pointer to 5 bytes, not the file itself [git lfs pull"));
}

TEST(TextFile, IsDecompressedByItsFirstBytesWhereItsNameDoesNotTell) {
  EXPECT_EQ(content_of("a.txt", gzip("one")), "one");
  EXPECT_EQ(content_of("a", zstd("one")), "one");
}

// tar and tapes pad with zeros; gzip(1) passes over them too.
TEST(TextFile, PassesOverZerosBehindGzipMembers) {
  const std::string zeros(300'000, '\0');
  EXPECT_EQ(content_of("a.gz", gzip("one") + zeros), "one");
  EXPECT_EQ(content_of("a.gz", gzip("one") + zeros + gzip("two") + zeros), "onetwo");
  EXPECT_THAT(failure("a.gz", gzip("one") + zeros + "rest"), HasSubstr("is not valid gzip data"));
}

TEST(TextFile, PassesOverSkippableFramesOfZstandard) {
  const std::string skippable = std::string("\x5A\x2A\x4D\x18\x03", 5) + std::string(3, '\0') + "abc";
  EXPECT_EQ(content_of("a.zst", skippable + zstd("one") + skippable + zstd("two") + skippable), "onetwo");
  EXPECT_EQ(content_of("a.jsonl", skippable + zstd("one")), "one");
}

// A frame of one raw block; the descriptor of its window has the exponent above 10 in 5 bits (RFC
// 8878, 3.1.1.1.2).
std::string zstd_with_window(int log, const std::string& text) {
  const auto block = static_cast<std::uint32_t>(text.size() << 3 | 1);
  std::string frame("\x28\xB5\x2F\xFD\0", 5);
  frame += static_cast<char>((log - 10) << 3);
  for (int i = 0; i < 3; ++i) frame += static_cast<char>(block >> (8 * i));
  return frame + text;
}

TEST(TextFile, ReadsZstandardWindowsThatFitInItsMemory) {
  EXPECT_EQ(content_of("a.zst", zstd_with_window(27, "one"), 0), "one");
  EXPECT_EQ(content_of("a.zst", zstd_with_window(28, "one"), 1u << 28), "one");
  const std::string refusal = failure("a.zst", zstd("zero") + zstd_with_window(28, "one"), (1u << 28) - 1);
  EXPECT_THAT(
      refusal,
      HasSubstr("a.zst: needs a Zstandard window of 256 MiB (the memory budget leaves room for 128 MiB)"));
  EXPECT_THAT(refusal, HasSubstr("zstd -d --long=31 -c FILE | zstd"));
}

TEST(TextFile, ReadsAPipe) {
  const TemporaryDirectory directory;
  const std::filesystem::path pipe = directory / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const std::string text = gzip(long_text());
  std::thread writer([&] { std::ofstream(pipe) << text; });
  EXPECT_EQ(TextFile(pipe).read_rest(), long_text());
  writer.join();
}

TEST(TextFile, MustExist) {
  const TemporaryDirectory directory;
  EXPECT_THROW(TextFile(directory / "missing.txt"), MissingInput);
  EXPECT_THROW(TextFile(directory.path()), FormatError);
}

}  // namespace
}  // namespace moescope
