#include "readers/files/text_file.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "readers/errors.h"
#include "readers/text/foreign_content.h"
#include "readers/text/utf8.h"

namespace moescope {
namespace {

constexpr std::size_t greatest_line = std::size_t{1} << 30;
constexpr std::size_t buffer_bytes = std::size_t{1} << 17;
constexpr std::size_t start_bytes = 512;

void require_text(std::string_view start, const std::string& name) {
  for (const auto& foreign : {wide_text(start), lfs_pointer(start)}) {
    if (foreign) throw FormatError(name, {}, foreign->what, foreign->hint);
  }
}

}  // namespace

struct TextFile::State {
  std::string name;
  std::unique_ptr<ByteStream> stream;
  std::vector<char> buffer = std::vector<char>(buffer_bytes);
  std::string_view unread;  // part of buffer
  std::uint64_t line_number = 0;

  // Goes past a byte order mark.
  void read_start() {
    std::size_t size = 0;
    while (size < start_bytes) {
      const std::size_t more = stream->read(std::span(buffer).subspan(size));
      if (more == 0) break;
      size += more;
    }
    unread = {buffer.data(), size};
    require_text(unread.substr(0, start_bytes), name);
    if (unread.starts_with(utf8_byte_order_mark)) unread.remove_prefix(utf8_byte_order_mark.size());
  }

  // False at the end of the stream.
  bool fill() {
    if (unread.empty()) unread = {buffer.data(), stream->read(buffer)};
    return !unread.empty();
  }

  void append_to(std::string& text, std::size_t count) const {
    if (text.size() + count > greatest_line) {
      throw FormatError(name, "line " + std::to_string(line_number), "is longer than 1 GiB");
    }
    text.append(unread.substr(0, count));
  }
};

TextFile::TextFile(const std::filesystem::path& path, std::uint64_t memory)
    : state_(std::make_unique<State>()) {
  state_->name = stream_name(path);
  state_->stream = open_byte_stream(path, memory);
  state_->read_start();
}
TextFile::~TextFile() = default;
TextFile::TextFile(TextFile&&) noexcept = default;
TextFile& TextFile::operator=(TextFile&&) noexcept = default;

std::string_view TextFile::start() const {
  return state_->unread.substr(0, start_bytes);
}

bool TextFile::read_line(std::string& line) {
  line.clear();
  if (!state_->fill()) return false;
  ++state_->line_number;
  while (state_->fill()) {
    const std::size_t end = state_->unread.find('\n');
    const bool is_complete = end != std::string_view::npos;
    const std::size_t count = is_complete ? end : state_->unread.size();
    state_->append_to(line, count);
    state_->unread.remove_prefix(is_complete ? count + 1 : count);
    if (is_complete) break;
  }
  return true;
}

std::string TextFile::read_rest() {
  std::string rest;
  if (state_->fill()) ++state_->line_number;
  while (state_->fill()) {
    state_->append_to(rest, state_->unread.size());
    state_->unread = {};
  }
  return rest;
}

const std::string& TextFile::name() const {
  return state_->name;
}
std::uint64_t TextFile::line_number() const {
  return state_->line_number;
}

}  // namespace moescope
