/// RunFile: reading and writing values.

#include <algorithm>
#include <stdexcept>

#include "readers/errors.h"
#include "readers/run_file/hdf5_types.h"
#include "readers/run_file/run_file.h"
#include "readers/run_file/run_file_handle.h"
#include "readers/text/utf8.h"

namespace moescope {
namespace {

/// A damaged file must not make us ask for any amount of memory; larger datasets are read slab by slab.
constexpr std::uint64_t largest_read_bytes = std::uint64_t{1} << 36;

Slab whole(const std::vector<std::uint64_t>& shape) {
  return {std::vector<std::uint64_t>(shape.size(), 0), shape};
}

/// Number of elements of `slab`, which must lie within `shape`.
std::uint64_t slab_size(const Slab& slab, const std::vector<std::uint64_t>& shape, const Hdf5Site& site) {
  bool inside = slab.start.size() == shape.size() && slab.count.size() == shape.size();
  std::uint64_t size = 1;
  for (std::size_t i = 0; inside && i < shape.size(); ++i) {
    inside = slab.start[i] <= shape[i] && slab.count[i] <= shape[i] - slab.start[i] &&
             !__builtin_mul_overflow(size, slab.count[i], &size);
  }
  if (!inside) throw FormatError(site.file, site.object, "does not have the elements that are asked for");
  return size;
}

/// The file's side of a transfer: `slab` selected in the dataset's space.
Hdf5Handle select(hid_t dataset, const Slab& slab, const Hdf5Site& site) {
  Hdf5Handle space = site.own(H5Dget_space(dataset), "cannot read the shape");
  if (slab.start.empty()) return space;
  const std::vector<hsize_t> start(slab.start.begin(), slab.start.end());
  const std::vector<hsize_t> count(slab.count.begin(), slab.count.end());
  site.check(H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr),
             "cannot select the slab");
  return space;
}

void check_conversion(ElementType from, ElementType to, const char* action, const Hdf5Site& site) {
  if (converts(from, to)) return;
  throw FormatError(site.file, site.object,
                    std::string(action) + " (expected " + element_type_name(to) + ", found " +
                        element_type_name(from) + ")");
}

/// Texts as HDF5 hands them out; gives them back also where reading failed half-way.
struct TextReferences {
  const Hdf5Handle& type;
  const Hdf5Handle& memory;
  std::vector<char*> pointers;

  ~TextReferences() { H5Dvlen_reclaim(type.id(), memory.id(), H5P_DEFAULT, pointers.data()); }
};

std::vector<std::string> read_texts(hid_t dataset, const Hdf5Handle& memory, const Hdf5Handle& file,
                                    std::size_t size, const Hdf5Site& site) {
  const Hdf5Handle type = site.own(H5Dget_type(dataset), "cannot read the type");
  TextReferences texts{type, memory, std::vector<char*>(size, nullptr)};
  site.check(H5Dread(dataset, type.id(), memory.id(), file.id(), H5P_DEFAULT, texts.pointers.data()),
             "cannot read");
  std::vector<std::string> copies;
  copies.reserve(size);
  for (const char* text : texts.pointers) copies.emplace_back(text ? text : "");
  return copies;
}

/// Names of files may be any bytes; other programs read no run file with text that is not UTF-8.
std::vector<std::string> valid_texts(std::span<const std::string> texts) {
  std::vector<std::string> valid;
  for (const std::string& text : texts) valid.push_back(valid_utf8(text));
  return valid;
}

/// HDF5 takes the texts as pointers to characters ending in NUL.
std::vector<const char*> text_references(std::span<const std::string> texts, const Hdf5Site& site) {
  std::vector<const char*> references;
  references.reserve(texts.size());
  for (const std::string& text : texts) {
    if (text.find('\0') != std::string::npos) {
      throw FormatError(site.file, site.object,
                        "a text holds a NUL character, which a run file cannot store");
    }
    references.push_back(text.c_str());
  }
  return references;
}

/// Texts for which `bytes` each are reserved, as they lie in the file.
std::vector<char> reserved_texts(std::span<const std::string> texts, std::uint64_t bytes,
                                 const Hdf5Site& site) {
  std::vector<char> stored(texts.size() * bytes);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].size() > bytes) {
      throw std::out_of_range(site.file + ": " + site.object + ": a text has " +
                              std::to_string(texts[i].size()) + " bytes, where " + std::to_string(bytes) +
                              " are reserved");
    }
    std::ranges::copy(texts[i], stored.begin() + static_cast<std::ptrdiff_t>(i * bytes));
  }
  return stored;
}

