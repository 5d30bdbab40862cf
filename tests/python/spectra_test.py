"""Spectra and experts' places against plain numpy, through the run file of a whole analysis."""
import json
import shutil

import h5py
import numpy as np

import analysis_run
from analysis_run import QUICK, TINY, analyze, differing_datasets, evaluation_sequences, moescope, tiny_series, write_corpus
from checkpoint_maker import write_checkpoint
from reference_model import read_weights

OF_STEPS = ("delta_spectral_norm", "delta_stable_rank", "delta_effective_rank", "subspace_overlap")


def is_added_to_the_residual_stream(name):
    return name.endswith(("o_proj.weight", "down_proj.weight"))


def ranks(sigma):
    """Spectral norm, stable rank, effective rank, participation ratio."""
    q = sigma[sigma > 0] / sigma.sum()
    return sigma[0], (sigma ** 2).sum() / sigma[0] ** 2, np.exp(-(q * np.log(q)).sum()), \
        (sigma ** 2).sum() ** 2 / (sigma ** 4).sum()


def power_law(sigma):
    """alpha, KS distance, x_min, length: WeightWatcher's algorithm, one x_min after another."""
    eigenvalues = np.sort(sigma ** 2)
    eigenvalues = eigenvalues[eigenvalues > 1e-5]
    best = (np.nan, np.inf, np.nan, np.nan)
    for i, x_min in enumerate(eigenvalues[:-1]):
        tail = eigenvalues[i:]
        alpha = 1 + len(tail) / np.log(tail / x_min).sum()
        distance = np.abs(1 - (tail / x_min) ** (1 - alpha) - np.arange(len(tail)) / len(tail)).max()
        if distance < best[1]:
            best = alpha, distance, x_min, len(tail)
    return best


def overlap(before, after, name):
    """Of the 8 leading directions in the residual stream."""
    def basis(matrix):
        left, _, right = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
        return left[:, :8] if is_added_to_the_residual_stream(name) else right[:8].T
    return (np.matmul(basis(before).T, basis(after)) ** 2).sum() / 8


