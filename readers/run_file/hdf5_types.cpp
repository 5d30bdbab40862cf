#include "readers/run_file/hdf5_types.h"

#include <limits>

namespace moescope {
namespace {

hid_t predefined_type(ElementType type) {
  switch (type) {
    case ElementType::u1:
      return H5T_STD_U8LE;
    case ElementType::u2:
      return H5T_STD_U16LE;
    case ElementType::u4:
      return H5T_STD_U32LE;
    case ElementType::i4:
      return H5T_STD_I32LE;
    case ElementType::i8:
      return H5T_STD_I64LE;
    case ElementType::f4:
      return H5T_IEEE_F32LE;
    case ElementType::f8:
      return H5T_IEEE_F64LE;
    case ElementType::text:
      return H5T_C_S1;
  }
  return H5I_INVALID_HID;
}

bool is_float(ElementType type) {
  return type == ElementType::f4 || type == ElementType::f8;
}
bool is_signed(ElementType type) {
  return type == ElementType::i4 || type == ElementType::i8;
}

std::optional<ElementType> integer_type(std::size_t bytes, bool with_sign) {
  for (ElementType type :
       {ElementType::u1, ElementType::u2, ElementType::u4, ElementType::i4, ElementType::i8}) {
    if (element_bytes(type) == bytes && is_signed(type) == with_sign) return type;
  }
  return std::nullopt;
}

}  // namespace

Hdf5Handle stored_type(ElementType type, const Hdf5Site& site) {
  Hdf5Handle copy = site.own(H5Tcopy(predefined_type(type)), "cannot make a type");
  if (type == ElementType::text) {
    site.check(H5Tset_size(copy.id(), H5T_VARIABLE), "cannot make a text type");
    site.check(H5Tset_cset(copy.id(), H5T_CSET_UTF8), "cannot make a text type");
  }
  return copy;
}

Hdf5Handle reserved_text_type(std::uint64_t bytes, const Hdf5Site& site) {
  Hdf5Handle copy = site.own(H5Tcopy(H5T_C_S1), "cannot make a type");
  site.check(H5Tset_size(copy.id(), bytes), "cannot make a text type");
  site.check(H5Tset_strpad(copy.id(), H5T_STR_NULLPAD), "cannot make a text type");
  site.check(H5Tset_cset(copy.id(), H5T_CSET_UTF8), "cannot make a text type");
  return copy;
}

std::optional<ElementType> parse_stored_type(hid_t type) {
  const std::size_t bytes = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return integer_type(bytes, H5Tget_sign(type) == H5T_SGN_2);
    case H5T_FLOAT:
      if (bytes == 4) return ElementType::f4;
      if (bytes == 8) return ElementType::f8;
      return std::nullopt;
    case H5T_STRING:
      return ElementType::text;
    default:
      return std::nullopt;
  }
}

const char* element_type_name(ElementType type) {
  constexpr const char* names[] = {"u1", "u2", "u4", "i4", "i8", "f4", "f8", "text"};
  return names[static_cast<std::size_t>(type)];
}

std::size_t element_bytes(ElementType type) {
  constexpr std::size_t bytes[] = {1, 2, 4, 4, 8, 4, 8, 16};
  return bytes[static_cast<std::size_t>(type)];
}

bool converts(ElementType from, ElementType to) {
  if (from == to) return true;
  if (from == ElementType::text || to == ElementType::text) return false;
  if (is_float(to)) return true;
  if (is_float(from) || (is_signed(from) && !is_signed(to))) return false;
  return element_bytes(from) < element_bytes(to);
}

namespace {

void set_fill_value(hid_t properties, ElementType type, const Hdf5Site& site) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  if (is_float(type))
    site.check(H5Pset_fill_value(properties, H5T_NATIVE_DOUBLE, &nan), "cannot set the fill value");
}

/// All space is taken and filled when a dataset is defined, so that writing values changes nothing but
/// values. Texts lie elsewhere, and a bare dimension never takes any space.
void set_layout(hid_t properties, bool reserve, const Hdf5Site& site) {
  site.check(H5Pset_alloc_time(properties, reserve ? H5D_ALLOC_TIME_EARLY : H5D_ALLOC_TIME_LATE),
             "cannot set the layout");
  if (reserve) site.check(H5Pset_fill_time(properties, H5D_FILL_TIME_ALLOC), "cannot set the layout");
}

}  // namespace

Hdf5Handle creation_properties(ElementType type, bool reserve, const Hdf5Site& site) {
  Hdf5Handle properties = site.own(H5Pcreate(H5P_DATASET_CREATE), "cannot make properties");
  set_object_properties(properties.id(), false, site);
  set_fill_value(properties.id(), type, site);
  set_layout(properties.id(), reserve, site);
  return properties;
}

Hdf5Handle group_properties(const Hdf5Site& site) {
  Hdf5Handle properties = site.own(H5Pcreate(H5P_GROUP_CREATE), "cannot make properties");
  set_object_properties(properties.id(), true, site);
  return properties;
}

void set_object_properties(hid_t properties, bool group, const Hdf5Site& site) {
  constexpr unsigned most_in_header = 65535;
  site.check(H5Pset_obj_track_times(properties, false), "cannot switch off time stamps");
  site.check(H5Pset_attr_phase_change(properties, most_in_header, 0), "cannot set the storage of attributes");
  if (!group) return;
  site.check(H5Pset_link_phase_change(properties, most_in_header, 0), "cannot set the storage of links");
}

Hdf5Handle simple_space(const std::vector<std::uint64_t>& shape, const Hdf5Site& site) {
  if (shape.empty()) return site.own(H5Screate(H5S_SCALAR), "cannot make a dataspace");
  const std::vector<hsize_t> dims(shape.begin(), shape.end());
  return site.own(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr),
                  "cannot make a dataspace");
}

}  // namespace moescope
