#pragma once
/// Checkpoints of gpt-oss whose experts are some 180,000 elements large, stored row by row or transposed.

#include <cstdint>
#include <filesystem>
#include <span>

#include "readers/model/family.h"
#include "readers/storage/dtype.h"

namespace moescope {

/// The weights of a seed, E = 2, experts [640, 288] and [288, 320]: fused as [E, out, in], or transposed as
/// [E, in, out].
void write_large_experts(const std::filesystem::path& directory, std::uint64_t seed, DType dtype,
                         bool transposed);

/// The families that moescope knows, but none stores matrices transposed.
std::span<const Family> upright_families();

}  // namespace moescope
