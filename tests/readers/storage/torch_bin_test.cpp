#include "readers/storage/torch_bin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/torch_bin_builder.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::string_literals;

TorchBinHeader read_header(const std::string& bytes) {
  TemporaryDirectory directory;
  write_file(directory / "pytorch_model.bin", bytes);
  return read_torch_bin_header(SourceFile(directory / "pytorch_model.bin"));
}

std::string bin_refusal(const std::string& bytes) {
  try {
    read_header(bytes);
  } catch (const FormatError& error) {
    return error.what();
  }
  return {};
}

const std::string one_tensor = pickled::whole(
    pickled::dictionary({{"w", pickled::tensor(pickled::storage("ByteStorage", "0", 4), 1, {3}, {1})}}));

TEST(TorchBin, TensorsLieInTheStoragesOfTheArchive) {
  const std::vector<BuiltTensor> built = {{"a", DType::u8, {3}, "abc"},
                                          {"b", DType::bf16, {2, 2}, "01234567"},
                                          {"c", DType::f32, {0}, ""},
                                          {"d", DType::i64, {}, "ABCDEFGH"}};
  const std::string bytes = torch_bin_bytes(built);
  const TorchBinHeader header = read_header(bytes);
  ASSERT_EQ(header.tensors.size(), built.size());
  for (const BuiltTensor& tensor : built) {
    const auto found = std::ranges::find(header.tensors, tensor.name, &TensorInfo::name);
    ASSERT_NE(found, header.tensors.end());
    EXPECT_EQ(found->dtype, tensor.dtype);
    EXPECT_EQ(found->shape, tensor.shape);
    EXPECT_EQ(bytes.substr(found->offset, found->bytes), tensor.data);
  }
}

TEST(TorchBin, ViewsOfOneStorageLieInIt) {
  const std::string kept = pickled::storage("ByteStorage", "0", 4);
  const std::string bytes = torch_bin_bytes(
      pickled::whole(pickled::dictionary({{"whole", pickled::tensor(kept, 0, {4}, {1})},
                                          {"end", pickled::tensor(kept, 2, {2}, {1})},
                                          {"same", pickled::tensor(kept, 0, {2, 2}, {2, 1})}})),
      {"wxyz"});
  std::vector<std::string> found;
  for (const TensorInfo& info : read_header(bytes).tensors)
    found.push_back(info.name + "=" + bytes.substr(info.offset, info.bytes));
  EXPECT_THAT(found, ElementsAre("same=wxyz", "whole=wxyz", "end=yz"));
}

TEST(TorchBin, RefusesStoragesThatAreNotAsThePickleTells) {
  EXPECT_THAT(bin_refusal(torch_bin_bytes(one_tensor, {})),
              HasSubstr("pytorch_model.bin: tensor 'w': its storage 'data/0' is not in the archive"));
  EXPECT_THAT(bin_refusal(torch_bin_bytes(one_tensor, {"abc"})),
              HasSubstr("tensor 'w': its storage 'data/0' is of another size than data.pkl tells (expected 4 "
                        "bytes, found 3)"));
  EXPECT_EQ(bin_refusal(torch_bin_bytes(one_tensor, {"abcd", "further"})), "");
}

TEST(TorchBin, RefusesBigEndianElements) {
  const auto with = [](const std::string& order) {
    return bin_refusal(zip_bytes({{"a/data.pkl", one_tensor}, {"a/byteorder", order}, {"a/data/0", "abcd"}}));
  };
  EXPECT_EQ(with("little"), "");
  EXPECT_THAT(with("big"), HasSubstr("has elements in the byte order 'big' (expected 'little')"));
  EXPECT_EQ(bin_refusal(zip_bytes({{"a/data.pkl", one_tensor}, {"a/data/0", "abcd"}})), "");  // before 2.1
}

TEST(TorchBin, RefusesOtherArchives) {
  EXPECT_THAT(
      bin_refusal(zip_bytes({{"weights.npy", "x"}})),
      HasSubstr(
          "is a ZIP archive, but not one that torch.save wrote (expected one member data.pkl, found 0)"));
  EXPECT_THAT(bin_refusal(zip_bytes({{"data.pkl", one_tensor}})), HasSubstr("member data.pkl, found 0"));
  EXPECT_THAT(bin_refusal(zip_bytes({{"a/data.pkl", one_tensor}, {"b/data.pkl", one_tensor}})),
              HasSubstr("found 2"));
  EXPECT_THAT(bin_refusal(zip_bytes({{"a/data.pkl", one_tensor}, {"a/constants.pkl", ""}})),
              HasSubstr("is a program of TorchScript"));
}

TEST(TorchBin, RefusesFormatsOfBefore) {
  EXPECT_THAT(
      bin_refusal("\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19."s),
      HasSubstr(
          "is a pickle of Python, as torch.save wrote one before PyTorch 1.6, which moescope does not read"));
  EXPECT_THAT(bin_refusal("sys_info\0"s + std::string(248, '\0') + "ustar" + std::string(250, '\0')),
              HasSubstr("is a tar archive"));
}

TEST(TorchBin, NamesWhatLiesInItsPlace) {
  EXPECT_THAT(bin_refusal("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"),
              HasSubstr("is a Git LFS pointer to 12 bytes"));
  EXPECT_THAT(bin_refusal(""), HasSubstr("is empty"));
  EXPECT_THAT(bin_refusal("<html>"), HasSubstr("is a web page"));
  EXPECT_THAT(bin_refusal("PK"), HasSubstr("is text, not weights"));
  EXPECT_THAT(bin_refusal(std::string(64, '\x7F')),
              HasSubstr("is not a ZIP archive, as torch.save of PyTorch 1.6"));
}

TEST(TorchBin, RefusesAFileThatIsCutShortOrGoesOn) {
  const std::string bytes = torch_bin_bytes(one_tensor, {"abcd"});
  for (std::size_t size = 4; size < bytes.size(); ++size)
    EXPECT_THAT(bin_refusal(bytes.substr(0, size)), HasSubstr("is truncated")) << size;
  EXPECT_THAT(bin_refusal(bytes + '\0'), HasSubstr("goes on behind its end"));
}

// Anywhere in the file: what is accepted lies in the file, and is as long as its shape says.
TEST(TorchBin, DamagedFilesOpenOrAreRefused) {
  std::mt19937_64 random(13);
  const std::string bytes =
      torch_bin_bytes({{"a", DType::f32, {2, 2}, std::string(16, 'a')}, {"b", DType::bf16, {3}, "bbbbbb"}});
  std::size_t refused = 0;
  for (int repetition = 0; repetition < 1000; ++repetition) {
    std::string damaged = bytes;
    for (std::uint64_t flips = 1 + random() % 2; flips > 0; --flips)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    try {
      for (const TensorInfo& info : read_header(damaged).tensors) {
        EXPECT_TRUE(ends_within(info.offset, info.bytes, damaged.size()));
        EXPECT_EQ(checked_bits(info.shape, info.dtype), info.bytes * 8);
      }
    } catch (const FormatError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 500u);
}

}  // namespace
}  // namespace moescope
