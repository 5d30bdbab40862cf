#include "readers/storage/torch_bin.h"

#include <algorithm>
#include <map>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "readers/storage/foreign_shard.h"
#include "readers/storage/torch_pickle.h"
#include "readers/storage/zip_archive.h"
#include "readers/text/quoted_text.h"

namespace moescope {
namespace {

constexpr std::uint64_t largest_pickle = std::uint64_t{1} << 28;

/// The members of an archive by what torch.save calls them, without the directory that all lie in.
class TorchArchive {
 public:
  explicit TorchArchive(const SourceFile& shard);

  const ZipMember* find(const std::string& name) const;
  std::string read(const ZipMember& member) const;
  [[noreturn]] void fail(const std::string& problem, const char* hint = "") const {
    throw FormatError(shard_.name(), {}, problem, hint);
  }

 private:
  const SourceFile& shard_;
  std::map<std::string, ZipMember> members_;
};

TorchArchive::TorchArchive(const SourceFile& shard) : shard_(shard) {
  constexpr std::string_view described = "/data.pkl";
  std::vector<ZipMember> members = read_zip_members(shard);
  const auto is_pickle = [&](const ZipMember& member) {
    return member.name.ends_with(described) && member.name.find('/') + described.size() == member.name.size();
  };
  const auto count = std::ranges::count_if(members, is_pickle);
  if (count != 1) {
    fail("is a ZIP archive, but not one that torch.save wrote (expected one member data.pkl, found " +
         std::to_string(count) + ")");
  }
  const std::string pickle = std::ranges::find_if(members, is_pickle)->name;
  const std::string directory = pickle.substr(0, pickle.find('/') + 1);
  for (ZipMember& member : members) {
    if (!member.name.starts_with(directory)) continue;
    std::string name = member.name.substr(directory.size());
    members_.emplace(std::move(name), std::move(member));
  }
}

const ZipMember* TorchArchive::find(const std::string& name) const {
  const auto found = members_.find(name);
  return found == members_.end() ? nullptr : &found->second;
}

std::string TorchArchive::read(const ZipMember& member) const {
  if (member.bytes > largest_pickle) {
    fail("member " + single_quoted(member.name) + " is too large (expected at most " +
         std::to_string(largest_pickle) + " bytes, found " + std::to_string(member.bytes) + ")");
  }
  std::string text(member.bytes, '\0');
  shard_.read(member.offset, std::as_writable_bytes(std::span(text)));
  return text;
}

void require_zip(const SourceFile& shard) {
  std::string begin(std::min<std::uint64_t>(shard.size(), 4), '\0');
  shard.read(0, std::as_writable_bytes(std::span(begin)));
  if (begin == "PK\3\4") return;
  refuse_foreign_shard(shard);
  throw FormatError(shard.name(), {},
                    "is not a ZIP archive, as torch.save of PyTorch 1.6 and later writes one");
}

// Before there was a member that tells, elements were little-endian.
void require_little_endian(const TorchArchive& archive) {
  const ZipMember* order = archive.find("byteorder");
  if (order == nullptr) return;
  const std::string word = archive.read(*order);
  if (word != "little")
    archive.fail("has elements in the byte order " + single_quoted(word) + " (expected 'little')");
}

TensorInfo in_file(PickledTensor& tensor, const TorchArchive& archive) {
  const std::string name = "data/" + tensor.storage;
  const ZipMember* member = archive.find(name);
  const std::string thing = tensor_thing(tensor.info.name) + ": its storage " + single_quoted(name);
  if (member == nullptr) archive.fail(thing + " is not in the archive");
  if (member->bytes != tensor.storage_bytes) {
    archive.fail(thing + " is of another size than data.pkl tells (expected " +
                 std::to_string(tensor.storage_bytes) + " bytes, found " + std::to_string(member->bytes) +
                 ")");
  }
  tensor.info.offset += member->offset;
  return std::move(tensor.info);
}

}  // namespace

TorchBinHeader read_torch_bin_header(const SourceFile& shard) {
  require_zip(shard);
  const TorchArchive archive(shard);
  if (archive.find("constants.pkl") != nullptr)
    archive.fail("is a program of TorchScript, not the tensors of a model alone",
                 "torch.save(model.state_dict(), FILE) saves them");
  require_little_endian(archive);
  TorchBinHeader header;
  header.pickle = archive.read(*archive.find("data.pkl"));
  for (PickledTensor& tensor : parse_torch_pickle(header.pickle, shard.name()))
    header.tensors.push_back(in_file(tensor, archive));
  std::ranges::sort(header.tensors, {},
                    [](const TensorInfo& info) { return std::tie(info.offset, info.bytes, info.name); });
  return header;
}

}  // namespace moescope
