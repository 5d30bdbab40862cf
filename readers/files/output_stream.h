#pragma once
/// A stream into an open descriptor, whose failures are told at once and by name.

#include <array>
#include <ostream>
#include <streambuf>
#include <string>

namespace moescope {

/// Buffers what is written to a descriptor, which it does not own. What cannot be written throws
/// std::system_error "NAME: cannot write" with the errno of the failure; what was buffered then is dropped. A
/// std::ostream keeps such exceptions to itself unless told otherwise: hence require_success().
/// Destruction writes nothing: who must know calls pubsync().
class DescriptorBuffer : public std::streambuf {
 public:
  DescriptorBuffer(int descriptor, std::string name);

  /// Throws the first failure once more, if there was any.
  void require_success() const;

 protected:
  int_type overflow(int_type byte) override;
  std::streamsize xsputn(const char* text, std::streamsize size) override;
  int sync() override;

 private:
  void write(const char* text, std::size_t size);
  void write_buffer();

  int descriptor_;
  std::string name_;
  int failure_ = 0;  // errno of the first
  std::array<char, 1 << 16> buffer_;
};

/// A stream that throws what its buffer throws, instead of going on in silence.
class DescriptorStream : public std::ostream {
 public:
  DescriptorStream(int descriptor, const std::string& name);

 private:
  DescriptorBuffer buffer_;
};

}  // namespace moescope
