"""The Python module against the program, and against plain numpy.

usage: module_test.py BINARY RUN_FILE [unittest options], with the module in PYTHONPATH; the run is one of the demo series
"""
import gc
import json
import mmap
import pathlib
import signal
import sys
import threading
import unittest

import numpy as np
import xarray

RUN = pathlib.Path(sys.argv.pop(2))

import analysis_run
import gguf_maker
from analysis_run import DATA, TINY, TestCase, moescope as program
from checkpoint_maker import make_checkpoint

import moescope

BEFORE, AFTER = TINY / "tiny-dots1-05T", TINY / "tiny-dots1-11.2T"


def stored_arrays(directory):
    """Every tensor by name, read the plain way: (dtype as the file spells it, bytes)."""
    found = {}
    for shard in sorted(directory.glob("*.safetensors")):
        data = shard.read_bytes()
        begin = 8 + int.from_bytes(data[:8], "little")
        for name, entry in json.loads(data[8:begin]).items():
            if name != "__metadata__":
                first, last = entry["data_offsets"]
                found[name] = (entry["dtype"], tuple(entry["shape"]), data[begin + first:begin + last])
    return found


class CheckpointTest(TestCase):
    def test_arrays_are_the_bytes_of_the_files(self):
        for dtype, numpy_type in (("BF16", np.uint16), ("F16", np.float16), ("F32", np.float32)):
            directory = self.directory / dtype
            make_checkpoint(directory, seed=1, dtype=dtype, shards=3)  # its data lies unaligned
            checkpoint, expected = moescope.Checkpoint(directory), stored_arrays(directory)
            self.assertEqual(set(checkpoint), set(expected))
            self.assertEqual(checkpoint.names, sorted(expected))
            for name, (stored, shape, data) in expected.items():
                self.assertEqual((checkpoint.dtypes[name], checkpoint.shapes[name]), (stored, shape))
                self.assertEqual((checkpoint[name].shape, checkpoint[name].tobytes()), (shape, data))
                if stored == dtype:
                    self.assertEqual(checkpoint[name].dtype, numpy_type)

    def test_numbers_of_a_gguf_file(self):
        source = self.directory / "source"
        make_checkpoint(source, seed=1, hidden_size=64, intermediate_size=64, moe_intermediate_size=32)
        file = gguf_maker.convert(source, self.directory / "model.gguf", "Q8_0")[0]
        checkpoint, stored = moescope.Checkpoint(file), gguf_maker.tensors_of(*gguf_maker.read_checkpoint(source), "Q8_0")
        self.assertEqual(set(checkpoint), set(stored))
        for name, (dtype, shape, _, numbers, _) in stored.items():
            self.assertEqual((checkpoint.dtypes[name], checkpoint.shapes[name]), (dtype, shape))
            np.testing.assert_array_equal(checkpoint.float32(name), numbers.reshape(shape))

    def test_arrays_are_mapped_files_and_read_only(self):
        checkpoint = moescope.Checkpoint(BEFORE)
        for array in checkpoint.values():
            self.assertIsInstance(array.base, mmap.mmap)
            self.assertFalse(array.flags.writeable)
            with self.assertRaises(ValueError):
                array.setflags(write=True)
        name = checkpoint.names[0]
        self.assertTrue(np.shares_memory(checkpoint[name], checkpoint[name]))

    def test_arrays_outlive_the_checkpoint(self):
        checkpoint = moescope.Checkpoint(BEFORE)
        name = "model.layers.1.mlp.gate.weight"
        array = checkpoint[name]
        del checkpoint
        gc.collect()
        self.assertEqual(array.tobytes(), stored_arrays(BEFORE)[name][2])

    def test_float32_is_exact(self):
        checkpoint = moescope.Checkpoint(BEFORE)
        for name, (_, shape, data) in stored_arrays(BEFORE).items():
            if checkpoint.dtypes[name] == "BF16":
                expected = (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(shape)
                np.testing.assert_array_equal(checkpoint.float32(name), expected)
        every = np.arange(1 << 16, dtype=np.uint16)
        np.testing.assert_array_equal(moescope.bfloat16_to_float32(every).view(np.uint32), every.astype(np.uint32) << 16)
        self.assertEqual(moescope.bfloat16_to_float32(every.reshape(256, 256)[::2, ::-1]).shape, (128, 256))

    def test_what_is_wrong_is_said_in_the_words_of_the_program(self):
        def broken(name, change):
            make_checkpoint(self.directory / name, seed=2)
            change(self.directory / name)
            return self.directory / name

        def cut(directory):
            file = directory / "model.safetensors"
            file.write_bytes(file.read_bytes()[:-1])

        cases = [broken("cut", cut),
                 broken("header", lambda at: (at / "model.safetensors").write_bytes(b"\xff" * 64)),
                 broken("config", lambda at: (at / "config.json").write_text("{")),
                 broken("model", lambda at: (at / "config.json").write_text('{"model_type": "gpt2"}')),
                 broken("empty", lambda at: (at / "model.safetensors").unlink())]
        for directory in cases:
            with self.subTest(directory.name), self.assertRaises(moescope.InputError) as caught:
                moescope.Checkpoint(directory)
            said = program("compare", directory, BEFORE).stderr.splitlines()
            self.assertEqual("moescope: " + str(caught.exception), said[0])
            self.assertEqual(["hint: " + caught.exception.hint] if caught.exception.hint else [], said[1:])
        self.assertTrue(issubclass(moescope.InputError, ValueError))

    def test_an_unknown_tensor_is_a_key_error(self):
        with self.assertRaises(KeyError):
            moescope.Checkpoint(BEFORE)["model.layers.1.mlp.gate"]


class RunTest(TestCase):
    def test_groups_are_those_that_xarray_opens(self):
        with moescope.open_run(RUN) as run:
            self.assertEqual(run.attrs["filetype"], "moescope-run")
            self.assertIn("metrics", run)
            for group in run:
                with xarray.open_dataset(RUN, group=group, engine="h5netcdf") as expected:
                    if "notes" in expected:  # of fixed length: bytes to xarray, texts to us
                        expected["notes"] = expected.notes.copy(data=np.char.decode(expected.notes.values, "utf-8"))
                    xarray.testing.assert_identical(run[group].drop_vars("tokens_seen", errors="ignore"),
                                                    expected.drop_vars("tokens_seen", errors="ignore"))

    def test_checkpoints_know_their_tokens_in_every_group(self):
        with moescope.open_run(RUN) as run:
            for group in set(run) - {"/"}:
                if "checkpoint" in run[group].dims:
                    np.testing.assert_array_equal(run[group].coords["tokens_seen"], run["/"].tokens_seen)

    def test_what_is_no_run_is_told_from_what_is_not_there(self):
        with self.assertRaises(moescope.FormatError):
            moescope.open_run(DATA / "README.md")
        with self.assertRaises(FileNotFoundError):
            moescope.open_run(self.directory / "missing.h5")
        with moescope.open_run(RUN) as run, self.assertRaisesRegex(KeyError, "metrics"):
            run["metric"]


class CompareTest(TestCase):
    def check(self, result, *arguments):
        done = program("compare", *arguments, "--json")
        self.assertEqual(done.stderr, "")
        self.assertEqual(result, json.loads(done.stdout))

    def test_gives_what_the_program_prints_of_two_directories(self):
        self.check(moescope.compare(BEFORE, AFTER), BEFORE, AFTER)

    def test_gives_what_the_program_prints_with_a_corpus(self):
        corpus = f"noise={DATA / 'eval_text/ids256.npy'}"
        self.check(moescope.compare(BEFORE, AFTER, corpus=[corpus], max_tokens=512, precision="f32"),
                   BEFORE, AFTER, "--corpus", corpus, "--max-tokens", 512, "--precision", "f32")

    def test_gives_what_the_program_prints_of_a_run_that_is_open(self):
        with moescope.open_run(RUN) as run:
            self.assertEqual(run["metrics"].max_violation.dims, ("checkpoint", "domain", "moe_layer"))
            self.check(moescope.compare(BEFORE.name, AFTER.name, run=RUN), "--run", RUN, BEFORE.name, AFTER.name)

    def test_wrong_use_is_an_error_with_a_hint(self):
        with self.assertRaises(moescope.UsageError) as caught:
            moescope.compare("nothing", AFTER.name, run=RUN)
        self.assertIn(AFTER.name, caught.exception.hint)
        with self.assertRaises(moescope.UsageError):
            moescope.compare(BEFORE, AFTER, precision="f64")

    def test_other_threads_go_on_meanwhile(self):
        started, seen = threading.Event(), []

        def work():
            started.set()
            seen.append(moescope.compare(BEFORE, AFTER))

        thread = threading.Thread(target=work)
        thread.start()
        started.wait()
        steps = 0
        while thread.is_alive():
            thread.join(1e-4)
            steps += 1
        self.assertEqual(len(seen), 1)
        self.assertGreater(steps, 10)  # with the lock held, at most one before and one after

    def test_a_signal_stops_it(self):
        class Stop(Exception):
            pass

        seen = []

        def handler(*_):  # three times during one call: who looks only at the end sees the signal once
            seen.append(1)
            if len(seen) == 3:
                raise Stop

        self.addCleanup(signal.signal, signal.SIGALRM, signal.signal(signal.SIGALRM, handler))
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        with self.assertRaises(Stop):
            moescope.compare(BEFORE, AFTER, corpus=[DATA / "eval_text/c.jsonl", DATA / "eval_text/math.jsonl"])


class MetricTest(unittest.TestCase):
    """Against the run file, whose metrics have tests of their own; shapes against numpy's rules."""

    @classmethod
    def setUpClass(cls):
        run = moescope.open_run(RUN)
        cls.addClassCleanup(run.close)
        cls.metrics, cls.routing, cls.weights = (run[name] for name in ("metrics", "routing", "weights"))

    def test_load_of_every_layer(self):
        counts = self.routing.expert_count
        for name in ("max_violation", "min_violation", "mean_violation", "load_cv", "load_gini", "load_entropy",
                     "effective_experts", "dead_experts", "cold_experts", "hot_experts"):
            np.testing.assert_array_equal(getattr(moescope, name)(counts), self.metrics[name], name)
        np.testing.assert_array_equal(moescope.relative_load(counts), self.metrics.relative_load)
        tokens = np.broadcast_to(self.routing.token_count.values[:, None], counts.shape[:-1])
        np.testing.assert_array_equal(moescope.expert_load(counts, tokens), self.metrics.expert_load)

    def test_one_row_gives_a_number(self):
        self.assertEqual(moescope.max_violation([2, 1, 1, 0]), 1.0)  # max 2, mean 1
        self.assertIsInstance(moescope.max_violation([2, 1, 1, 0]), float)
        np.testing.assert_array_equal(moescope.expert_load([2, 1, 1, 0], 2), [1, 0.5, 0.5, 0])

    def test_counts_must_be_integers(self):
        with self.assertRaises(TypeError):
            moescope.max_violation(np.array([0.5, 0.5]))

    def test_any_layout_and_size_of_integers(self):
        counts = self.routing.expert_count.values
        expected = moescope.load_gini(counts)
        np.testing.assert_array_equal(moescope.load_gini(counts.astype(np.int32)), expected)
        np.testing.assert_array_equal(moescope.load_gini(np.asfortranarray(counts)), expected)
        np.testing.assert_array_equal(moescope.load_gini(counts[::-1, ::2]), expected[::-1, ::2])

    def test_agreement_of_chosen_experts(self):
        chosen = self.routing.topk_index.values
        for name, metric in (("router_saturation", moescope.routing_agreement),
                             ("router_saturation_top1", moescope.top1_agreement)):
            for c in (0, 5):
                np.testing.assert_array_equal(metric(chosen[c], chosen[-1]), self.metrics[name][c], name)
        np.testing.assert_array_equal(moescope.routing_jaccard(chosen[1], chosen[2]), self.metrics.routing_jaccard[1, 2])
        with self.assertRaises(ValueError):
            moescope.routing_agreement(chosen[0], chosen[0, :1])
        with self.assertRaises(ValueError):
            moescope.routing_agreement([[-1]], [[0]])

    def test_tokens_that_chose_nothing_leave_the_agreement(self):
        for none, kind in ((255, np.uint8), (65535, np.uint16)):
            a, b = np.array([[0, 1], [none, none], [2, 3]], kind), np.array([[1, 0], [4, 5], [2, 7]], kind)
            self.assertEqual(moescope.routing_agreement(a, b), 0.75)
            self.assertEqual(moescope.top1_agreement(a, b), 0.5)
            self.assertTrue(np.isnan(moescope.routing_agreement(a[1:2], b[1:2])))
        self.assertEqual(moescope.routing_agreement([[255, 1]], [[255, 2]]), 0.5)  # among more experts it is one of them

    def test_router_distributions(self):
        random = np.random.default_rng(3)
        scores = random.random((2, 5, 8), np.float32)
        distribution = moescope.sigmoid_router_distribution(scores)
        np.testing.assert_allclose(distribution, scores / scores.sum(-1, keepdims=True, dtype=float), rtol=1e-12)
        np.testing.assert_allclose(moescope.router_entropy(distribution),
                                   -(distribution * np.log(distribution)).sum(-1), rtol=1e-12)
        logits = random.normal(size=(4, 8)).astype(np.float32)
        softmax = np.exp(logits.astype(float)) / np.exp(logits.astype(float)).sum(-1, keepdims=True)
        np.testing.assert_allclose(moescope.softmax_router_distribution(logits), softmax, rtol=1e-12)
        chosen = np.argsort(-distribution, -1)[..., :3]
        np.testing.assert_allclose(moescope.topk_mass(distribution, chosen),
                                   np.take_along_axis(distribution, chosen, -1).sum(-1), rtol=1e-12)
        with self.assertRaises(ValueError):
            moescope.topk_mass(distribution, np.full((2, 5, 3), 8))

    def test_shares_of_combine_weights(self):
        weights = self.routing.topk_weight.isel(checkpoint=-1)
        np.testing.assert_array_equal(moescope.top1_share(weights).astype(np.float32),
                                      self.routing.top1_share.isel(checkpoint=-1))

    def test_drift_follows_from_inner_products(self):
        inner, delta = self.weights.inner_product, self.weights.delta_inner_product
        drift = moescope.relative_drift(inner, delta)  # (W, C, C)
        np.testing.assert_array_equal(drift, self.weights.relative_drift.transpose("tensor", "checkpoint", "other_checkpoint"))
        cosine = self.weights.cosine.transpose("tensor", "checkpoint", "other_checkpoint")
        np.testing.assert_array_equal(moescope.weight_cosine(inner, delta), cosine)
        self.assertEqual(moescope.update_norms(inner, delta).shape, delta.shape[:2])
        with self.assertRaises(ValueError):
            moescope.relative_drift(inner, inner)

    def test_inner_products_of_arrays_are_those_of_the_weight_pass(self):
        name = "model.layers.3.mlp.gate.weight"
        series = [moescope.Checkpoint(TINY / checkpoint).float32(name) for checkpoint in self.weights.checkpoint.values]
        inner, delta = moescope.inner_products(series)
        np.testing.assert_allclose(inner, self.weights.inner_product.sel(tensor=name), rtol=1e-12)
        np.testing.assert_allclose(delta, self.weights.delta_inner_product.sel(tensor=name), rtol=1e-12, atol=1e-15)
        pca = moescope.trajectory_pca(inner, delta)
        self.assertEqual(pca["coordinates"].shape, (len(series), len(series) - 1))
        self.assertAlmostEqual(pca["shares"].sum(), 1)

    def test_spectra_are_those_of_numpy(self):
        matrix = np.random.default_rng(4).normal(size=(12, 30)).astype(np.float32)
        values = moescope.singular_values(matrix)
        np.testing.assert_allclose(values, np.linalg.svd(matrix.astype(float), compute_uv=False), rtol=1e-12)
        self.assertAlmostEqual(moescope.weight_spectrum(values)["stable_rank"], (values ** 2).sum() / values[0] ** 2)
        with self.assertRaises(ValueError):
            moescope.singular_values(matrix[0])

    def test_a_permutation_is_found(self):
        rows = np.random.default_rng(5).normal(size=(16, 64))
        order = np.random.default_rng(6).permutation(16)
        matching = moescope.find_permutation(moescope.row_cosines(rows, rows[order]))
        np.testing.assert_array_equal(matching["match"], np.argsort(order))

    def test_losses_in_other_units(self):
        np.testing.assert_allclose(moescope.perplexity(self.metrics.loss.values), self.metrics.perplexity.values)
        self.assertAlmostEqual(moescope.bits_per_byte(8 * np.log(2), 4), 2)


class DocumentationTest(unittest.TestCase):
    def test_everything_public_is_documented(self):
        for name in moescope.__all__:
            self.assertTrue(getattr(moescope, name).__doc__, name)


if __name__ == "__main__":
    analysis_run.main()