std::vector<std::string> read_reserved_texts(hid_t dataset, const Hdf5Handle& memory, const Hdf5Handle& file,
                                             std::size_t size, std::uint64_t bytes, const Hdf5Site& site) {
  if (size > largest_read_bytes / bytes)
    throw FormatError(site.file, site.object, "is too large to be read at once");
  const Hdf5Handle type = reserved_text_type(bytes, site);
  std::vector<char> stored(size * bytes);
  site.check(H5Dread(dataset, type.id(), memory.id(), file.id(), H5P_DEFAULT, stored.data()), "cannot read");
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < size; ++i) {
    const std::string_view text(stored.data() + i * bytes, bytes);
    texts.emplace_back(text.substr(0, text.find('\0')));
  }
  return texts;
}

}  // namespace

template <class T>
void RunFile::write(const std::string& path, std::span<const T> values) {
  write(path, whole(shape(path)), values);
}

template <class T>
void RunFile::write(const std::string& path, const Slab& slab, std::span<const T> values) {
  const Hdf5Work work(handle_->path);
  const Hdf5Site site = handle_->site(path);
  const hid_t dataset = handle_->dataset(path);
  const std::uint64_t size = slab_size(slab, handle_->shape(path), site);
  if (size != values.size()) {
    throw std::out_of_range(site.file + ": " + path + ": expected " + std::to_string(size) +
                            " values, found " + std::to_string(values.size()));
  }
  check_conversion(element_type_of<T>(), handle_->type(path), "cannot write values of another type", site);
  if (size == 0) return;
  const Hdf5Handle memory = simple_space({size}, site), file = select(dataset, slab, site);
  const Hdf5Handle type = stored_type(element_type_of<T>(), site);
  if constexpr (std::is_same_v<T, std::string>) {
    const std::vector<std::string> texts = valid_texts(values);
    const std::vector<const char*> references = text_references(texts, site);
    const std::uint64_t reserved = handle_->text_bytes(path);
    if (reserved > 0) {
      const std::vector<char> stored = reserved_texts(texts, reserved, site);
      const Hdf5Handle fixed = reserved_text_type(reserved, site);
      site.check(H5Dwrite(dataset, fixed.id(), memory.id(), file.id(), H5P_DEFAULT, stored.data()),
                 "cannot write");
      return;
    }
    site.check(H5Dwrite(dataset, type.id(), memory.id(), file.id(), H5P_DEFAULT, references.data()),
               "cannot write");
  } else {
    site.check(H5Dwrite(dataset, type.id(), memory.id(), file.id(), H5P_DEFAULT, values.data()),
               "cannot write");
  }
}

template <class T>
std::vector<T> RunFile::read(const std::string& path) const {
  return read<T>(path, whole(shape(path)));
}

template <class T>
std::vector<T> RunFile::read(const std::string& path, const Slab& slab) const {
  const Hdf5Work work(handle_->path);
  const Hdf5Site site = handle_->reading(path);
  const hid_t dataset = handle_->dataset(path);
  const std::uint64_t size = slab_size(slab, handle_->shape(path), site);
  check_conversion(handle_->type(path), element_type_of<T>(), "cannot be read as that type", site);
  if (size > largest_read_bytes / sizeof(T))
    throw FormatError(site.file, path, "is too large to be read at once");
  if (size == 0) return {};
  const Hdf5Handle memory = simple_space({size}, site), file = select(dataset, slab, site);
  if constexpr (std::is_same_v<T, std::string>) {
    const std::uint64_t reserved = handle_->text_bytes(path);
    if (reserved > 0) return read_reserved_texts(dataset, memory, file, size, reserved, site);
    return read_texts(dataset, memory, file, size, site);
  } else {
    const Hdf5Handle type = stored_type(element_type_of<T>(), site);
    std::vector<T> values(size);
    site.check(H5Dread(dataset, type.id(), memory.id(), file.id(), H5P_DEFAULT, values.data()),
               "cannot read");
    return values;
  }
}

#define MOESCOPE_INSTANTIATE(T)                                                         \
  template void RunFile::write<T>(const std::string&, std::span<const T>);              \
  template void RunFile::write<T>(const std::string&, const Slab&, std::span<const T>); \
  template std::vector<T> RunFile::read<T>(const std::string&) const;                   \
  template std::vector<T> RunFile::read<T>(const std::string&, const Slab&) const;
MOESCOPE_INSTANTIATE(std::uint8_t)
MOESCOPE_INSTANTIATE(std::uint16_t)
MOESCOPE_INSTANTIATE(std::uint32_t)
MOESCOPE_INSTANTIATE(std::int32_t)
MOESCOPE_INSTANTIATE(std::int64_t)
MOESCOPE_INSTANTIATE(float)
MOESCOPE_INSTANTIATE(double)
MOESCOPE_INSTANTIATE(std::string)
#undef MOESCOPE_INSTANTIATE

}  // namespace moescope
