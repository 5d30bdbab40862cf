"""moescope compare against float64 numpy: of checkpoints with other vocabularies, and of one model in other storages."""
import json

import h5py
import numpy as np

import analysis_run
import torch_bin_maker
from analysis_run import analyze, moescope, write_corpus
from family_maker import make_family
from reference_model import read_weights

# Of qwen3_moe, by a part of the name; the last one that is found counts.
ROLES = {"self_attn": "attention", "norm": "norm", "embed_tokens": "embedding", "lm_head": "head", "mlp.gate.": "router",
         "experts": "routed_expert"}


def role_of(name):
    return [role for part, role in ROLES.items() if part in name][-1]


def stacked(weights, chosen):
    """One long vector. The product of an 8-bit number and its scale is rounded to float32."""
    parts = [values.astype(np.float32).astype(np.float64) for name, values in sorted(weights.items()) if chosen(name)]
    return np.concatenate([part.reshape(-1) for part in parts])


def changes(before, after):
    """role -> norm of the difference / norm before; "model": of all weights."""
    roles = {role: lambda name, role=role: role_of(name) == role for role in {role_of(name) for name in before}}
    result = {}
    for role, chosen in {**roles, "model": lambda name: True}.items():
        a, b = stacked(before, chosen), stacked(after, chosen)
        result[role] = np.linalg.norm(b - a) / np.linalg.norm(a)
    return result


class ComparisonTestCase(analysis_run.TestCase):
    def make(self, name, **options):
        make_family(self.directory / name, "qwen3_moe", options.pop("seed", 1), **options)
        return self.directory / name

    def compare(self, *arguments):
        done = moescope("compare", *arguments, "--json", "--quiet")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def check_changes(self, found, expected):
        drift = {role["name"]: role["relative_drift"] for role in found["weights"]["roles"]}
        drift["model"] = found["weights"]["model"]["relative_drift"]
        self.assertEqual(drift.keys(), expected.keys())
        for role, value in expected.items():
            np.testing.assert_allclose(drift[role], value, rtol=1e-10, atol=1e-15, err_msg=role)


class VocabularyTest(ComparisonTestCase):
    def first_rows(self, directory, rows):
        return {name: values[:rows] if "embed_tokens" in name or "lm_head" in name else values
                for name, values in read_weights(directory).items()}

    def check(self, before, after, note):
        found = self.compare(before, after)
        self.assertEqual(found["notes"], [note])
        self.check_changes(found, changes(self.first_rows(before, 96), self.first_rows(after, 96)))
        self.assertEqual(moescope("compare", before, after, "--quiet").stdout.splitlines()[1], note)

    def test_the_rows_that_both_have_are_compared(self):
        base, tuned = self.make("base"), self.make("tuned", seed=2, vocab_size=112)
        note = "tuned has 16 rows more in the embedding and the head: the first 96 are compared"
        self.check(base, tuned, note)
        self.check(tuned, base, note)
        self.check(base, self.make("eight", seed=2, vocab_size=97, scales="block"),
                   "eight has 1 row more in the embedding and the head: the first 96 are compared")

    def test_where_the_head_is_tied_the_embedding_alone_has_rows(self):
        base, tuned = (self.make(name, seed=seed, vocab_size=rows, tie_word_embeddings=True)
                       for name, seed, rows in (("tied", 1, 96), ("tied_tuned", 2, 128)))
        self.check(base, tuned, "tied_tuned has 32 rows more in the embedding: the first 96 are compared")

    def test_losses_and_routing_are_those_of_the_whole_models(self):
        models = [self.make("less"), self.make("more", seed=2, vocab_size=112)]
        ids = np.random.default_rng(0).integers(0, 96, 40)
        corpus = [*write_corpus(self.directory / "ids", [("prose", ids)]), "--precision", "f32"]
        losses = []
        for model in models:
            with h5py.File(analyze(self.directory / f"{model.name}.h5", [model], *corpus, "--only", "forward")) as run:
                losses.append(np.nanmean(run["loss/nll"][0].astype(np.float64)))
        for order in (0, 1), (1, 0):
            loss = self.compare(*(models[i] for i in order), *corpus)["loss"][-1]
            np.testing.assert_allclose([loss["before"], loss["after"]], [losses[i] for i in order], rtol=1e-12)

    def test_a_token_that_one_of_them_does_not_know_is_refused(self):
        models = [self.make("few"), self.make("many", seed=2, vocab_size=112)]
        corpus = write_corpus(self.directory / "unknown", [("prose", np.array([3, 100]))])
        for pair in models, models[::-1]:
            done = moescope("compare", *pair, *corpus)
            self.assertEqual(done.returncode, 3)
            self.assertIn("100", done.stderr)

    def test_other_shapes_and_series_are_refused(self):
        base, tuned = self.make("a"), self.make("b", vocab_size=112)
        for other, word in ((self.make("wide", moe_intermediate_size=32), "gate_proj"),
                            (self.make("tied_to_it", tie_word_embeddings=True), "174 weights, found 173")):
            done = moescope("compare", base, other)
            self.assertEqual(done.returncode, 3)
            self.assertIn("not the model of checkpoint 'a'", done.stderr)
            self.assertIn(word, done.stderr)
        done = moescope("analyze", base, tuned, "--only", "weights", "-o", self.directory / "x.h5")
        self.assertEqual(done.returncode, 3)
        self.assertIn("embed_tokens.weight [96, 32], found [112, 32]", done.stderr)


