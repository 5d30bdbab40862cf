#include "tests/benchmarks/large_product.h"

#include <omp.h>

#include <algorithm>
#include <cstring>

#include <dnnl.hpp>
#include <span>

#include "analysis/kernels/matrix_product.h"
#include "metrics/statistics.h"
#include "tests/benchmarks/stopwatch.h"

namespace moescope {
namespace {

/// Small numbers of varying size, as bfloat16 or float32.
std::vector<std::uint16_t> bfloat16_values(std::size_t count) {
  std::vector<std::uint16_t> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = static_cast<std::uint16_t>(0x3c00 + (i * 7919 >> 5) % 256);
  return values;
}

using Memory = dnnl::memory;

/// One matmul of oneDNN: y (tokens, rows) = x (tokens, columns) w^T.
class OneDnnProduct {
 public:
  OneDnnProduct(const ProductCase& product, Memory::data_type type)
      : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    const auto rows = static_cast<Memory::dim>(product.rows),
               columns = static_cast<Memory::dim>(product.columns),
               tokens = static_cast<Memory::dim>(product.tokens);
    x_ = Memory({{tokens, columns}, type, Memory::format_tag::ab}, engine_);
    w_ = Memory({{columns, rows}, type, Memory::dims{1, columns}}, engine_, nullptr);
    y_ = Memory({{tokens, rows}, Memory::data_type::f32, Memory::format_tag::ab}, engine_);
    matmul_ = dnnl::matmul({{x_.get_desc(), w_.get_desc(), y_.get_desc()}, engine_});
    std::memset(x_.get_data_handle(), 0x3c, x_.get_desc().get_size());
  }
  void run(const void* weights) {
    w_.set_data_handle(const_cast<void*>(weights));
    matmul_.execute(stream_, {{DNNL_ARG_SRC, x_}, {DNNL_ARG_WEIGHTS, w_}, {DNNL_ARG_DST, y_}});
    stream_.wait();
  }

 private:
  dnnl::engine engine_;
  dnnl::stream stream_;
  Memory x_, w_, y_;
  dnnl::matmul matmul_;
};

}  // namespace

double product_rate(const ProductCase& product, double seconds,
                    const std::function<void(std::size_t)>& multiply) {
  multiply(0);
  std::vector<double> rates;
  const Stopwatch all;
  for (std::size_t i = 1; rates.size() < 3 || all.seconds() < seconds; ++i) {
    const Stopwatch watch;
    multiply(i % product.matrices);
    rates.push_back(product.flops() / watch.seconds());
  }
  return median(std::move(rates));
}

std::vector<float> float_values(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = 0.01f * static_cast<float>(i % 13);
  return values;
}

double our_product_rate(ThreadPool& threads, const ProductCase& product, double seconds) {
  const std::size_t size = product.rows * product.columns;
  const std::vector<std::uint16_t> weights = bfloat16_values(product.matrices * size);
  Matrix x(product.tokens, product.columns), y(product.tokens, product.rows);
  const std::vector<float> values = float_values(x.values.size());
  std::copy(values.begin(), values.end(), x.values.begin());
  const TokenPanels panels = pack_panels(threads, x, product.precision);
  return product_rate(product, seconds, [&](std::size_t matrix) {
    const auto bytes = std::as_bytes(std::span(weights).subspan(matrix * size, size));
    multiply(threads, {DType::bf16, 0, product.rows, product.columns, bytes}, panels, store_rows(panels, y));
  });
}

double onednn_product_rate(unsigned threads, const ProductCase& product, double seconds) {
  omp_set_num_threads(static_cast<int>(threads));
  const std::size_t size = product.rows * product.columns;
  if (product.precision == Precision::bf16 && has_native_bfloat16()) {
    const std::vector<std::uint16_t> weights = bfloat16_values(product.matrices * size);
    OneDnnProduct matmul(product, Memory::data_type::bf16);
    return product_rate(product, seconds,
                        [&](std::size_t matrix) { matmul.run(weights.data() + matrix * size); });
  }
  const std::vector<float> weights = float_values(product.matrices * size);
  OneDnnProduct matmul(product, Memory::data_type::f32);
  return product_rate(product, seconds,
                      [&](std::size_t matrix) { matmul.run(weights.data() + matrix * size); });
}

}  // namespace moescope
