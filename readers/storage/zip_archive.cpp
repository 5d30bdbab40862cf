#include "readers/storage/zip_archive.h"

#include <algorithm>
#include <optional>
#include <set>
#include <span>
#include <string_view>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "readers/text/quoted_text.h"

// An archive ends with its directory, then perhaps the ZIP64 end record and its locator, then the end record.
// Each member has a header of its own before its data, whose length only that header tells.

namespace moescope {
namespace {

using namespace std::string_view_literals;

constexpr std::uint64_t zip_end_bytes = 22, zip_locator_bytes = 20, zip64_end_bytes = 56;  // of the records
constexpr std::uint64_t zip_entry_bytes = 46, zip_header_bytes = 30;  // before their names
constexpr std::uint64_t longest_zip_comment = 0xFFFF;
constexpr std::uint64_t largest_zip_directory = std::uint64_t{1} << 26;  // a million members
constexpr std::uint64_t in_zip64 = 0xFFFFFFFF;  // in place of a number that the ZIP64 extra field holds
constexpr std::uint64_t encrypted_flags = 1 << 0 | 1 << 6 | 1 << 13;
constexpr std::uint64_t sizes_follow_flag = 1 << 3;  // a record behind the data holds them

/// Little-endian fields of one record.
class ZipFields {
 public:
  explicit ZipFields(std::string_view record) : record_(record) {}
  std::uint64_t u16(std::size_t at) const { return number(at, 2); }
  std::uint64_t u32(std::size_t at) const { return number(at, 4); }
  std::uint64_t u64(std::size_t at) const { return number(at, 8); }
  std::string_view text(std::uint64_t at, std::uint64_t bytes) const { return record_.substr(at, bytes); }
  std::uint64_t size() const { return record_.size(); }

 private:
  std::uint64_t number(std::size_t at, std::size_t bytes) const {
    std::uint64_t value = 0;
    for (std::size_t i = bytes; i-- > 0;) value = value << 8 | static_cast<unsigned char>(record_.at(at + i));
    return value;
  }
  std::string_view record_;
};

std::string text_at(const SourceFile& file, std::uint64_t offset, std::uint64_t bytes) {
  std::string text(bytes, '\0');
  file.read(offset, std::as_writable_bytes(std::span(text)));
  return text;
}

std::string zip_member_thing(std::string_view name) {
  return "member " + single_quoted(std::string(name));
}

/// Where the directory lies.
struct ZipDirectory {
  std::uint64_t offset = 0, bytes = 0, entries = 0;
  std::uint64_t end = 0;  // where the records behind it begin
};

/// An entry of the directory.
struct ZipEntry {
  std::string_view name;
  std::uint64_t flags = 0, method = 0, stored_bytes = 0, bytes = 0;
  std::uint64_t header = 0;  // where the member's own header begins
};

class ZipReader {
 public:
  explicit ZipReader(const SourceFile& file) : file_(file) {}
  std::vector<ZipMember> members();

 private:
  std::uint64_t find_end() const;
  ZipDirectory find_directory() const;
  ZipDirectory zip64_directory(std::uint64_t end) const;
  std::vector<ZipEntry> parse_entries(std::string_view text, const ZipDirectory& directory) const;
  ZipEntry parse_entry(const ZipFields& fields) const;
  void take_zip64(std::string_view extra, ZipEntry& entry) const;
  void require_stored(const ZipEntry& entry) const;
  ZipMember locate(const ZipEntry& entry, const ZipDirectory& directory) const;
  [[noreturn]] void fail(const std::string& problem) const { throw FormatError(file_.name(), {}, problem); }
  [[noreturn]] void fail(std::string_view member, const std::string& problem) const {
    throw FormatError(file_.name(), zip_member_thing(member), problem);
  }

