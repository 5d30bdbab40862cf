"""The program against what the reference implementation computed (data/golden, data/variants)."""
import json

import h5py
import numpy as np

import analysis_run
from analysis_run import DATA, QUICK, TINY, analyze, evaluation_sequences, tiny_series, write_corpus
from forward_comparison import compare_forward, from_golden, from_passes
from reference_model import ReferenceModel

VARIANTS = ["base", "a_groups", "b_gqa", "g_sliding", "k_fused"]
GOLDEN_CHECKPOINTS = ["tiny-dots1-00T", "tiny-dots1-05T", "tiny-dots1-11.2T"]
SUMMARY = json.loads((DATA / "golden/series_summary.json").read_text())
SAVE_ALL = ["--save", "router_logits,hidden_states,logits"]


class ReferenceModelTest(analysis_run.TestCase):
    """The measure is measured first: float64 against the reference implementation's float32."""

    def agrees(self, directory, golden_file, rows):
        with h5py.File(golden_file) as golden:
            expected = from_golden(golden, rows)
            model = ReferenceModel(directory)
            actual = from_passes([model.forward(golden["ids"][row]) for row in rows])
        self.assertTrue((actual.chosen == expected.chosen).all())
        for name in ("router_logits", "weights", "margin", "nll"):
            np.testing.assert_allclose(getattr(actual, name), getattr(expected, name), rtol=0, atol=4e-5, err_msg=name)
        length = expected.lengths[0]
        shown = expected.rows[expected.rows < len(rows) * length]
        np.testing.assert_allclose(actual.hidden[:, shown], expected.hidden, rtol=0, atol=4e-5)
        np.testing.assert_allclose(actual.logits[shown], expected.logits, rtol=0, atol=4e-5)

    def test_agrees_with_every_variant(self):
        for name in VARIANTS:
            with self.subTest(name):
                self.agrees(DATA / "variants" / name, DATA / "variants" / name / "golden.h5", [0, 1])

    def test_agrees_with_one_sequence_a_domain_of_the_trained_models(self):
        for name in GOLDEN_CHECKPOINTS[2:] if QUICK else GOLDEN_CHECKPOINTS:
            with self.subTest(name):
                self.agrees(TINY / name, DATA / f"golden/{name}.h5", [0, 4, 8, 12])


class GoldenForwardTest(analysis_run.TestCase):
    def test_trained_models_agree_with_their_goldens(self):
        sequences, rows = evaluation_sequences()
        names = GOLDEN_CHECKPOINTS[2:] if QUICK else GOLDEN_CHECKPOINTS
        path = analyze(self.directory / "trained.h5", [TINY / name for name in names],
                       *write_corpus(self.directory / "trained", sequences), "--only", "forward", "--precision", "f32", *SAVE_ALL)
        with h5py.File(path) as run:
            self.assertEqual(list(run["domain"].asstr()), SUMMARY["domains"])
            for checkpoint, name in enumerate(names):
                with self.subTest(name), h5py.File(DATA / f"golden/{name}.h5") as golden:
                    same_choices = compare_forward(self, run, checkpoint, from_golden(golden, rows), name)
                    load = np.stack([golden[f"load_{layer}"] for layer in run["moe_layer"]], axis=1)  # [D, L, E]
                    np.testing.assert_allclose(run["metrics/expert_load"][checkpoint], load, rtol=0,
                                               atol=1e-5 if same_choices else 2e-3)
                    np.testing.assert_allclose(run["metrics/loss"][checkpoint], golden["nll_domain"], rtol=0, atol=1e-5)
                    np.testing.assert_allclose(run["metrics/loss_pooled"][checkpoint], golden["mean_nll"][0], rtol=0, atol=1e-5)

    def test_variants_agree_with_their_goldens(self):
        for name in VARIANTS:
            with self.subTest(name), h5py.File(DATA / "variants" / name / "golden.h5") as golden:
                path = analyze(self.directory / f"{name}.h5", [DATA / "variants" / name],
                               "--corpus", DATA / "variants" / name / "ids.npy",
                               "--only", "forward", "--precision", "f32", *SAVE_ALL)
                with h5py.File(path) as run:
                    compare_forward(self, run, 0, from_golden(golden, np.arange(len(golden["ids"]))), name)

    def test_fused_experts_give_the_same_bytes_as_experts_stored_one_by_one(self):
        runs = [analyze(self.directory / f"both_{name}.h5", [DATA / "variants" / name],
                        "--corpus", DATA / "variants/base/ids.npy", *SAVE_ALL) for name in ("base", "k_fused")]
        self.assertIn("/weights/norm", analysis_run.datasets(runs[0]))
        self.assertEqual(analysis_run.differing_datasets(*runs, ignore=analysis_run.WHERE_IT_CAME_FROM), [])


class GoldenSeriesTest(analysis_run.TestCase):
    def test_losses_and_loads_of_the_whole_series(self):
        series = tiny_series()[-3:] if QUICK else tiny_series()
        sequences, _ = evaluation_sequences()
        path = analyze(self.directory / "series.h5", series, *write_corpus(self.directory / "series", sequences),
                       "--only", "forward", "--precision", "f32")
        with h5py.File(path) as run:
            self.assertEqual(list(run["checkpoint"].asstr()), [directory.name for directory in series])
            for checkpoint, name in enumerate(run["checkpoint"].asstr()):
                with self.subTest(name):
                    expected = SUMMARY["checkpoints"][name]
                    layers = [str(layer) for layer in run["moe_layer"]]
                    np.testing.assert_allclose(run["metrics/loss_pooled"][checkpoint], expected["mean_nll"], rtol=0, atol=1e-4)
                    np.testing.assert_allclose(run["metrics/loss"][checkpoint], expected["nll_domain"], rtol=0, atol=1e-4)
                    load = np.stack([expected["load"][layer] for layer in layers], axis=1)
                    np.testing.assert_allclose(run["metrics/expert_load"][checkpoint], load, rtol=0, atol=1e-6)
                    maxvio = [expected["maxvio"][layer] for layer in layers]
                    np.testing.assert_allclose(run["metrics/max_violation_pooled"][checkpoint], maxvio, rtol=0, atol=1e-6)


if __name__ == "__main__":
    analysis_run.main()
