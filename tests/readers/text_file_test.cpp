#include "readers/text_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

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

TEST(TextFile, MustExist) {
  const TemporaryDirectory directory;
  EXPECT_THROW(TextFile(directory / "missing.txt"), std::system_error);
  EXPECT_THROW(TextFile(directory.path()), std::system_error);
}

}  // namespace
}  // namespace moescope