class StorageTest(ComparisonTestCase):
    def setUp(self):
        self.base = self.make("base")

    def text(self, *arguments):
        return moescope("compare", *arguments, "--quiet", "--top", "0").stdout

    def test_fused_experts_and_bin_files_hold_equal_weights(self):
        binary = self.directory / "bin"
        if not binary.exists():
            torch_bin_maker.convert(self.base, binary, 2)
        for other in self.make("fused", fused=True, shards=2), binary:
            found = self.compare(self.base, other)
            self.check_changes(found, dict.fromkeys(changes(*[read_weights(self.base)] * 2), 0.0))
            self.assertNotIn("storage", found)
            self.assertIn("All weights are equal.", self.text(self.base, other))

    def check_quantised(self, other, words):
        found = self.compare(self.base, other)
        expected = changes(read_weights(self.base), read_weights(other))
        self.check_changes(found, expected)
        self.assertEqual([expected[role] for role in ("embedding", "head", "norm", "router")], [0.0] * 4)
        self.assertEqual(found["storage"], [
            {"role": "attention", "before": "BF16", "after": words, "weights": 12},
            {"role": "routed_expert", "before": "BF16", "after": words, "weights": 144}])
        self.assertTrue(found["stored_anew"])
        text = self.text(self.base, other)
        self.assertIn("Quantisation error of the weights (change: norm of the difference / norm before)\n", text)
        self.assertIn(f"  {other.name} stores attention and routed expert weights as {words}, base as BF16.\n"
                      "  All other weights are equal: the changes are the quantisation error.\n", text)

    def test_of_a_quantised_checkpoint_the_change_is_the_quantisation_error(self):
        self.check_quantised(self.make("row", scales="row"), "F8_E4M3 with a scale for each row")
        self.check_quantised(self.make("block", scales="block"), "F8_E4M3 with a scale for each block of 128 x 128")

    def test_between_two_kinds_of_scales_it_is_the_difference_of_two_errors(self):
        self.assertIn("the changes are the difference of the quantisation errors.",
                      self.text(self.make("row", scales="row"), self.make("block", scales="block")))

    def test_of_other_weights_it_is_but_a_part_of_the_change(self):
        other = self.make("trained", seed=2, scales="block")
        found = self.compare(self.base, other)
        self.check_changes(found, changes(read_weights(self.base), read_weights(other)))
        self.assertFalse(found["stored_anew"])
        text = self.text(self.base, other)
        self.assertIn("\nWeights (change", text)
        self.assertIn("The changes of these weights have in them the quantisation error.", text)

    def test_where_nothing_is_stored_alike_nothing_tells_rounding_from_training(self):
        single = self.make("single", dtype="F32")
        found = self.compare(single, self.base)
        self.check_changes(found, changes(read_weights(single), read_weights(self.base)))
        self.assertFalse(found["stored_anew"])
        self.assertIn("single as F32.\n  The changes of these weights have in them the rounding error.\n",
                      self.text(single, self.base))


if __name__ == "__main__":
    analysis_run.main()
