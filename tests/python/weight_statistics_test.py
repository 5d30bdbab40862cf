"""What the weight pass says of single tensors, their bits and their sketches, against plain numpy.

Everything here starts from the bytes of the safetensors files: BF16 elements are bit patterns, widened by hand.
Where values are called exact, they are compared with ==; all others are sums, whose rounding is explained with them.
"""
import math
import re

import h5py
import numpy as np

import analysis_run
from analysis_run import QUICK, analyze, tiny_series
from metrics_test import recorded_roles
from reference_model import read_stored, widen

BLOCK = 1024  # elements; also the numbers of a sketch
WORD = (1 << 64) - 1
PROBABILITIES = [0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999]


def places(patterns):
    """Bit patterns in the order of their values: +0 and -0 are 0, and neighbours are one apart."""
    magnitude = (patterns & 0x7FFF).astype(np.int64)
    return np.where(patterns >> 15, -magnitude, magnitude)


def bin_holds(begin, steps):
    """Whether the bin that begins at `begin` holds these step counts: one by one below 16, then by octaves."""
    size = abs(begin)
    same_sign = np.sign(steps) == np.sign(begin)
    return same_sign & (np.abs(steps) >= size) & (np.abs(steps) < (2 * size if size >= 16 else size + 1))


def quantile(ordered, probability):
    """Type 7 of Hyndman and Fan 1996."""
    position = (len(ordered) - 1) * probability
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def random_word(key, counter):
    """splitmix64 (Steele, Lea and Flood 2014)."""
    word = (key + (counter + 1) * 0x9E3779B97F4A7C15) & WORD
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & WORD
    return word ^ (word >> 31)


def sketch_key(name):
    """FNV-1a of the name, with that of expert 0 for all experts of a layer; then mixed with the seed 1."""
    key = 0xCBF29CE484222325
    for letter in re.sub(r"\.experts\.\d+\.", ".experts.0.", name).encode():
        key = ((key ^ letter) * 0x100000001B3) & WORD
    return random_word(key, 1)


