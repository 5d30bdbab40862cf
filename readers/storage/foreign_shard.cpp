#include "readers/storage/foreign_shard.h"

#include <algorithm>
#include <span>
#include <string>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "readers/text/foreign_content.h"
#include "readers/text/strict_json.h"

namespace moescope {

void refuse_foreign_shard(const SourceFile& shard) {
  std::string begin(std::min(shard.size(), foreign_content_bytes), '\0');
  shard.read(0, std::as_writable_bytes(std::span(begin)));
  refuse_foreign_content(begin, shard.size(), shard.name());
  const auto is_text = [](unsigned char c) {
    return (c >= ' ' && c < 0x7F) || c == '\n' || c == '\r' || c == '\t';
  };
  if (std::ranges::all_of(begin, is_text))
    throw FormatError(shard.name(), {}, "is text, not weights (it begins " + excerpt(begin) + ")");
}

}  // namespace moescope
