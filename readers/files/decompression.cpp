#include "readers/files/decompression.h"

#define ZSTD_STATIC_LINKING_ONLY  // ZSTD_getFrameHeader, which the shared library has too
#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <string_view>
#include <vector>

#include "readers/errors.h"
#include "readers/files/directory.h"
#include "readers/files/source_file.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

constexpr const char* standard_input = "/dev/stdin";

class FileStream : public ByteStream {
 public:
  explicit FileStream(const fs::path& path) : file_(path) {}

  std::size_t read(std::span<char> destination) override {
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(destination.size(), file_.size() - offset_));
    file_.read(offset_, std::as_writable_bytes(destination.first(count)));
    offset_ += count;
    return count;
  }

 private:
  SourceFile file_;
  std::uint64_t offset_ = 0;
};

/// Whatever is no regular file. Waits for the writer of a pipe.
class PipeStream : public ByteStream {
 public:
  explicit PipeStream(const fs::path& path)
      : name_(stream_name(path)),
        descriptor_(path == standard_input ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                           : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) throw_not_opened(name_);
  }
  ~PipeStream() override { ::close(descriptor_); }
  PipeStream(const PipeStream&) = delete;
  PipeStream& operator=(const PipeStream&) = delete;

  std::size_t read(std::span<char> destination) override {
    while (true) {
      const ssize_t count = ::read(descriptor_, destination.data(), destination.size());
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno != EINTR) throw_errno(name_, "cannot be read");
    }
  }

 private:
  std::string name_;
  int descriptor_;
};

/// The bytes of a file as they are, a buffer at a time.
class BufferedInput {
 public:
  explicit BufferedInput(const fs::path& path)
      : name_(stream_name(path)), stream_(open(path)), buffer_(std::size_t{1} << 17) {}

  const std::string& name() const { return name_; }

  /// Bytes that are not used up yet; empty only at the end of the file.
  std::span<const char> available() {
    if (rest_.empty()) rest_ = std::span<const char>(buffer_).first(stream_->read(buffer_));
    return rest_;
  }
  void use(std::size_t count) { rest_ = rest_.subspan(count); }

  /// The first bytes, before any is used; fewer than `count` only if there are no more.
  std::string_view start(std::size_t count) {
    std::size_t size = rest_.size();
    while (size < count) {
      const std::size_t more = stream_->read(std::span(buffer_).subspan(size));
      if (more == 0) break;
      size += more;
    }
    rest_ = std::span<const char>(buffer_).first(size);
    return std::string_view(buffer_.data(), size).substr(0, count);
  }

 private:
  static std::unique_ptr<ByteStream> open(const fs::path& path) {
    if (is_read_once(path)) return std::make_unique<PipeStream>(path);
    return std::make_unique<FileStream>(path);
  }

  std::string name_;
  std::unique_ptr<ByteStream> stream_;
  std::vector<char> buffer_;
  std::span<const char> rest_;
};

class PlainStream : public ByteStream {
 public:
  explicit PlainStream(BufferedInput input) : input_(std::move(input)) {}

  std::size_t read(std::span<char> destination) override {
    const std::span<const char> input = input_.available();
    const std::size_t count = std::min(input.size(), destination.size());
    std::copy_n(input.begin(), count, destination.begin());
    input_.use(count);
    return count;
  }

 private:
  BufferedInput input_;
};

class GzipStream : public ByteStream {
 public:
  explicit GzipStream(BufferedInput input) : input_(std::move(input)) {
    constexpr int gzip_window = 15 + 16;  // largest window, gzip header
    if (inflateInit2(&zlib_, gzip_window) != Z_OK) throw std::bad_alloc();
  }
  ~GzipStream() override { inflateEnd(&zlib_); }
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  std::size_t read(std::span<char> destination) override {
    while (true) {
      if (!inside_member_) skip_zeros();
      const std::span<const char> input = input_.available();
      if (input.empty() && !inside_member_) return 0;
      const std::size_t written = inflate_some(input, destination);
      if (written > 0) return written;
      if (input.empty() && inside_member_) throw FormatError(input_.name(), {}, "ends within its gzip data");
    }
  }

 private:
  // gzip itself takes zeros behind a member for padding.
  void skip_zeros() {
    while (!input_.available().empty()) {
      const std::span<const char> input = input_.available();
      const auto end = std::find_if(input.begin(), input.end(), [](char c) { return c != '\0'; });
      input_.use(static_cast<std::size_t>(end - input.begin()));
      if (end != input.end()) return;
    }
  }

  std::size_t inflate_some(std::span<const char> input, std::span<char> destination) {
    if (!inside_member_) inflateReset(&zlib_);
    inside_member_ = true;
    zlib_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    zlib_.avail_in = static_cast<uInt>(input.size());
    zlib_.next_out = reinterpret_cast<Bytef*>(destination.data());
    zlib_.avail_out = static_cast<uInt>(destination.size());
    const int result = inflate(&zlib_, Z_NO_FLUSH);
    if (result == Z_MEM_ERROR) throw std::bad_alloc();
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      throw FormatError(input_.name(), {},
                        std::string("is not valid gzip data: ") + (zlib_.msg ? zlib_.msg : "unknown error"));
    }
    if (result == Z_STREAM_END) inside_member_ = false;
    input_.use(input.size() - zlib_.avail_in);
    return destination.size() - zlib_.avail_out;
  }

  BufferedInput input_;
  z_stream zlib_{};
  bool inside_member_ = true;  // an empty file is no gzip file
};

