/// RunFile: what is in a file: dimension scales and datasets, their definition and description.

#include <hdf5_hl.h>

#include <algorithm>
#include <stdexcept>

#include "readers/errors.h"
#include "readers/run_file/hdf5_attribute.h"
#include "readers/run_file/hdf5_types.h"
#include "readers/run_file/run_file.h"
#include "readers/run_file/run_file_handle.h"

namespace moescope {
namespace {

/// By this beginning of a scale's name the netCDF readers know that a dimension has a size but no
/// coordinates.
constexpr const char* bare_dimension_label = "This is a netCDF dimension but not a netCDF variable.";
constexpr int largest_rank = 8;

haddr_t object_address(hid_t object, const Hdf5Site& site) {
  H5O_info_t info;
  site.check(H5Oget_info2(object, &info, H5O_INFO_BASIC), "cannot find the object");
  return info.addr;
}

/// The mark that makes a dataset a dimension scale (HDF5 Dimension Scale Specification).
bool has_scale_class(hid_t dataset, const Hdf5Site& site) {
  return text_attribute(dataset, "CLASS", site) == "DIMENSION_SCALE";
}

bool is_bare_dimension(hid_t dataset, const Hdf5Site& site) {
  return text_attribute(dataset, "NAME", site).starts_with(bare_dimension_label);
}

std::string bare_dimension_name(std::uint64_t size) {
  std::string digits = std::to_string(size);
  if (digits.size() < 10) digits.insert(0, 10 - digits.size(), ' ');
  return bare_dimension_label + digits;
}

void describe_in_attributes(hid_t dataset, const DatasetSpec& spec, const Hdf5Site& site) {
  write_attribute(dataset, "unit", spec.unit, site);
  write_attribute(dataset, "long_name", spec.long_name, site);
  write_attribute(dataset, "description", spec.description, site);
  write_attribute(dataset, "source", spec.source, site);
}

std::vector<std::uint64_t> extent(hid_t dataset, const Hdf5Site& site) {
  const Hdf5Handle space = site.own(H5Dget_space(dataset), "cannot read the shape");
  const int rank = site.check(H5Sget_simple_extent_ndims(space.id()), "cannot read the shape");
  if (rank > largest_rank) throw FormatError(site.file, site.object, "has too many dimensions");
  std::vector<hsize_t> sizes(static_cast<std::size_t>(rank));
  site.check(H5Sget_simple_extent_dims(space.id(), sizes.data(), nullptr), "cannot read the shape");
  return {sizes.begin(), sizes.end()};
}

/// A new dataset without values, open.
Hdf5Handle create_dataset(hid_t file, const DatasetSpec& spec, const std::vector<std::uint64_t>& shape,
                          bool reserve, const Hdf5Site& site) {
  const Hdf5Handle type =
      spec.text_bytes > 0 ? reserved_text_type(spec.text_bytes, site) : stored_type(spec.type, site);
  const Hdf5Handle space = simple_space(shape, site);
  const Hdf5Handle properties = creation_properties(spec.type, reserve, site);
  return site.own(
      H5Dcreate2(file, spec.path.c_str(), type.id(), space.id(), H5P_DEFAULT, properties.id(), H5P_DEFAULT),
      "cannot create the dataset");
}

/// The lists of references that an attribute holds; gives them back also where reading failed half-way.
struct ReferenceLists {
  Hdf5Handle type, space;
  std::vector<hvl_t> lists;

