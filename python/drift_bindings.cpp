#include "python/drift_bindings.h"

#include <pybind11/stl.h>

#include <algorithm>

#include "analysis/kernels/inner_products.h"
#include "analysis/weights/weight_block.h"
#include "metrics/weights/trajectory_pca.h"
#include "metrics/weights/weight_drift.h"
#include "metrics/weights/weight_path.h"
#include "python/array_metric.h"

namespace moescope {
namespace {

using py::arg;

/// Adds the products of all rows and of their successive differences, block by block.
void add_products(const std::vector<std::span<const float>>& rows, InnerProductSum& inner,
                  InnerProductSum& delta) {
  constexpr std::size_t length = weight_block_elements;
  const std::size_t size = rows.front().size();
  Aligned<float> block(rows.size() * length);
  std::vector<BlockRow> sources(rows.size());
  BlockRoom room(rows.size());
  for (std::size_t begin = 0; begin < size; begin += length) {
    const std::size_t count = std::min(length, size - begin);
    std::ranges::fill(block, 0.0f);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      sources[i].is_bfloat16 = false;
      std::ranges::copy(rows[i].subspan(begin, count), &block[i * length]);
    }
    BlockSums sums;
    sums.products = inner.lanes().data();
    sums.step_products = delta.lanes().data();
    add_block({sources, nullptr, block.data()}, {}, sums, room);
    inner.end_run();
    delta.end_run();
  }
}

py::array_t<double> square(const std::vector<double>& values, std::size_t size) {
  const auto side = static_cast<py::ssize_t>(size);
  return py::array_t<double>(Shape{side, side}, values.data());
}

py::tuple inner_products(const std::vector<Floats>& weights) {
  require(!weights.empty(), "expected the weights of at least one checkpoint");
  std::vector<std::span<const float>> rows;
  for (const Floats& weight : weights) {
    require(weight.size() == weights.front().size(), "expected weights of the same size");
    rows.push_back(values_of(weight));
  }
  InnerProductSum inner(rows.size()), delta(rows.size() - 1);
  {
    const py::gil_scoped_release release;
    add_products(rows, inner, delta);
  }
  return py::make_tuple(square(inner.matrix(), rows.size()), square(delta.matrix(), rows.size() - 1));
}

/// What a result is by.
enum class Axes { checkpoints, checkpoint_pairs, steps, step_pairs };

Shape result_shape(Shape leading, Axes axes, std::size_t checkpoints, std::size_t steps) {
  const bool of_steps = axes == Axes::steps || axes == Axes::step_pairs;
  const auto size = static_cast<py::ssize_t>(of_steps ? steps : checkpoints);
  leading.push_back(size);
  if (axes == Axes::checkpoint_pairs || axes == Axes::step_pairs) leading.push_back(size);
  return leading;
}

/// The products of one weight after the other: inner (..., C, C), delta (..., C-1, C-1).
class ProductRows {
 public:
  ProductRows(const Doubles& inner, const Doubles& delta)
      : leading(leading_shape(inner, 2)),
        checkpoints(static_cast<std::size_t>(inner.shape(inner.ndim() - 1))),
        inner_(values_of(inner)),
        delta_(values_of(delta)) {
    const std::size_t count = elements(leading), steps = checkpoints > 0 ? checkpoints - 1 : 0;
    require(inner_.size() == count * checkpoints * checkpoints && leading_shape(delta, 2) == leading &&
                delta_.size() == count * steps * steps,
            "expected inner products (..., C, C) and those of differences (..., C-1, C-1)");
  }

  WeightInnerProducts at(std::size_t row) const {
    WeightInnerProducts products = WeightInnerProducts::zero(checkpoints);
    const std::size_t steps = products.steps();
    std::ranges::copy(inner_.subspan(row * checkpoints * checkpoints, checkpoints * checkpoints),
                      products.inner_product.begin());
    std::ranges::copy(delta_.subspan(row * steps * steps, steps * steps),
                      products.delta_inner_product.begin());
    return products;
  }

