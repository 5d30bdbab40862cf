#include "metrics/spectra/singular_values.h"

#include <Eigen/QR>
#include <Eigen/SVD>
#include <algorithm>
#include <cassert>
#include <limits>

#include "metrics/spectra/decomposition.h"

namespace moescope {
namespace {

std::vector<double> unknown(std::size_t count) {
  return std::vector<double>(count, std::numeric_limits<double>::quiet_NaN());
}

std::vector<double> direct_singular_values(const WeightMatrix& matrix) {
  const auto weights = as_matrix(matrix);
  const bool wide = weights.rows() < weights.cols();
  const Eigen::MatrixXd tall =
      wide ? Eigen::MatrixXd(weights.transpose().cast<double>()) : weights.cast<double>();
  const Eigen::HouseholderQR<Eigen::MatrixXd> qr(tall);
  const Eigen::MatrixXd triangle = qr.matrixQR().topRows(tall.cols()).triangularView<Eigen::Upper>();
  const Eigen::VectorXd values = Eigen::BDCSVD<Eigen::MatrixXd>(triangle).singularValues();
  return {values.begin(), values.end()};
}

}  // namespace

std::vector<double> gram_matrix(const WeightMatrix& matrix) {
  const auto weights = as_matrix(matrix);
  const bool wide = weights.rows() <= weights.cols();
  const Eigen::Index size = std::min(weights.rows(), weights.cols());
  const Eigen::Index length = std::max(weights.rows(), weights.cols());
  std::vector<double> result(static_cast<std::size_t>(size * size));
  Eigen::Map<Eigen::MatrixXd> gram(result.data(), size, size);
  Eigen::MatrixXd panel;  // (size, at most panel_width)
  for (Eigen::Index start = 0; start < length; start += panel_width) {
    const Eigen::Index width = std::min(panel_width, length - start);
    if (wide) {
      panel = weights.middleCols(start, width).cast<double>();
    } else {
      panel = weights.middleRows(start, width).transpose().cast<double>();
    }
    gram.selfadjointView<Eigen::Lower>().rankUpdate(panel);
  }
  gram.triangularView<Eigen::StrictlyUpper>() = gram.transpose();
  return result;
}

void add_column_gram(const WeightMatrix& rows, std::span<double> gram) {
  const auto weights = as_matrix(rows);
  assert(gram.size() == rows.columns * rows.columns);
  Eigen::Map<Eigen::MatrixXd> sum(gram.data(), weights.cols(), weights.cols());
  Eigen::MatrixXd panel;  // (columns, at most panel_width)
  for (Eigen::Index start = 0; start < weights.rows(); start += panel_width) {
    const Eigen::Index width = std::min(panel_width, weights.rows() - start);
    panel = weights.middleRows(start, width).transpose().cast<double>();
    sum.selfadjointView<Eigen::Lower>().rankUpdate(panel);
  }
  sum.triangularView<Eigen::StrictlyUpper>() = sum.transpose();
}

std::vector<double> singular_values_of_gram(std::span<const double> gram, std::size_t size) {
  if (size == 0) return {};
  const auto length = static_cast<Eigen::Index>(gram.size());
  if (!Eigen::Map<const Eigen::VectorXd>(gram.data(), length).allFinite()) return unknown(size);
  return descending_roots(decompose_symmetric(gram, size).eigenvalues);
}

std::vector<double> singular_values(const WeightMatrix& matrix) {
  const std::size_t size = std::min(matrix.rows, matrix.columns);
  if (size == 0) return {};
  if (!as_matrix(matrix).allFinite()) return unknown(size);
  if (size <= direct_decomposition_limit) return direct_singular_values(matrix);
  return singular_values_of_gram(gram_matrix(matrix), size);
}

}  // namespace moescope
