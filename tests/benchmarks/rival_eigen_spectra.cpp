#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <Eigen/SVD>
#include <algorithm>

#include "tests/benchmarks/rival_spectra.h"

namespace moescope {
namespace {

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::VectorXd of_gram(const Eigen::Ref<const RowMajor>& wide) {
  Eigen::MatrixXd gram = Eigen::MatrixXd::Zero(wide.rows(), wide.rows()), panel;
  for (Eigen::Index start = 0; start < wide.cols(); start += 256) {
    panel = wide.middleCols(start, std::min<Eigen::Index>(256, wide.cols() - start)).cast<double>();
    gram.selfadjointView<Eigen::Lower>().rankUpdate(panel);
  }
  const double scale = gram.diagonal().maxCoeff();
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram / scale, Eigen::EigenvaluesOnly);
  return (solver.eigenvalues() * scale).cwiseMax(0).cwiseSqrt().reverse();
}

Eigen::VectorXd direct(const Eigen::Ref<const RowMajor>& wide) {
  Eigen::MatrixXd tall = wide.transpose().cast<double>();
  const Eigen::HouseholderQR<Eigen::Ref<Eigen::MatrixXd>> qr(tall);
  const Eigen::MatrixXd triangle = tall.topRows(tall.cols()).triangularView<Eigen::Upper>();
  return Eigen::BDCSVD<Eigen::MatrixXd>(triangle).singularValues();
}

}  // namespace

std::vector<double> eigen_singular_values(const WeightMatrix& matrix) {
  const Eigen::Map<const RowMajor> wide(matrix.values.data(), static_cast<Eigen::Index>(matrix.rows),
                                        static_cast<Eigen::Index>(matrix.columns));
  const Eigen::VectorXd values = matrix.rows > direct_decomposition_limit ? of_gram(wide) : direct(wide);
  return {values.begin(), values.end()};
}

}  // namespace moescope