  Shape leading;
  std::size_t checkpoints;

 private:
  std::span<const double> inner_, delta_;
};

py::array_t<double> drift_metric(const Doubles& inner, const Doubles& delta, Axes axes,
                                 std::vector<double> (*metric)(const WeightInnerProducts&)) {
  const ProductRows rows(inner, delta);
  const std::size_t steps = rows.checkpoints > 0 ? rows.checkpoints - 1 : 0;
  py::array_t<double> result(result_shape(rows.leading, axes, rows.checkpoints, steps));
  double* out = result.mutable_data();
  const py::gil_scoped_release release;
  for (std::size_t row = 0; row < elements(rows.leading); ++row)
    out = std::ranges::copy(metric(rows.at(row)), out).out;
  return result;
}

py::dict trajectory(const Doubles& inner, const Doubles& delta) {
  require(inner.ndim() == 2, "expected the products of one weight, (C, C)");
  const ProductRows rows(inner, delta);
  const TrajectoryPca pca = trajectory_pca(rows.at(0));
  const auto components = static_cast<py::ssize_t>(pca.components);
  py::dict dict;
  dict["eigenvalues"] = py::array_t<double>(components, pca.eigenvalues.data());
  dict["shares"] = py::array_t<double>(components, pca.shares.data());
  dict["coordinates"] = py::array_t<double>(Shape{static_cast<py::ssize_t>(rows.checkpoints), components},
                                            pca.coordinates.data());
  return dict;
}

}  // namespace

void bind_drift(py::module_& module) {
  module.def("inner_products", inner_products, arg("weights"),
             "one weight at C checkpoints, as float32 -> <W_i, W_j> (C, C) and <D_i, D_j> (C-1, C-1), D_i = "
             "W_(i+1) - W_i\n"
             "\n"
             "The differences are formed before rounding. All measures of drift follow from these two; in a "
             "run file they\n"
             "are weights/inner_product and weights/delta_inner_product.");
  const auto define = [&](const char* name, Axes axes,
                          std::vector<double> (*metric)(const WeightInnerProducts&), const char* result) {
    const std::string text = std::string("(..., C, C), (..., C-1, C-1) -> ") + result;
    module.def(
        name,
        [metric, axes](const Doubles& inner, const Doubles& delta) {
          return drift_metric(inner, delta, axes, metric);
        },
        arg("inner_product"), arg("delta_inner_product"), text.c_str());
  };
  define("weight_norms", Axes::checkpoints, weight_norms, "norm(W_i) (..., C)");
  define("distances", Axes::checkpoint_pairs, distances, "norm(W_j - W_i) (..., C, C)");
  define("relative_drift", Axes::checkpoint_pairs, relative_drift,
         "norm(W_j - W_i) / norm(W_i) (..., C, C) [i, j]");
  define("weight_cosine", Axes::checkpoint_pairs, weight_cosine, "cos(W_i, W_j) (..., C, C)");
  define("update_norms", Axes::steps, update_norms, "norm(D_i) (..., C-1)");
  define("update_direction", Axes::step_pairs, update_direction, "cos(D_i, D_j) (..., C-1, C-1)");
  define("path_length", Axes::checkpoints, path_length, "length of the path up to each checkpoint (..., C)");
  define("displacement", Axes::checkpoints, displacement, "norm(W_c - W_0) (..., C)");
  define("tortuosity", Axes::checkpoints, tortuosity,
         "path length over displacement (..., C): 1 is a straight line");
  module.def("trajectory_pca", trajectory, arg("inner_product"), arg("delta_inner_product"),
             "(C, C), (C-1, C-1) -> dict: eigenvalues (C-1), shares (C-1), coordinates (C, C-1) of the "
             "principal components");
}

}  // namespace moescope