def signs_and_places(name, count):
    """Of every element: its sign, and where in the sketch it is added (metrics/weights/weight_sketch.h)."""
    key, signs, to = sketch_key(name), [], []
    for block in range(-(-count // BLOCK)):
        words = [random_word(key, 17 * block + i) for i in range(17)]
        bits = np.unpackbits(np.array(words[:16], "<u8").view(np.uint8), bitorder="little")
        signs.append(1.0 - 2.0 * bits)
        to.append((np.arange(BLOCK) + (words[16] >> 54)) % BLOCK)
    return np.concatenate(signs)[:count], np.concatenate(to)[:count]


class WeightStatisticsTest(analysis_run.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.series = tiny_series()[:1] + tiny_series()[-2:] if QUICK else tiny_series()
        path = analyze(cls.directory / "run.h5", cls.series, "--only", "weights", "--spectra", "none")
        with h5py.File(path) as run:
            cls.weights = {name: data[()] for name, data in run["weights"].items()}
            cls.names, cls.roles = list(run["tensor"].asstr()), list(run["role"].asstr())
            cls.exact, cls.sketched, cls.error = (run["metrics"][f"role_{name}"][()] for name in
                                                  ("relative_drift", "sketched_drift", "sketched_drift_error"))
            cls.step_bins, cls.probabilities = run["step_bin"][()], run["probability"][()]
        cls.stored = []  # per checkpoint: name -> (dtype, elements)
        for directory in cls.series:
            tensors = {}
            for shard in directory.glob("*.safetensors"):
                tensors.update({name: (dtype, array.reshape(-1)) for name, (dtype, array) in read_stored(shard).items()})
            cls.stored.append(tensors)

    def values(self, checkpoint, name):
        return widen(*self.stored[checkpoint][name]).astype(np.float64)

    def each(self):
        """(checkpoint, index, name, dtype, elements as stored, float64 values)"""
        for c, tensors in enumerate(self.stored):
            for index, name in enumerate(self.names):
                yield c, index, name, *tensors[name], self.values(c, name)

    def test_moments_agree_with_plain_float64(self):
        """Sums of n rounded terms in float64 are off by less than n units of 2^-53 of the sum of magnitudes: 7e-12 for the
        65,536 elements at most here, and far less for numpy's pairwise sums; 1e-12 leaves no digit to luck. The mean may
        cancel, so both of its sides are correctly rounded (fsum)."""
        with np.errstate(invalid="ignore"):
            for c, index, name, _, _, values in self.each():
                centred = values - math.fsum(values) / len(values)
                variance = (centred ** 2).mean()
                expected = {"norm": np.sqrt((values ** 2).sum()), "rms": np.sqrt((values ** 2).mean()),
                            "mean": math.fsum(values) / len(values), "std": np.sqrt(variance),
                            "kurtosis": (centred ** 4).mean() / variance ** 2}
                for key, value in expected.items():
                    np.testing.assert_allclose(self.weights[key][c, index], value, rtol=1e-12, err_msg=f"{key} of {name}")

    def test_extremes_and_counts_are_exact(self):
        for c, index, name, dtype, _, values in self.each():
            least_normal = 2.0 ** -126  # of BF16 and of F32
            magnitudes = np.abs(values)
            expected = {"min": values.min(), "max": values.max(), "max_abs": magnitudes.max(),
                        "zero_count": (values == 0).sum(), "nonfinite_count": (~np.isfinite(values)).sum(),
                        "denormal_count": ((values != 0) & (magnitudes < least_normal)).sum()}
            self.assertEqual({key: self.weights[key][c, index] for key in expected}, expected, name)
            self.assertEqual(self.weights["element_count"][index], len(values))

    def test_quantiles_of_magnitudes_are_exact(self):
        self.assertEqual(list(self.probabilities), PROBABILITIES)
        for c, index, name, dtype, _, values in self.each():
            ordered = np.sort(np.abs(values))
            expected = [quantile(ordered, p) if dtype == "BF16" else np.nan for p in PROBABILITIES]
            np.testing.assert_array_equal(self.weights["magnitude_quantile"][c, index], expected, name)

    def test_the_histogram_of_magnitudes_is_exact_for_every_role(self):
        expected = np.zeros((len(self.series), len(self.roles), 32768), np.int64)
        for c, _, name, dtype, elements, _ in self.each():
            if dtype == "BF16":
                counted = np.bincount(elements & 0x7FFF, minlength=32768)
                for role in recorded_roles(name):
                    expected[c, self.roles.index(role)] += counted
        np.testing.assert_array_equal(self.weights["magnitude_histogram"], expected)

    def test_the_histogram_of_steps_is_exact(self):
        for step, (before, after) in enumerate(zip(self.stored, self.stored[1:])):
            for index, name in enumerate(self.names):
                (dtype, earlier), (_, later) = before[name], after[name]
                found = self.weights["step_histogram"][step, index]
                if dtype != "BF16":
                    self.assertFalse(found.any(), name)
                    self.assertTrue(np.isnan(self.weights["fraction_changed"][step, index]), name)
                    continue
                steps = places(later) - places(earlier)
                np.testing.assert_array_equal(found, [bin_holds(begin, steps).sum() for begin in self.step_bins], name)
                self.assertEqual(found.sum(), len(steps))
                self.assertEqual(self.weights["fraction_changed"][step, index], (steps != 0).mean())

    def test_sketches_follow_from_their_definition(self):
        """An element of a sketch is a sum of at most 64 float32 terms, one per block, rounded 64 times and once more when it
        is stored: each time by at most 2^-24 of the magnitudes that have been added."""
        for index, name in enumerate(self.names):
            signs, to = signs_and_places(name, int(self.weights["element_count"][index]))
            rounding = (len(to) / BLOCK + 2) * 2.0 ** -24
            for c in range(len(self.series)):
                values = self.values(c, name)
                expected = np.bincount(to, signs * values, BLOCK)
                added = np.bincount(to, np.abs(values), BLOCK)
                wrong = np.abs(self.weights["sketch"][c, index] - expected) > rounding * added
                self.assertFalse(wrong.any(), f"{name}, checkpoint {c}")

    def test_distances_follow_from_sketches_within_their_error(self):
        """The stated standard error of a squared distance is sqrt(2/m) of it; 5 of them are passed by one normal number in
        two million, and here are 25,000 distances. Tensors of one block are as exact as float32: differences of their
        sketches are rounded once for each version."""
        checked = 0
        for index, name in enumerate(self.names):
            versions = np.stack([self.values(c, name) for c in range(len(self.series))])
            sketches = self.weights["sketch"][:, index].astype(np.float64)
            for earlier, earlier_sketch in zip(versions, sketches):
                exact = ((versions - earlier) ** 2).sum(axis=1)
                estimated = ((sketches - earlier_sketch) ** 2).sum(axis=1)
                error = 5 * np.sqrt(2 / BLOCK) if versions.shape[1] > BLOCK else 1e-12
                self.assertLessEqual((np.abs(estimated - exact) - error * exact).max(), 0, name)
                checked += len(exact)
        self.assertEqual(checked, len(self.names) * len(self.series) ** 2)

    def test_drifts_of_roles_follow_from_sketches_within_their_error(self):
        """Here are 1,500 drifts. Roles of small tensors are exact but for the rounding of sketches, about 3e-7 of a norm."""
        np.testing.assert_array_less(np.abs(self.sketched - self.exact), 5 * self.error + 1e-6)
        roles = [self.roles.index(role) for role in ("routed_expert", "attention", "embedding", "whole_model")]
        relative = (self.error / self.exact)[0, 1:][:, roles]
        self.assertTrue(((0.001 < relative) & (relative <= np.sqrt(1 / (2 * BLOCK)) * 1.1)).all())


if __name__ == "__main__":
    analysis_run.main()