class SpectraTest(analysis_run.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.series = tiny_series()[-3:] if QUICK else tiny_series()[:3] + tiny_series()[-2:]
        cls.path = analyze(cls.directory / "run.h5", cls.series, "--only", "weights", "--spectra", "all")
        cls.stored = [read_weights(directory) for directory in cls.series]

    def test_every_matrix_of_the_demo_series_agrees_with_numpy(self):
        with h5py.File(self.path) as run:
            weights = {name: data[()] for name, data in run["weights"].items() if isinstance(data, h5py.Dataset)}
            names = list(run["tensor"].asstr())
        for index, name in enumerate(names):
            versions = [stored[name] for stored in self.stored]
            if versions[0].ndim == 1:
                self.assertTrue(np.isnan(weights["spectral_norm"][:, index]).all())
                continue
            for c, matrix in enumerate(versions):
                self.check_checkpoint({key: table[c] for key, table in weights.items() if table.shape[:1] == (len(versions),)},
                                      index, matrix.astype(np.float64), name)
            for step, (before, after) in enumerate(zip(versions, versions[1:])):
                self.check_step({key: weights[key][step, index] for key in OF_STEPS}, before, after, name)

    def check_checkpoint(self, weights, index, matrix, name):
        def close(keys, expected, rtol=1e-9):
            actual = [weights[key][index] for key in keys]
            np.testing.assert_allclose(actual, expected, rtol=rtol, err_msg=f"{name}: {keys}")

        sigma = np.linalg.svd(matrix, compute_uv=False)
        close(("spectral_norm", "stable_rank", "effective_rank", "participation_ratio"), ranks(sigma))
        alpha, distance, x_min, length = power_law(sigma)
        close(("power_law_alpha", "power_law_ks_distance", "power_law_x_min", "power_law_tail_length"),
              (alpha, distance, x_min, length), rtol=1e-7)
        close(("power_law_alpha_weighted",), (alpha * np.log10(sigma[0] ** 2),), rtol=1e-7)
        m, n = np.sqrt(matrix.shape)
        close(("marchenko_pastur_edge",), (matrix.std() * (m + n),))
        a, b = np.sqrt(np.array(matrix.shape) - 0.5)
        threshold = matrix.std() * np.sqrt((a + b) ** 2 + 2.0234 * (a + b) * np.cbrt(1 / a + 1 / b))
        close(("spike_count",), ((sigma > threshold).sum(),))

    def check_step(self, actual, before, after, name):
        delta = after.astype(np.float64) - before.astype(np.float64)
        expected = [*ranks(np.linalg.svd(delta, compute_uv=False))[:3], overlap(before, after, name)]
        np.testing.assert_allclose([actual[key] for key in OF_STEPS], expected, rtol=1e-6, err_msg=name)

    def test_threads_and_memory_change_no_byte(self):
        for options in (("--threads", 1), ("--threads", 3, "--memory", "100MiB")):
            other = analyze(self.directory / f"{len(options)}.h5", self.series, "--only", "weights", "--spectra", "all", *options)
            self.assertEqual(differing_datasets(self.path, other), [])

    def test_the_sample_has_the_values_of_all_and_nan_elsewhere(self):
        sample = analyze(self.directory / "sample.h5", self.series, "--only", "weights")
        with h5py.File(self.path) as everything, h5py.File(sample) as some:
            names = some["tensor"].asstr()[()]
            self.assertTrue(some["weights/stable_rank"].attrs["selection"].startswith("sample: 287 of 319 tensors"))
            for key in ("stable_rank", *OF_STEPS):
                chosen, whole = some["weights"][key][()], everything["weights"][key][()]
                left_out = np.isnan(chosen).all(axis=0) & ~np.isnan(whole).all(axis=0)
                self.assertEqual(set(names[left_out]), {"model.embed_tokens.weight", "lm_head.weight"})
                np.testing.assert_array_equal(chosen[:, ~left_out], whole[:, ~left_out])

    def test_none_leaves_them_out_and_differs_in_nothing_else(self):
        none = analyze(self.directory / "none.h5", self.series, "--only", "weights", "--spectra", "none")
        with h5py.File(none) as run:
            self.assertNotIn("stable_rank", run["weights"])
        differing = {path.rsplit("/")[-1] for path in differing_datasets(self.path, none)}
        self.assertIn("stable_rank", differing)
        self.assertEqual(differing & {"norm", "inner_product", "router_row_norm", "expert_match"}, set())

    def test_routers_agree_with_numpy(self):
        with h5py.File(self.path) as run:
            layers = list(run["moe_layer"])
            for c, stored in enumerate(self.stored):
                for position, layer in enumerate(layers):
                    prefix = f"model.layers.{layer}.mlp.gate."
                    rows = stored[prefix + "weight"].astype(np.float64)
                    norm = np.linalg.norm(rows, axis=1)
                    np.testing.assert_allclose(run["weights/router_row_norm"][c, position], norm, rtol=1e-12)
                    cosine = rows @ rows.T / np.outer(norm, norm)
                    np.testing.assert_allclose(run["weights/router_row_cosine"][c, position], cosine, atol=1e-6)
                    np.testing.assert_array_equal(run["weights/score_correction_bias"][c, position],
                                                  stored[prefix + "e_score_correction_bias"])


class PermutedExpertsTest(analysis_run.TestCase):
    """A checkpoint whose experts were exported in another order: the same model, to whom expert 3 is another expert."""

    LAYERS = (2, 4)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.before, cls.after = TINY / "tiny-dots1-05T", TINY / "tiny-dots1-06T"
        cls.place = {layer: np.random.default_rng(layer).permutation(16) for layer in cls.LAYERS}
        cls.permuted = cls.directory / "06T-permuted"
        tensors = read_weights(cls.after)
        write_checkpoint(cls.permuted, json.loads((cls.after / "config.json").read_text()),
                         {name: values.astype(np.float64) for name, values in cls.permute(tensors).items()})
        tokenizer = cls.after / "tokenizer.json"
        if tokenizer.exists():
            shutil.copy(tokenizer, cls.permuted)
        cls.corpus = write_corpus(cls.directory / "corpus", evaluation_sequences()[0][:4])

    @classmethod
    def permute(cls, tensors):
        """Expert e of a layer goes to place[e]."""
        moved = dict(tensors)
        for layer, place in cls.place.items():
            prefix = f"model.layers.{layer}.mlp."
            for name in ("gate.weight", "gate.e_score_correction_bias"):
                moved[prefix + name] = tensors[prefix + name][np.argsort(place)]
            for expert in range(16):
                for part in ("gate", "up", "down"):
                    moved[f"{prefix}experts.{place[expert]}.{part}_proj.weight"] = \
                        tensors[f"{prefix}experts.{expert}.{part}_proj.weight"]
        return moved

    def run_pair(self, name, series, *options):
        done = moescope("analyze", *series, *options, "-o", self.directory / name)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.directory / name, done.stderr

    def test_they_are_found_exactly_and_told(self):
        path, said = self.run_pair("permuted.h5", [self.before, self.permuted], "--only", "weights", "--spectra", "none")
        self.assertIn("experts changed places between tiny-dots1-05T and 06T-permuted: layer 2 (", said)
        self.assertIn("), layer 4 (", said)
        self.assertRegex(said, r"layer 2 \(\d+ of 16, cosine of router rows 0\.\d\d, of weights 0\.\d\d\)")
        self.assertNotIn("agree", said.replace("agreement", ""))
        self.assertNotIn("layer 3", said)
        with h5py.File(path) as run:
            for position, layer in enumerate(run["moe_layer"]):
                expected = self.place.get(layer, np.arange(16))
                np.testing.assert_array_equal(run["weights/expert_match"][0, position], expected)
                np.testing.assert_array_equal(run["weights/expert_weight_match"][0, position], expected)
                self.assert_cosines(run, position, layer)

    def assert_cosines(self, run, position, layer):
        """Of weights and their matches, against those of the whole matrices: a sketched cosine x of a third of an expert
        has a standard error of (1 - x²) / sqrt(1024), and expert matrices are two blocks, which only lessens it."""
        before, after = read_weights(self.before), read_weights(self.after)
        for expert in range(16):
            cosines = []
            for part in ("gate", "up", "down"):
                a, b = (w[f"model.layers.{layer}.mlp.experts.{expert}.{part}_proj.weight"].astype(np.float64).ravel()
                        for w in (before, after))
                cosines.append(a @ b / np.sqrt((a @ a) * (b @ b)))
            found = run["weights/expert_weight_match_cosine"][0, position, expert]
            error = np.sqrt(sum((1 - x ** 2) ** 2 for x in cosines) / 1024) / 3
            self.assertLess(abs(found - np.mean(cosines)), 5 * error)

    def test_the_forward_pass_shows_the_same_model_and_other_experts(self):
        path, said = self.run_pair("forward.h5", [self.after, self.permuted], *self.corpus, "--precision", "f32")
        self.assertIn("router saturation", said)
        with h5py.File(path) as run:
            loss = run["loss/nll"][()]
            np.testing.assert_allclose(loss[0], loss[1], atol=1e-4)  # sums in another order, and nothing else
            counts, saturation = run["routing/expert_count"][()], run["metrics/router_saturation"][0]
            for position, layer in enumerate(run["moe_layer"]):
                if layer not in self.place:
                    self.assertGreater(saturation[position], 0.995)
                    continue
                self.assertLess(saturation[position], 0.6)
                moved = counts[1][:, position, self.place[layer]]
                self.assertLessEqual(np.abs(moved - counts[0][:, position]).max(), 2)

    def test_a_series_as_it_was_trained_gives_no_warning(self):
        for name, series in (("two.h5", [self.before, self.after]), ("all.h5", tiny_series())):
            _, said = self.run_pair(name, series, "--only", "weights", "--spectra", "none")
            self.assertEqual(said, "")


if __name__ == "__main__":
    analysis_run.main()
