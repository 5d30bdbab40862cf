"""The weight pass against plain float64 numpy: every statistic, every tensor, every pair of checkpoints."""
import h5py
import numpy as np

import analysis_run
from analysis_run import QUICK, analyze, tiny_series
from checkpoint_maker import SMALL, random_tensors, write_checkpoint
from reference_model import read_weights


def inner_products(vectors):
    """vectors [C, n] float64: <W_i, W_j>, <D_i, D_j> of the successive differences, norm(W_j - W_i)/norm(W_i), cosines."""
    inner, delta = vectors @ vectors.T, np.diff(vectors, axis=0)
    norm = np.sqrt((vectors ** 2).sum(axis=1))
    distance = np.array([np.sqrt(((vectors - w) ** 2).sum(axis=1)) for w in vectors])  # [i, j]
    with np.errstate(invalid="ignore", divide="ignore"):
        drift = np.where(norm[:, None] > 0, distance / norm[:, None], np.nan)
        return inner, delta @ delta.T, drift, inner / np.outer(norm, norm)


class WeightPassTestCase(analysis_run.TestCase):
    def check(self, series, drift_tolerance=0.0):
        path = analyze(self.directory / f"{self.id()}.h5", series, "--only", "weights")
        stored = [read_weights(directory) for directory in series]
        with h5py.File(path) as run:
            names = list(run["tensor"].asstr())
            self.assertEqual(sorted(names), sorted(stored[0]))
            self.assertFalse(run["weights/nonfinite_count"][()].any())
            for index, name in enumerate(names):
                vectors = np.stack([weights[name].astype(np.float64).reshape(-1) for weights in stored])
                self.check_tensor(run["weights"], index, name, vectors, drift_tolerance)

    def check_tensor(self, weights, index, name, vectors, drift_tolerance):
        def close(actual, expected, rtol=0.0, atol=0.0):
            np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol, err_msg=name)

        inner, delta, drift, cosine = inner_products(vectors)
        close(weights["norm"][:, index], np.sqrt(np.diag(inner)), rtol=1e-12)
        close(weights["mean"][:, index], vectors.mean(axis=1), atol=1e-14)
        close(weights["std"][:, index], vectors.std(axis=1), rtol=1e-12)
        close(weights["max_abs"][:, index], np.abs(vectors).max(axis=1))
        close(weights["relative_drift"][:, :, index], drift, rtol=1e-10, atol=drift_tolerance)
        close(weights["cosine"][:, :, index], cosine, atol=1e-12)
        # A product of nearly orthogonal vectors is only as exact as its factors are long.
        close(weights["inner_product"][index], inner, atol=1e-12 * np.diag(inner).max())
        close(weights["delta_inner_product"][index], delta, atol=1e-12 * np.diag(delta).max())
        self.assertEqual(weights["element_count"][index], vectors.shape[1])


class DemoSeriesTest(WeightPassTestCase):
    def test_weights_of_the_demo_series_agree_for_every_pair_of_checkpoints(self):
        self.check(tiny_series()[-3:] if QUICK else tiny_series())


class SyntheticSeriesTest(WeightPassTestCase):
    """What the steps of a real series are too tame to show."""

    def setUp(self):
        self.random = np.random.default_rng(7)
        self.first = random_tensors(SMALL, self.random, 0.1)

    def moved(self, tensors, relative):
        return {name: values * (1 + relative * self.random.normal(size=values.shape)) for name, values in tensors.items()}

    def series(self, *versions, dtypes=("F32", "F32", "F32")):
        directories = [self.directory / self.id() / str(number) for number in range(len(versions))]
        for directory, tensors, dtype in zip(directories, versions, dtypes):
            write_checkpoint(directory, SMALL, tensors, dtype)
        return directories

    def test_steps_near_the_last_bit_of_float32_are_measured_exactly(self):
        self.check(self.series(self.first, self.moved(self.first, 1e-6), self.moved(self.first, 1e-7)))

    def test_a_series_that_comes_back_to_where_it_was_has_no_drift(self):
        self.check(self.series(self.first, self.moved(self.first, 0.5), self.first))

    def test_a_series_that_nearly_comes_back_is_measured_to_1e_8_of_its_way(self):
        """Distances follow from the products of the steps: a way there and back cancels to about sqrt(2^-53)."""
        self.check(self.series(self.first, self.moved(self.first, 0.5), self.moved(self.first, 1e-6)), drift_tolerance=1e-8)

    def test_checkpoints_stored_in_different_types_are_compared_by_value(self):
        self.check(self.series(self.first, self.first, self.first, dtypes=("F32", "BF16", "F16")))


if __name__ == "__main__":
    analysis_run.main()
