#include "readers/text/foreign_content.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>

#include "readers/checkpoint/checkpoint.h"
#include "readers/errors.h"
#include "readers/tokenizer/tokenizer.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using testing::HasSubstr;

const std::string lfs_pointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, '5') + "\nsize 4999999984\n";

std::string what_is(const std::string& content) {
  const auto foreign = foreign_content(content, content.size());
  return foreign ? foreign->what : "";
}

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const FormatError& error) {
    return error.what();
  }
  return {};
}

TEST(ForeignContent, IsNamedByItsFirstBytes) {
  EXPECT_EQ(what_is(lfs_pointer), "is a Git LFS pointer to 4999999984 bytes, not the file itself");
  EXPECT_EQ(what_is(""), "is empty");
  EXPECT_THAT(what_is("<!DOCTYPE html><html>"), HasSubstr("is a web page"));
  EXPECT_THAT(what_is("\n <HTML>"), HasSubstr("is a web page"));
  EXPECT_THAT(what_is("<?xml version='1.0'?><Error><Code>AccessDenied</Code>"), HasSubstr("is a web page"));
  EXPECT_THAT(what_is("GGUF\3\0\0\0"s), HasSubstr("is a GGUF file"));
  EXPECT_THAT(what_is("PK\3\4"), HasSubstr("is a ZIP archive, as torch.save writes one"));
  EXPECT_THAT(what_is("\xFF\xFE{\0"s), HasSubstr("is text in UTF-16 (expected UTF-8)"));
  EXPECT_THAT(what_is("{\0\"\0a\0"s), HasSubstr("is text in UTF-16LE (expected UTF-8)"));
  EXPECT_THAT(what_is("\0{\0\"\0a"s), HasSubstr("is text in UTF-16BE (expected UTF-8)"));
  EXPECT_THAT(what_is(std::string(64, '\0')), HasSubstr("begins with zeros"));
}

TEST(ForeignContent, OrdinaryFilesAreNot) {
  for (const std::string& content : {"{}"s, "[1]"s, " {\"a\":1}"s, "\x10\0\0\0\0\0\0\0{}"s, "null"s})
    EXPECT_EQ(what_is(content), "") << content;
}

// In place of each file of a checkpoint.
TEST(ForeignContent, IsToldBeforeAFileIsCalledInvalid) {
  CheckpointOptions options;
  options.shards = 2;
  for (const char* name :
       {"config.json", "model.safetensors.index.json", "model-00002-of-00002.safetensors"}) {
    TemporaryDirectory directory;
    write_checkpoint(directory.path(), options);
    const auto with = [&](const std::string& content) {
      write_file(directory / name, content);
      return refusal([&] { Checkpoint::open(directory.path()); });
    };
    EXPECT_THAT(with(lfs_pointer), HasSubstr(std::string(name) + ": is a Git LFS pointer"));
    EXPECT_THAT(with("<html>sign in</html>"), HasSubstr(std::string(name) + ": is a web page"));
    EXPECT_THAT(with(""), HasSubstr(std::string(name) + ": is empty"));
    EXPECT_THAT(with(std::string(4096, '\0')), HasSubstr(std::string(name) + ": begins with zeros"));
  }
}

TEST(ForeignContent, IsToldOfATokenizerToo) {
  EXPECT_THAT(refusal([] { Tokenizer::parse(lfs_pointer, "tokenizer.json"); }),
              HasSubstr("tokenizer.json: is a Git LFS pointer"));
}

TEST(ForeignContent, TextInPlaceOfAShardIsQuoted) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path());
  write_file(directory / "model.safetensors", R"({"error":"Repository not found"})");
  EXPECT_THAT(refusal([&] { Checkpoint::open(directory.path()); }),
              HasSubstr(R"(model.safetensors: is text, not weights (it begins "{\"error\")"));
}

}  // namespace
}  // namespace moescope
