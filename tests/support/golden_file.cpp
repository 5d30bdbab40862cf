#include "tests/support/golden_file.h"

#include <hdf5.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <stdexcept>

namespace moescope {
namespace {

struct DatasetHandle {
  DatasetHandle(hid_t file, const std::string& name) : id(H5Dopen2(file, name.c_str(), H5P_DEFAULT)) {
    if (id < 0) throw std::runtime_error("the golden file has no " + name);
  }
  ~DatasetHandle() { H5Dclose(id); }
  DatasetHandle(const DatasetHandle&) = delete;
  DatasetHandle& operator=(const DatasetHandle&) = delete;

  hid_t id;
};

std::vector<std::size_t> shape_of(const DatasetHandle& dataset) {
  const hid_t space = H5Dget_space(dataset.id);
  std::vector<hsize_t> sizes(static_cast<std::size_t>(std::max(0, H5Sget_simple_extent_ndims(space))));
  H5Sget_simple_extent_dims(space, sizes.data(), nullptr);
  H5Sclose(space);
  return {sizes.begin(), sizes.end()};
}

}  // namespace

GoldenFile::GoldenFile(const std::filesystem::path& path)
    : path_(path), file_(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT)) {
  if (file_ < 0) throw std::runtime_error(path.string() + ": cannot open");
}

GoldenFile::~GoldenFile() {
  H5Fclose(file_);
}

bool GoldenFile::contains(const std::string& name) const {
  return H5Lexists(file_, name.c_str(), H5P_DEFAULT) > 0;
}

std::vector<std::size_t> GoldenFile::shape(const std::string& name) const {
  return shape_of({file_, name});
}

template <class T>
std::vector<T> GoldenFile::read(const std::string& name, std::int64_t memory_type) const {
  const DatasetHandle dataset(file_, name);
  const std::vector<std::size_t> sizes = shape_of(dataset);
  std::vector<T> values(std::accumulate(sizes.begin(), sizes.end(), std::size_t{1}, std::multiplies<>()));
  if (H5Dread(dataset.id, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
    throw std::runtime_error(path_.string() + ": " + name + ": cannot read");
  return values;
}

std::vector<float> GoldenFile::floats(const std::string& name) const {
  return read<float>(name, H5T_NATIVE_FLOAT);
}

std::vector<std::int32_t> GoldenFile::integers(const std::string& name) const {
  return read<std::int32_t>(name, H5T_NATIVE_INT32);
}

}  // namespace moescope
