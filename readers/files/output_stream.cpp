#include "readers/files/output_stream.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "readers/errors.h"

namespace moescope {

DescriptorBuffer::DescriptorBuffer(int descriptor, std::string name)
    : descriptor_(descriptor), name_(std::move(name)) {
  setp(buffer_.data(), buffer_.data() + buffer_.size());
}

void DescriptorBuffer::require_success() const {
  if (failure_ == 0) return;
  errno = failure_;
  throw_errno(name_, "cannot write");
}

void DescriptorBuffer::write(const char* text, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(descriptor_, text, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      failure_ = failure_ == 0 ? errno : failure_;
      require_success();
    }
    text += written;
    size -= static_cast<std::size_t>(written);
  }
}

/// The buffer is empty afterwards, whether or not that worked.
void DescriptorBuffer::write_buffer() {
  const auto size = static_cast<std::size_t>(pptr() - pbase());
  setp(buffer_.data(), buffer_.data() + buffer_.size());
  write(buffer_.data(), size);
}

DescriptorBuffer::int_type DescriptorBuffer::overflow(int_type byte) {
  write_buffer();
  if (!traits_type::eq_int_type(byte, traits_type::eof())) sputc(traits_type::to_char_type(byte));
  return traits_type::not_eof(byte);
}

std::streamsize DescriptorBuffer::xsputn(const char* text, std::streamsize size) {
  if (size < epptr() - pptr()) return std::streambuf::xsputn(text, size);
  write_buffer();
  write(text, static_cast<std::size_t>(size));
  return size;
}

int DescriptorBuffer::sync() {
  write_buffer();
  return 0;
}

DescriptorStream::DescriptorStream(int descriptor, const std::string& name)
    : std::ostream(nullptr), buffer_(descriptor, name) {
  rdbuf(&buffer_);
  exceptions(std::ios::badbit);
}

}  // namespace moescope