  ~ReferenceLists() {
    if (!lists.empty()) H5Dvlen_reclaim(type.id(), space.id(), H5P_DEFAULT, lists.data());
  }
};

/// Whether the attribute is what H5DSattach_scale makes: a list of object references for each dimension.
bool holds_reference_lists(hid_t attribute, hid_t space, std::size_t rank, const Hdf5Site& site) {
  const Hdf5Handle type = site.own(H5Aget_type(attribute), "cannot read the dimensions");
  if (H5Tget_class(type.id()) != H5T_VLEN || H5Sget_simple_extent_ndims(space) != 1) return false;
  const Hdf5Handle element = site.own(H5Tget_super(type.id()), "cannot read the dimensions");
  return H5Tequal(element.id(), H5T_STD_REF_OBJ) > 0 &&
         H5Sget_simple_extent_npoints(space) == static_cast<hssize_t>(rank);
}

/// The addresses of the first scale attached to each dimension of a dataset; HADDR_UNDEF where there is none.
/// HDF5's own functions for this take the attribute's type and shape on trust.
std::vector<haddr_t> attached_scales(hid_t dataset, std::size_t rank, const Hdf5Site& site) {
  constexpr const char* name = "DIMENSION_LIST";
  std::vector<haddr_t> scales(rank, HADDR_UNDEF);
  if (site.check(H5Aexists(dataset, name), "cannot read the dimensions") == 0) return scales;
  const Hdf5Handle attribute = site.own(H5Aopen(dataset, name, H5P_DEFAULT), "cannot read the dimensions");
  ReferenceLists found{site.own(H5Tvlen_create(H5T_STD_REF_OBJ), "cannot make a type"),
                       site.own(H5Aget_space(attribute.id()), "cannot read the dimensions"),
                       {}};
  if (!holds_reference_lists(attribute.id(), found.space.id(), rank, site))
    throw FormatError(site.file, site.object, "names its dimensions in a way that no run file does");
  found.lists.resize(rank);
  site.check(H5Aread(attribute.id(), found.type.id(), found.lists.data()), "cannot read the dimensions");
  for (std::size_t i = 0; i < rank; ++i) {
    if (found.lists[i].len > 0) scales[i] = *static_cast<const hobj_ref_t*>(found.lists[i].p);
  }
  return scales;
}

struct LinkList {
  std::string group;  // "" for the root
  std::vector<std::string> paths;
};

herr_t take_link(hid_t, const char* name, const H5L_info_t* info, void* data) {
  LinkList& list = *static_cast<LinkList*>(data);
  if (info->type == H5L_TYPE_HARD) list.paths.push_back(list.group + "/" + name);
  return 0;
}

}  // namespace

bool RunFile::Handle::exists(const std::string& object) const {
  if (object.size() < 2 || object.front() != '/' || object.back() == '/') return false;
  const std::string parent = parent_group(object);
  if (!parent.empty() && (!exists(parent) || is_dataset(parent))) return false;
  const Hdf5Site site = reading(object);
  return site.check(H5Lexists(file.id(), object.c_str(), H5P_DEFAULT), "cannot look for it") > 0 &&
         site.check(H5Oexists_by_name(file.id(), object.c_str(), H5P_DEFAULT), "cannot look for it") > 0;
}

hid_t RunFile::Handle::dataset(const std::string& dataset) {
  const auto found = open_datasets.find(dataset);
  if (found != open_datasets.end()) return found->second.id();
  const Hdf5Site site = reading(dataset);
  if (!exists(dataset)) throw_missing(dataset);
  const Hdf5Handle access = site.own(H5Pcreate(H5P_DATASET_ACCESS), "cannot make properties");
  site.check(H5Pset_chunk_cache(access.id(), 1009, 4 * 1024 * 1024, 0.75), "cannot set the chunk cache");
  Hdf5Handle handle = site.own(H5Dopen2(file.id(), dataset.c_str(), access.id()), "cannot open the dataset");
  return open_datasets.emplace(dataset, std::move(handle)).first->second.id();
}

ElementType RunFile::Handle::type(const std::string& name) {
  const Hdf5Site site = reading(name);
  const Hdf5Handle stored = site.own(H5Dget_type(dataset(name)), "cannot read the type");
  const std::optional<ElementType> type = parse_stored_type(stored.id());
  if (!type)
    throw FormatError(site.file, name,
                      "has an unknown element type (expected u1, u2, u4, i4, i8, f4, f8 or text)");
  return *type;
}

std::uint64_t RunFile::Handle::text_bytes(const std::string& name) {
  const Hdf5Handle stored = reading(name).own(H5Dget_type(dataset(name)), "cannot read the type");
  const bool reserved = H5Tget_class(stored.id()) == H5T_STRING && H5Tis_variable_str(stored.id()) == 0;
  return reserved ? H5Tget_size(stored.id()) : 0;
}

std::vector<std::uint64_t> RunFile::Handle::shape(const std::string& name) {
  return extent(dataset(name), reading(name));
}

void RunFile::Handle::make_groups(const std::string& object) {
  const std::string group = parent_group(object);
  if (group.empty()) return;
  if (exists(group)) {
    if (!is_dataset(group)) return;
    throw std::invalid_argument(path.string() + ": " + group + ": is a dataset, not a group");
  }
  make_groups(group);
  const Hdf5Site group_site = site(group);
  const Hdf5Handle properties = group_properties(group_site);
  group_site.own(H5Gcreate2(file.id(), group.c_str(), H5P_DEFAULT, properties.id(), H5P_DEFAULT),
                 "cannot create the group");
}

void RunFile::Handle::note_dimension(const std::string& name) {
  dimension_names[object_address(dataset("/" + name), reading("/" + name))] = name;
}

void RunFile::Handle::note_dimensions() {
  LinkList links;
  hsize_t position = 0;
  reading("").check(H5Literate(file.id(), H5_INDEX_NAME, H5_ITER_INC, &position, take_link, &links),
                    "cannot list the datasets");
  for (const std::string& link : links.paths) {
    if (is_dataset(link) && is_scale(link)) note_dimension(last_name(link));
  }
}

bool RunFile::Handle::is_scale(const std::string& name) {
  return has_scale_class(dataset(name), reading(name));
}

bool RunFile::Handle::is_dataset(const std::string& object) const {
  H5O_info_t info;
  reading(object).check(H5Oget_info_by_name2(file.id(), object.c_str(), &info, H5O_INFO_BASIC, H5P_DEFAULT),
                        "cannot find the object");
  return info.type == H5O_TYPE_DATASET;
}

/// Makes the scale found as `dimension` at the root also a member of `group`.
void RunFile::Handle::link_dimension(const std::string& dimension, const std::string& group) {
  const std::string link = group + "/" + dimension;
  if (group.empty() || exists(link)) return;
  site(link).check(
      H5Lcreate_hard(file.id(), ("/" + dimension).c_str(), file.id(), link.c_str(), H5P_DEFAULT, H5P_DEFAULT),
      "cannot link the dimension");
}

Hdf5Handle RunFile::Handle::create_scale(const DatasetSpec& spec, std::uint64_t size, const std::string& name,
                                         bool reserve) {
  const Hdf5Site here = site(spec.path);
  if (exists(spec.path)) throw std::invalid_argument(here.file + ": " + spec.path + ": is defined already");
  Hdf5Handle scale = create_dataset(file.id(), spec, {size}, reserve, here);
  here.check(H5DSset_scale(scale.id(), name.c_str()), "cannot make a dimension scale");
  dimension_names[object_address(scale.id(), here)] = last_name(spec.path);
  return scale;
}

template <class T>
void RunFile::define_labels(const DatasetSpec& spec, std::span<const T> labels) {
  const Hdf5Work work(handle_->path);
  DatasetSpec scale = spec;
  const std::string name = last_name(spec.path);
  scale.path = "/" + name;
  scale.type = element_type_of<T>();
  scale.dimensions = {name};
  const Hdf5Handle dataset =
      handle_->create_scale(scale, labels.size(), name, scale.type != ElementType::text);
  describe_in_attributes(dataset.id(), scale, handle_->site(scale.path));
  write(scale.path, labels);
}

void RunFile::define_dimension(const DatasetSpec& spec, std::span<const std::string> labels) {
  define_labels(spec, labels);
}
void RunFile::define_dimension(const DatasetSpec& spec, std::span<const std::int64_t> labels) {
  define_labels(spec, labels);
}
void RunFile::define_dimension(const DatasetSpec& spec, std::span<const double> labels) {
  define_labels(spec, labels);
}

void RunFile::define_dimension(const std::string& name, std::uint64_t size) {
  const Hdf5Work work(handle_->path);
  DatasetSpec spec;
  spec.path = "/" + name;
  spec.type = ElementType::f4;
  spec.dimensions = {name};
  // Never written: it takes no space whatever its size.
  handle_->create_scale(spec, size, bare_dimension_name(size), false);
}

void RunFile::define(const DatasetSpec& spec) {
  const Hdf5Work work(handle_->path);
  const Hdf5Site site = handle_->site(spec.path);
  if (contains(spec.path)) throw std::invalid_argument(site.file + ": " + spec.path + ": is defined already");
  if (std::ranges::count(spec.dimensions, last_name(spec.path)) > 0) {
    throw std::invalid_argument(site.file + ": " + spec.path + ": has the name of one of its dimensions");
  }
  std::vector<std::uint64_t> shape;
  for (const std::string& dimension : spec.dimensions) shape.push_back(handle_->shape("/" + dimension).at(0));
  handle_->make_groups(spec.path);
  const bool reserve = spec.type != ElementType::text || spec.text_bytes > 0;
  const Hdf5Handle dataset = create_dataset(handle_->file.id(), spec, shape, reserve, site);
  for (unsigned i = 0; i < spec.dimensions.size(); ++i) {
    const hid_t scale = handle_->dataset("/" + spec.dimensions[i]);
    site.check(H5DSattach_scale(dataset.id(), scale, i), "cannot attach a dimension");
    handle_->link_dimension(spec.dimensions[i], parent_group(spec.path));
  }
  describe_in_attributes(dataset.id(), spec, site);
}

bool RunFile::contains(const std::string& path) const {
  const Hdf5Work work(handle_->path);
  return handle_->exists(path) && handle_->is_dataset(path);
}

std::vector<std::string> RunFile::datasets(const std::string& group) const {
  const Hdf5Work work(handle_->path);
  LinkList list{group == "/" ? "" : group, {}};
  if (!list.group.empty() && (!handle_->exists(group) || handle_->is_dataset(group))) return {};
  handle_->reading(group).check(H5Lvisit_by_name(handle_->file.id(), group.c_str(), H5_INDEX_NAME,
                                                 H5_ITER_INC, take_link, &list, H5P_DEFAULT),
                                "cannot list the datasets");
  std::erase_if(list.paths, [this](const std::string& path) {
    if (!handle_->is_dataset(path)) return true;
    return is_bare_dimension(handle_->dataset(path), handle_->reading(path)) ||
           (!parent_group(path).empty() && handle_->is_scale(path));
  });
  std::sort(list.paths.begin(), list.paths.end());
  return list.paths;
}

DatasetSpec RunFile::describe(const std::string& path) const {
  const Hdf5Work work(handle_->path);
  const Hdf5Site site = handle_->reading(path);
  const hid_t dataset = handle_->dataset(path);
  DatasetSpec spec;
  spec.path = path;
  spec.type = handle_->type(path);
  spec.text_bytes = handle_->text_bytes(path);
  spec.dimensions = handle_->dimensions(path);
  spec.unit = text_attribute(dataset, "unit", site);
  spec.long_name = text_attribute(dataset, "long_name", site);
  spec.description = text_attribute(dataset, "description", site);
  spec.source = text_attribute(dataset, "source", site);
  return spec;
}

std::vector<std::string> RunFile::Handle::dimensions(const std::string& name) {
  const Hdf5Site here = reading(name);
  const std::vector<std::uint64_t> sizes = shape(name);
  if (is_scale(name)) return {last_name(name)};
  std::vector<std::string> names;
  for (const haddr_t scale : attached_scales(dataset(name), sizes.size(), here)) {
    const std::size_t i = names.size();
    const auto found = dimension_names.find(scale);
    if (found == dimension_names.end())
      throw FormatError(here.file, name, "dimension " + std::to_string(i) + " has no name");
    names.push_back(found->second);
    const std::uint64_t expected = size_of(names.back());
    if (sizes[i] == expected) continue;
    throw FormatError(here.file, name,
                      "has another size than its dimension " + names.back() + " (expected " +
                          std::to_string(expected) + ", found " + std::to_string(sizes[i]) + ")");
  }
  return names;
}

std::vector<std::uint64_t> RunFile::shape(const std::string& path) const {
  const Hdf5Work work(handle_->path);
  return handle_->shape(path);
}

}  // namespace moescope
