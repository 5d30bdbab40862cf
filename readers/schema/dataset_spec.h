#pragma once
/// What a dataset of a run file is.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace moescope {

enum class ElementType : std::uint8_t { u1, u2, u4, i4, i8, f4, f8, text };

/// What a dataset is. `dimensions` name dimension scales that were defined before; each is attached, and
/// hard-linked into the dataset's group, so that xarray finds named dimensions and coordinates there.
struct DatasetSpec {
  std::string path;  // absolute, e.g. "/routing/topk_index"; groups are made as needed
  ElementType type = ElementType::f8;
  std::vector<std::string> dimensions;  // e.g. {"checkpoint", "moe_layer", "token", "rank"}
  std::string unit;                     // "1" for a pure number, "nat", "byte" …
  std::string long_name;
  std::string description;
  std::string source;  // paper and equation, or how it was obtained
  /// Of texts: 0, any length, to be written when they are defined; else so many bytes are reserved for each,
  /// and like numbers they may be written at any time.
  std::uint64_t text_bytes = 0;
};

/// A box in a dataset: `count[i]` elements from `start[i]` along dimension i.
struct Slab {
  std::vector<std::uint64_t> start, count;
};

using AttributeValue =
    std::variant<std::string, std::int64_t, double, std::vector<std::int64_t>, std::vector<double>>;

}  // namespace moescope
