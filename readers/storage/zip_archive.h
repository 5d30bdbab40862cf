#pragma once
/// The directory of a ZIP archive whose members are stored as they are, as torch.save writes one. Trusts no
/// byte: what it accepts lies in the file, member by member, without overlap.
/// Format: APPNOTE.TXT of PKWARE, version 6.3.10 (sections 4.3 and 4.5.3).

#include <cstdint>
#include <string>
#include <vector>

namespace moescope {

class SourceFile;

/// A file in an archive.
struct ZipMember {
  std::string name;          // with its directories: "archive/data.pkl"
  std::uint64_t offset = 0;  // of its first byte, from the start of the archive
  std::uint64_t bytes = 0;
};

/// The members in the order of their places. Throws FormatError: a file that is cut short or goes on behind
/// the archive's end, members that are compressed, encrypted, of the same name, beyond the file, or one over
/// the other. Checksums are not compared: they are of data that nothing has read yet, and PyTorch may leave
/// them out. Throws std::system_error. Thread-safe.
std::vector<ZipMember> read_zip_members(const SourceFile& archive);

}  // namespace moescope
