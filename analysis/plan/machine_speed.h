#pragma once
/// Quick measurements of this machine, of a second at most each: what a plan's times rest on.

#include <cstddef>
#include <span>

#include "analysis/kernels/activations.h"
#include "analysis/machine/parallel.h"
#include "readers/files/source_file.h"
#include "readers/storage/dtype.h"

namespace moescope {

/// A weight matrix (rows, columns) of the stored type, times `tokens` activations.
struct ProductShape {
  std::size_t rows = 0, columns = 0, tokens = 0;
  DType weights = DType::bf16;
};

/// Operations a second (two for a multiply-add) of the forward pass's own products at this shape, with the
/// weights coming from memory, not from a cache: the median of many products. Takes about a second.
double measure_product_rate(ThreadPool& threads, const ProductShape& shape, Precision precision);

/// Elements a second, of all checkpoints together, that the weight pass can convert, sum and multiply with
/// each other when `checkpoints` of them are compared. Takes about 0.2 s.
double measure_weight_pass_rate(ThreadPool& threads, std::size_t checkpoints, DType dtype);

/// Bytes a second of positioned sequential reads from samples all over these files; 0.5 s or 1 GiB at most.
/// `cold`: what is sampled is dropped from the page cache first, so that the disk is measured; else cached
/// files read as fast as they will. NaN when the files hold nothing. Throws std::system_error.
double measure_reading_rate(std::span<const SourceFile* const> files, bool cold);

}  // namespace moescope
