#include "readers/run_file/hdf5_attribute.h"

#include <vector>

#include "readers/errors.h"
#include "readers/run_file/hdf5_types.h"
#include "readers/text/utf8.h"

namespace moescope {
namespace {

constexpr std::uint64_t largest_attribute = 1 << 20;  // elements; ours have a handful

/// Replaces the attribute `name` by one of the given type and shape, holding `values`.
void put(hid_t object, const std::string& name, ElementType type, const std::vector<std::uint64_t>& shape,
         const void* values, const Hdf5Site& site) {
  if (site.check(H5Aexists(object, name.c_str()), "cannot look for the attribute") > 0) {
    site.check(H5Adelete(object, name.c_str()), "cannot replace the attribute");
  }
  const Hdf5Handle stored = stored_type(type, site);
  const Hdf5Handle space = simple_space(shape, site);
  Hdf5Handle attribute =
      site.own(H5Acreate2(object, name.c_str(), stored.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT),
               "cannot create the attribute");
  site.check(H5Awrite(attribute.id(), stored.id(), values), "cannot write the attribute");
}

std::string read_fixed_text(hid_t attribute, hid_t type, const Hdf5Site& site) {
  const std::size_t size = H5Tget_size(type);
  if (size > largest_attribute) throw FormatError(site.file, site.object, "an attribute is too large");
  std::string text(size, '\0');
  site.check(H5Aread(attribute, type, text.data()), "cannot read the attribute");
  return text.substr(0, text.find('\0'));
}

std::string read_text(hid_t attribute, hid_t type, const Hdf5Site& site) {
  if (H5Tis_variable_str(type) <= 0) return read_fixed_text(attribute, type, site);
  char* value = nullptr;
  site.check(H5Aread(attribute, type, &value), "cannot read the attribute");
  std::string text = value ? value : "";
  H5free_memory(value);
  return text;
}

template <class T>
AttributeValue read_numbers(hid_t attribute, bool scalar, std::uint64_t count, const Hdf5Site& site) {
  std::vector<T> values(count);
  const Hdf5Handle type = stored_type(element_type_of<T>(), site);
  if (count > 0) site.check(H5Aread(attribute, type.id(), values.data()), "cannot read the attribute");
  if (scalar) return values.at(0);
  return values;
}

}  // namespace

void write_attribute(hid_t object, const std::string& name, const AttributeValue& given,
                     const Hdf5Site& site) {
  AttributeValue value = given;
  if (auto* text = std::get_if<std::string>(&value)) *text = valid_utf8(*text);
  if (read_attribute(object, name, site) == value) return;  // the file's structure stays as it is
  if (const auto* text = std::get_if<std::string>(&value)) {
    const char* characters = text->c_str();
    put(object, name, ElementType::text, {}, &characters, site);
  } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    put(object, name, ElementType::i8, {}, integer, site);
  } else if (const auto* number = std::get_if<double>(&value)) {
    put(object, name, ElementType::f8, {}, number, site);
  } else if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&value)) {
    put(object, name, ElementType::i8, {integers->size()}, integers->data(), site);
  } else {
    const auto& numbers = std::get<std::vector<double>>(value);
    put(object, name, ElementType::f8, {numbers.size()}, numbers.data(), site);
  }
}

std::optional<AttributeValue> read_attribute(hid_t object, const std::string& name, const Hdf5Site& site) {
  if (site.check(H5Aexists(object, name.c_str()), "cannot look for the attribute") == 0) return std::nullopt;
  const Hdf5Handle attribute =
      site.own(H5Aopen(object, name.c_str(), H5P_DEFAULT), "cannot open the attribute");
  const Hdf5Handle type = site.own(H5Aget_type(attribute.id()), "cannot read the attribute's type");
  const Hdf5Handle space = site.own(H5Aget_space(attribute.id()), "cannot read the attribute's shape");
  const auto count = static_cast<std::uint64_t>(
      site.check(H5Sget_simple_extent_npoints(space.id()), "cannot read the attribute's shape"));
  const bool scalar = H5Sget_simple_extent_type(space.id()) == H5S_SCALAR;
  if (count > largest_attribute)
    throw FormatError(site.file, site.object, "attribute '" + name + "' is too large");
  const H5T_class_t kind = H5Tget_class(type.id());
  if (kind == H5T_STRING && count == 1) return read_text(attribute.id(), type.id(), site);
  if (kind == H5T_INTEGER) return read_numbers<std::int64_t>(attribute.id(), scalar, count, site);
  if (kind == H5T_FLOAT) return read_numbers<double>(attribute.id(), scalar, count, site);
  throw FormatError(site.file, site.object,
                    "attribute '" + name + "' has an unknown type (expected a text, integers or floats)");
}

std::string text_attribute(hid_t object, const std::string& name, const Hdf5Site& site) {
  const std::optional<AttributeValue> value = read_attribute(object, name, site);
  const auto* text = value ? std::get_if<std::string>(&*value) : nullptr;
  return text ? *text : std::string();
}

}  // namespace moescope
