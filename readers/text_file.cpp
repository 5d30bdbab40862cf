#include "readers/text_file.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "readers/decompression.h"
#include "readers/errors.h"

namespace moescope {
namespace {

constexpr std::size_t greatest_line = std::size_t{1} << 30;
constexpr std::size_t buffer_bytes = std::size_t{1} << 17;

}  // namespace

struct TextFile::State {
  std::string name;
  std::unique_ptr<ByteStream> stream;
  std::vector<char> buffer = std::vector<char>(buffer_bytes);
  std::string_view unread;  // part of buffer
  std::uint64_t line_number = 0;

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

TextFile::TextFile(const std::filesystem::path& path) : state_(std::make_unique<State>()) {
  state_->name = path.string();
  state_->stream = open_byte_stream(path);
}
TextFile::~TextFile() = default;
TextFile::TextFile(TextFile&&) noexcept = default;
TextFile& TextFile::operator=(TextFile&&) noexcept = default;

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
