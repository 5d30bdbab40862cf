#include "readers/decompression.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <new>
#include <string>
#include <vector>

#include "readers/errors.h"
#include "readers/source_file.h"

namespace moescope {
namespace {

class PlainStream : public ByteStream {
 public:
  explicit PlainStream(const std::filesystem::path& path) : file_(path) {}

  const std::string& name() const { return file_.name(); }

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

/// The compressed bytes, a buffer at a time.
class CompressedInput {
 public:
  explicit CompressedInput(const std::filesystem::path& path)
      : stream_(path), buffer_(std::size_t{1} << 17) {}

  const std::string& name() const { return stream_.name(); }

  /// Bytes that are not used up yet; empty only at the end of the file.
  std::span<const char> available() {
    if (rest_.empty()) rest_ = std::span<const char>(buffer_).first(stream_.read(buffer_));
    return rest_;
  }
  void use(std::size_t count) { rest_ = rest_.subspan(count); }

 private:
  PlainStream stream_;
  std::vector<char> buffer_;
  std::span<const char> rest_;
};

class GzipStream : public ByteStream {
 public:
  explicit GzipStream(const std::filesystem::path& path) : input_(path) {
    constexpr int gzip_window = 15 + 16;  // largest window, gzip header
    if (inflateInit2(&zlib_, gzip_window) != Z_OK) throw std::bad_alloc();
  }
  ~GzipStream() override { inflateEnd(&zlib_); }
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  std::size_t read(std::span<char> destination) override {
    while (true) {
      const std::span<const char> input = input_.available();
      if (input.empty() && !inside_member_) return 0;
      const std::size_t written = inflate_some(input, destination);
      if (written > 0) return written;
      if (input.empty() && inside_member_) throw FormatError(input_.name(), {}, "ends within its gzip data");
    }
  }

 private:
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

  CompressedInput input_;
  z_stream zlib_{};
  bool inside_member_ = true;  // an empty file is no gzip file
};

class ZstdStream : public ByteStream {
 public:
  explicit ZstdStream(const std::filesystem::path& path) : input_(path), zstd_(ZSTD_createDCtx()) {
    if (!zstd_) throw std::bad_alloc();
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
    const std::size_t result = ZSTD_decompressStream(zstd_.get(), &sink, &source);
    if (ZSTD_isError(result)) {
      throw FormatError(input_.name(), {},
                        std::string("is not valid Zstandard data: ") + ZSTD_getErrorName(result));
    }
    inside_frame_ = result != 0;
    input_.use(source.pos);
    return sink.pos;
  }

  CompressedInput input_;
  std::unique_ptr<ZSTD_DCtx, FreeZstd> zstd_;
  bool inside_frame_ = true;  // an empty file is no Zstandard file
};

}  // namespace

std::unique_ptr<ByteStream> open_byte_stream(const std::filesystem::path& path) {
  if (path.extension() == ".gz") return std::make_unique<GzipStream>(path);
  if (path.extension() == ".zst") return std::make_unique<ZstdStream>(path);
  return std::make_unique<PlainStream>(path);
}

}  // namespace moescope