  const SourceFile& file_;
};

// The end record closes the file, behind it lies nothing but a comment of the length that it tells.
std::uint64_t ZipReader::find_end() const {
  const std::uint64_t bytes = std::min(file_.size(), zip_end_bytes + longest_zip_comment);
  const std::string tail = text_at(file_, file_.size() - bytes, bytes);
  for (std::size_t at = tail.rfind("PK\5\6"sv); at != std::string::npos && tail.size() >= zip_end_bytes;
       at = at == 0 ? std::string::npos : tail.rfind("PK\5\6"sv, at - 1)) {
    if (tail.size() - at < zip_end_bytes) continue;
    if (ZipFields(tail).u16(at + 20) == tail.size() - at - zip_end_bytes)
      return file_.size() - tail.size() + at;
  }
  fail("is truncated, or goes on behind its end: no directory of a ZIP archive ends where the file ends");
}

ZipDirectory ZipReader::zip64_directory(std::uint64_t end) const {
  const std::string locator = text_at(file_, end - zip_locator_bytes, zip_locator_bytes);
  const std::uint64_t at = ZipFields(locator).u64(8);
  if (!ends_within(at, zip64_end_bytes, end - zip_locator_bytes))
    fail("its ZIP64 end record is said to lie beyond the file");
  const std::string record = text_at(file_, at, zip64_end_bytes);
  const ZipFields fields(record);
  if (!record.starts_with("PK\6\6"sv)) fail("has no ZIP64 end record where its locator says");
  if (fields.u32(16) != 0 || fields.u32(20) != 0 || fields.u64(24) != fields.u64(32))
    fail("is one part of a ZIP archive in several parts");
  return {fields.u64(48), fields.u64(40), fields.u64(32), at};
}

ZipDirectory ZipReader::find_directory() const {
  const std::uint64_t end = find_end();
  const bool has_zip64 = end >= zip_locator_bytes && text_at(file_, end - zip_locator_bytes, 4) == "PK\6\7"sv;
  ZipDirectory directory;
  if (has_zip64) {
    directory = zip64_directory(end);
  } else {
    const std::string record = text_at(file_, end, zip_end_bytes);
    const ZipFields fields(record);
    if (fields.u16(4) != 0 || fields.u16(6) != 0 || fields.u16(8) != fields.u16(10))
      fail("is one part of a ZIP archive in several parts");
    directory = {fields.u32(16), fields.u32(12), fields.u16(10), end};
  }
  if (!ends_within(directory.offset, directory.bytes, directory.end) ||
      directory.offset + directory.bytes != directory.end) {
    fail("its directory does not lie where the archive's end says (expected " +
         std::to_string(directory.bytes) + " bytes from byte " + std::to_string(directory.offset) +
         " to byte " + std::to_string(directory.end) + ")");
  }
  if (directory.bytes > largest_zip_directory) {
    fail("its directory is too large (expected at most " + std::to_string(largest_zip_directory) +
         " bytes, found " + std::to_string(directory.bytes) + ")");
  }
  return directory;
}

// The extra field holds, in this order, those numbers that did not fit.
void ZipReader::take_zip64(std::string_view extra, ZipEntry& entry) const {
  std::vector<std::uint64_t*> wanted;
  for (std::uint64_t* number : {&entry.bytes, &entry.stored_bytes, &entry.header}) {
    if (*number == in_zip64) wanted.push_back(number);
  }
  if (wanted.empty()) return;
  while (extra.size() >= 4) {
    const ZipFields fields(extra);
    const std::uint64_t bytes = fields.u16(2);
    if (bytes > extra.size() - 4) break;
    if (fields.u16(0) == 1 && bytes >= 8 * wanted.size()) {
      for (std::size_t i = 0; i < wanted.size(); ++i) *wanted[i] = fields.u64(4 + 8 * i);
      return;
    }
    extra.remove_prefix(4 + bytes);
  }
  fail(entry.name, "lacks the ZIP64 field that holds its size or its place");
}

ZipEntry ZipReader::parse_entry(const ZipFields& fields) const {
  const std::uint64_t name_bytes = fields.u16(28), extra_bytes = fields.u16(30);
  ZipEntry entry{fields.text(zip_entry_bytes, name_bytes),
                 fields.u16(8),
                 fields.u16(10),
                 fields.u32(20),
                 fields.u32(24),
                 fields.u32(42)};
  take_zip64(fields.text(zip_entry_bytes + name_bytes, extra_bytes), entry);
  return entry;
}

void ZipReader::require_stored(const ZipEntry& entry) const {
  if (entry.flags & encrypted_flags) fail(entry.name, "is encrypted");
  if (entry.method != 0 || entry.bytes != entry.stored_bytes) {
    fail(entry.name, "is compressed (expected it stored as it is, as torch.save does; found method " +
                         std::to_string(entry.method) + ")");
  }
}

std::vector<ZipEntry> ZipReader::parse_entries(std::string_view text, const ZipDirectory& directory) const {
  std::vector<ZipEntry> entries;
  while (!text.empty()) {
    const bool whole = text.size() >= zip_entry_bytes && text.starts_with("PK\1\2"sv);
    const ZipFields fields(text);
    const std::uint64_t bytes =
        whole ? zip_entry_bytes + fields.u16(28) + fields.u16(30) + fields.u16(32) : text.size() + 1;
    if (bytes > text.size()) fail("its directory is damaged at entry " + std::to_string(entries.size() + 1));
    entries.push_back(parse_entry(fields));
    text.remove_prefix(bytes);
  }
  if (entries.size() != directory.entries) {
    fail("its directory has another number of entries than its end says (expected " +
         std::to_string(directory.entries) + ", found " + std::to_string(entries.size()) + ")");
  }
  return entries;
}

// The member's own header repeats what the directory says, and has an extra field of its own length.
ZipMember ZipReader::locate(const ZipEntry& entry, const ZipDirectory& directory) const {
  const std::uint64_t fixed = zip_header_bytes + entry.name.size();
  if (!ends_within(entry.header, fixed, directory.offset)) fail(entry.name, "lies beyond the file's data");
  const std::string header = text_at(file_, entry.header, fixed);
  const ZipFields fields(header);
  if (!header.starts_with("PK\3\4"sv) || fields.u16(26) != entry.name.size() ||
      fields.text(zip_header_bytes, entry.name.size()) != entry.name) {
    fail(entry.name, "is not where the archive's directory says");
  }
  const std::uint64_t flags = fields.u16(6), size = fields.u32(22);
  const bool has_size = !(flags & sizes_follow_flag) && size != in_zip64;
  if (flags & encrypted_flags || fields.u16(8) != entry.method || (has_size && size != entry.bytes)) {
    fail(entry.name, "is described otherwise by its own header than by the archive's directory");
  }
  const std::uint64_t offset = entry.header + fixed + fields.u16(28);
  if (!ends_within(offset, entry.bytes, directory.offset)) {
    fail(entry.name, "ends beyond the file's data (expected " + std::to_string(entry.bytes) +
                         " bytes from byte " + std::to_string(offset) + ", found the directory at byte " +
                         std::to_string(directory.offset) + ")");
  }
  return {std::string(entry.name), offset, entry.bytes};
}

std::vector<ZipMember> ZipReader::members() {
  const ZipDirectory directory = find_directory();
  const std::string text = text_at(file_, directory.offset, directory.bytes);
  std::vector<ZipEntry> entries = parse_entries(text, directory);
  std::ranges::sort(entries, {}, &ZipEntry::header);
  std::set<std::string_view> names;
  for (const ZipEntry& entry : entries) {
    require_stored(entry);
    if (!names.insert(entry.name).second) fail(entry.name, "is there twice");
    file_.prefetch(entry.header, zip_header_bytes + entry.name.size());
  }
  std::vector<ZipMember> members;
  for (const ZipEntry& entry : entries) {
    if (!members.empty() && entry.header < members.back().offset + members.back().bytes)
      fail(entry.name, "overlaps " + zip_member_thing(members.back().name));
    members.push_back(locate(entry, directory));
  }
  return members;
}

}  // namespace

std::vector<ZipMember> read_zip_members(const SourceFile& archive) {
  return ZipReader(archive).members();
}

}  // namespace moescope