// The exponent of the largest window that fits in `memory` bytes.
int greatest_window_log(std::uint64_t memory) {
  int log = ZSTD_WINDOWLOG_LIMIT_DEFAULT;
  while (log < ZSTD_WINDOWLOG_MAX && (std::uint64_t{2} << log) <= memory) ++log;
  return log;
}

class ZstdStream : public ByteStream {
 public:
  ZstdStream(BufferedInput input, std::uint64_t memory)
      : input_(std::move(input)), window_log_(greatest_window_log(memory)), zstd_(ZSTD_createDCtx()) {
    if (!zstd_) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(zstd_.get(), ZSTD_d_windowLogMax, window_log_);
  }

  std::size_t read(std::span<char> destination) override {
    while (true) {
      const std::span<const char> input = input_.available();
      if (input.empty() && !inside_frame_) return 0;
      const std::size_t written = decompress_some(input, destination);
      if (written > 0) return written;
      if (input.empty() && inside_frame_)
        throw FormatError(input_.name(), {}, "ends within its Zstandard data");
    }
  }

 private:
  struct FreeZstd {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };

  std::size_t decompress_some(std::span<const char> input, std::span<char> destination) {
    ZSTD_inBuffer source{input.data(), input.size(), 0};
    ZSTD_outBuffer sink{destination.data(), destination.size(), 0};
    const std::size_t wanted =
        ZSTD_FRAMEHEADERSIZE_MAX - std::min<std::size_t>(ZSTD_FRAMEHEADERSIZE_MAX, header_.size());
    header_.append(input.data(), std::min(wanted, input.size()));
    const std::size_t result = ZSTD_decompressStream(zstd_.get(), &sink, &source);
    if (ZSTD_isError(result)) fail(result);
    inside_frame_ = result != 0;
    if (!inside_frame_) header_.clear();
    input_.use(source.pos);
    return sink.pos;
  }

  [[noreturn]] void fail(std::size_t result) const {
    const ZSTD_ErrorCode code = ZSTD_getErrorCode(result);
    if (code == ZSTD_error_memory_allocation) throw std::bad_alloc();
    if (code == ZSTD_error_frameParameter_windowTooLarge) throw_window_error();
    throw FormatError(input_.name(), {},
                      std::string("is not valid Zstandard data: ") + ZSTD_getErrorName(result));
  }

  [[noreturn]] void throw_window_error() const {
    ZSTD_frameHeader header{};
    const bool known = ZSTD_getFrameHeader(&header, header_.data(), header_.size()) == 0;
    const auto mebibytes = [](std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; };
    throw FormatError(
        input_.name(), {},
        "needs a Zstandard window of " + (known ? mebibytes(header.windowSize) : "unknown size") +
            " (the memory budget leaves room for " + mebibytes(std::uint64_t{1} << window_log_) + ")",
        "a larger --memory reads it; so does, with a smaller window, what this makes: zstd -d --long=31 -c "
        "FILE | zstd -o NEW.zst");
  }

  BufferedInput input_;
  int window_log_;
  std::unique_ptr<ZSTD_DCtx, FreeZstd> zstd_;
  std::string header_;        // the first bytes of this frame
  bool inside_frame_ = true;  // an empty file is no Zstandard file
};

enum class Compression { none, gzip, zstd };

Compression compression_of(const fs::path& path, BufferedInput& input) {
  if (path.extension() == ".gz") return Compression::gzip;
  if (path.extension() == ".zst") return Compression::zstd;
  const std::string_view start = input.start(4);
  if (start.starts_with("\x1F\x8B")) return Compression::gzip;
  const bool skippable = start.size() == 4 && (start[0] & 0xF0) == 0x50 && start.substr(1) == "\x2A\x4D\x18";
  return skippable || start == "\x28\xB5\x2F\xFD" ? Compression::zstd : Compression::none;
}

}  // namespace

std::unique_ptr<ByteStream> open_byte_stream(const fs::path& path, std::uint64_t memory) {
  BufferedInput input(path);
  switch (compression_of(path, input)) {
    case Compression::gzip:
      return std::make_unique<GzipStream>(std::move(input));
    case Compression::zstd:
      return std::make_unique<ZstdStream>(std::move(input), memory);
    case Compression::none:
      break;
  }
  return std::make_unique<PlainStream>(std::move(input));
}

std::string stream_name(const fs::path& path) {
  return path == standard_input ? "standard input" : path.string();
}

bool is_read_once(const fs::path& path) {
  if (path == standard_input) return true;
  std::error_code ignored;
  const fs::file_type type = fs::status(path, ignored).type();
  return type == fs::file_type::fifo || type == fs::file_type::character || type == fs::file_type::socket;
}

}  // namespace moescope
