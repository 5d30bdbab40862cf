"""GGUF files: the same model gives the same numbers; what is not read is refused in a sentence.

For every family the converted file is compared with a checkpoint of safetensors of the numbers that it stores, byte by
byte. Where the converter reorders rows (Llama, Mixtral) the forward pass is compared with the float64 model, within the
tolerances of forward_comparison.py.
"""
import hashlib
import json
import shutil

import h5py
import numpy as np

import analysis_run
import family_models
import gguf_maker
from analysis_run import DATA, QUICK, analyze, differing_datasets, moescope, write_corpus
from checkpoint_maker import make_checkpoint
from family_maker import make_family
from forward_comparison import compare_forward, from_golden, from_passes
from variants_test import random_sequences

BAD_INPUT = 3
DTYPES = ["F32", "BF16", "F16", "Q8_0"]
# Rows of every matrix are whole blocks of 32.
ROUND = dict(hidden_size=64, intermediate_size=64, num_hidden_layers=2)
ROUND_MOE = dict(moe_intermediate_size=32, **ROUND)
YARN = {"type": "yarn", "factor": 8, "original_max_position_embeddings": 64, "beta_fast": 32, "beta_slow": 1,
        "mscale": 0.5, "mscale_all_dim": 0.5}
FAMILIES = {
    "olmoe": ("olmoe", dict(ROUND)),
    "qwen2_moe": ("qwen2_moe", dict(shared_expert_intermediate_size=96, **ROUND_MOE)),
    "qwen3_moe": ("qwen3_moe", dict(head_dim=16, **ROUND_MOE)),
    "qwen3_moe tied": ("qwen3_moe", dict(tie_word_embeddings=True, **ROUND_MOE)),
    "glm4_moe with the layer behind": ("glm4_moe", dict(num_nextn_predict_layers=1, extras=True, **ROUND_MOE)),
    "glm4_moe with norms of heads, by groups": ("glm4_moe", dict(use_qk_norm=True, attention_bias=False, n_group=4,
                                                                 topk_group=2, routed_scaling_factor=2.5, **ROUND_MOE)),
    "bailing_moe_v2": ("bailing_moe_v2", dict(moe_shared_expert_intermediate_size=32, **ROUND_MOE)),
    "minimax_m2": ("minimax_m2", dict(hidden_size=64, intermediate_size=32, num_hidden_layers=2)),
    "afmoe": ("afmoe", dict(layer_types=None, global_attn_every_n_layers=4, num_dense_layers=1, **ROUND_MOE)),
    "deepseek_v2": ("deepseek_v2", dict(kv_lora_rank=32, q_lora_rank=32, v_head_dim=16, rope_scaling=YARN, **ROUND_MOE)),
    "deepseek_v3": ("deepseek_v3", dict(kv_lora_rank=32, q_lora_rank=32, v_head_dim=16, rope_scaling=YARN, **ROUND_MOE)),
    "qwen3": ("qwen3", dict(head_dim=16, **ROUND)),
    "olmo2": ("olmo2", dict(ROUND)),
}
QUICK_FAMILIES = ["olmoe", "bailing_moe_v2", "deepseek_v2"]
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 8192}
REORDERED = {"llama 3": ("llama", dict(rope_scaling=LLAMA3, **ROUND)),
             "mixtral": ("mixtral", dict(hidden_size=64, intermediate_size=32, num_key_value_heads=2)),
             "llama": ("llama", dict(rope_scaling={"rope_type": "linear", "factor": 4.0}, attention_bias=True, mlp_bias=True, **ROUND))}


class GgufTest(analysis_run.TestCase):
    def json(self, *arguments):
        done = moescope(*arguments, "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def refused(self, *arguments):
        done = moescope(*arguments)
        self.assertEqual(done.returncode, BAD_INPUT, done.stderr + done.stdout)
        return done.stderr

    def corpus(self):
        _, ids = random_sequences([40], 40, 3)[0]
        return write_corpus(self.directory / "corpus", [("prose", ids)])


class TwinsTest(GgufTest):
    """A GGUF file and a checkpoint of safetensors of its numbers: every dataset has the same bytes."""

    def same(self, directory, name, dtype):
        ignored = analysis_run.WHERE_IT_CAME_FROM | {"notes"}  # which count tensors without a role: here those of experts are one
        file = self.directory / f"{name}-{dtype}.gguf"
        gguf_maker.convert(directory, file, dtype)
        twin = gguf_maker.twin(directory, self.directory / f"{name}-{dtype}", dtype)
        saved = "hidden_states,logits" if family_models.of(twin).moe_layers() == [] else "router_logits,hidden_states,logits"
        runs = [analyze(self.directory / f"{name}-{dtype}-{place.is_dir()}.h5", [place], *self.corpus(), "--save", saved)
                for place in (file, twin)]
        self.assertEqual(differing_datasets(*runs, ignore=ignored), [])
        return file

    def stored_types(self, file):
        return {tensor["dtype"] for tensor in self.json("inspect", file, "--tensors")["tensors"] if len(tensor["shape"]) > 1}

    def test_every_family_in_every_type(self):
        for seed, name in enumerate(QUICK_FAMILIES if QUICK else FAMILIES):
            family, options = FAMILIES[name]
            directory = self.directory / f"family{seed}"
            make_family(directory, family, seed, dtype="F32", **options)
            for dtype in DTYPES:
                with self.subTest(name, dtype=dtype):
                    file = self.same(directory, f"f{seed}", dtype)
                    self.assertIn(dtype, self.stored_types(file))

    def test_dots1(self):
        make_checkpoint(self.directory / "dots1", 1, dtype="F32", hidden_size=64, intermediate_size=64, moe_intermediate_size=32)
        for dtype in DTYPES:
            self.same(self.directory / "dots1", "dots1", dtype)

    # Their rows are no whole blocks: most tensors become F16.
    def test_the_fixtures(self):
        for name in ("olmoe", "qwen2_moe", "qwen3_moe", "glm4_moe", "bailing_moe_v2", "minimax_m2", "deepseek_v2", "deepseek_v3"):
            for dtype in ("BF16",) if QUICK else DTYPES:
                with self.subTest(name, dtype=dtype):
                    self.same(DATA / "families" / name, f"fixture_{name}", dtype)

    def test_a_file_in_parts(self):
        make_family(self.directory / "whole", "olmoe", 5, dtype="F32", **ROUND)
        whole = gguf_maker.convert(self.directory / "whole", self.directory / "whole.gguf", "Q8_0")
        parts = gguf_maker.convert(self.directory / "whole", self.directory / "parts/model.gguf", "Q8_0", parts=3)
        places = [whole[0], parts[0], parts[2], self.directory / "parts"]
        runs = [analyze(self.directory / f"part{i}.h5", [place], *self.corpus()) for i, place in enumerate(places)]
        for run in runs[1:]:
            self.assertEqual(differing_datasets(runs[0], run, ignore=analysis_run.WHERE_IT_CAME_FROM), [])
        fingerprints = {self.json("inspect", place)["fingerprint"] for place in places[1:]}
        self.assertEqual(len(fingerprints), 1)


class ReorderedTest(GgufTest):
    """Llama's converter puts rows of queries and keys where the interleaved rotary embedding wants them."""

    def check(self, file, expected, name, dense):
        saved = "hidden_states,logits" if dense else "router_logits,hidden_states,logits"
        corpus = self.ids
        path = analyze(self.directory / f"{name}.h5", [file], *corpus, "--only", "forward", "--precision", "f32", "--save", saved)
        with h5py.File(path) as run:
            compare_forward(self, run, 0, expected, name)

    def test_in_every_type(self):
        for name, (family, options) in REORDERED.items():
            directory = self.directory / name
            make_family(directory, family, 4, dtype="F32", **options)
            sequences = random_sequences([40, 40], 90, 4)
            self.ids = write_corpus(self.directory / "ids", sequences)
            for dtype in DTYPES:
                with self.subTest(name, dtype=dtype):
                    file = gguf_maker.convert(directory, self.directory / f"{name}-{dtype}.gguf", dtype)[0]
                    model = family_models.of(gguf_maker.twin(directory, self.directory / f"{name}-{dtype}", dtype))
                    self.check(file, from_passes([model.forward(ids) for _, ids in sequences]), f"{name}-{dtype}", family == "llama")

    def test_the_fixture(self):
        directory = DATA / "families/mixtral"
        file = gguf_maker.convert(directory, self.directory / "fixture.gguf", "BF16")[0]
        self.ids = ["--corpus", directory / "ids.npy"]
        with h5py.File(directory / "golden.h5") as golden:
            self.check(file, from_golden(golden, np.arange(len(golden["ids"]))), "fixture", False)

    def test_weights_are_not_compared_with_those_in_the_usual_order(self):
        directory = DATA / "families/mixtral"
        file = gguf_maker.convert(directory, self.directory / "order.gguf", "F32")[0]
        for pair in ((directory, file), (file, directory)):
            self.assertIn("holds the rows of queries and keys in another order", self.refused("compare", *pair))
        other = gguf_maker.convert(directory, self.directory / "other.gguf", "F16")[0]
        self.assertEqual(moescope("compare", file, other).returncode, 0)
        run = self.directory / "both.h5"
        done = moescope("analyze", directory, file, "--corpus", directory / "ids.npy", "--only", "forward", "-o", run)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("rope_interleave: false, true", done.stderr)
        routing = self.json("compare", "--run", run, "mixtral", "order")
        self.assertNotIn("weights", routing)


class ComparisonTest(GgufTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stored = cls.directory / "stored"
        make_family(cls.stored, "qwen3_moe", 2, **ROUND_MOE)
        cls.files = {dtype: gguf_maker.convert(cls.stored, cls.directory / f"model-{dtype}.gguf", dtype)[0] for dtype in DTYPES}

    def test_only_rounding_moves_a_checkpoint(self):
        for dtype, file in self.files.items():
            for limit, status in ((0, 0 if dtype in ("F32", "BF16") else 1), (1e-8, 1 if dtype == "Q8_0" else 0), (0.01, 0)):
                done = moescope("compare", self.stored, file, "--fail-above", f"experts.relative_drift={limit}")
                self.assertEqual(done.returncode, status, done.stdout + done.stderr)

    def test_drift_is_that_of_the_numbers(self):
        twin = gguf_maker.twin(self.stored, self.directory / "twin", "Q8_0")
        found, expected = (json.loads(moescope("compare", self.stored, place, "--json").stdout)["weights"]
                           for place in (self.files["Q8_0"], twin))
        self.assertGreater(len(found), 1)
        self.assertEqual({**found, "stored": None}, {**expected, "stored": None})


class InspectionTest(GgufTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stored = cls.directory / "stored"
        make_family(cls.stored, "olmoe", 2, **ROUND)
        cls.one = cls.directory / "one"
        cls.file = gguf_maker.convert(cls.stored, cls.one / "olmoe-Q8_0.gguf", "Q8_0")[0]

    def test_it_is_told_as_what_it_is(self):
        for place, name in ((self.file, "olmoe-Q8_0.gguf"), (self.one, "one")):
            document = self.json("inspect", place, "--tensors")
            self.assertEqual((document["format"], document["model_type"], document["name"]), ("GGUF", "olmoe", name))
            self.assertEqual(document["notes"], [])
            self.assertEqual(document["config"] | {"torch_dtype": "bfloat16"}, self.json("inspect", self.stored)["config"])
            metadata, tensors = gguf_maker.read_header(self.file)
            found = {t["name"]: (t["dtype"], t["shape"], t["offset"], t["bytes"]) for t in document["tensors"]}
            self.assertEqual(found, tensors)
            self.assertEqual(list(document["metadata"]), sorted(metadata))
            for key, value in metadata.items():
                if isinstance(value, float):
                    self.assertEqual(np.float32(document["metadata"][key]), np.float32(value), key)
                else:
                    self.assertEqual(document["metadata"][key], value, key)

    def test_of_several_models_one_is_named(self):
        several = self.directory / "several"
        for name in ("a-F16.gguf", "a-Q8_0.gguf", "mmproj-a.gguf"):
            several.mkdir(exist_ok=True)
            shutil.copy(self.file, several / name)
        message = self.refused("inspect", several)
        self.assertIn("holds several GGUF models: a-F16.gguf, a-Q8_0.gguf", message)
        self.assertIn("name one of the files in place of the directory", message)
        self.assertEqual(self.json("inspect", several / "a-F16.gguf")["format"], "GGUF")
        series = self.json("inspect", several / "a-F16.gguf", several / "a-Q8_0.gguf")
        self.assertEqual([entry["name"] for entry in series["checkpoints"]], ["a-F16", "a-Q8_0"])

    def test_safetensors_come_first(self):
        both = self.directory / "both"
        shutil.copytree(self.stored, both)
        shutil.copy(self.file, both)
        document = self.json("inspect", both)
        self.assertEqual(document["format"], "safetensors")
        self.assertIn("olmoe-Q8_0.gguf: weights that are not read", document["notes"])

    def test_a_plan_needs_the_file_alone(self):
        self.assertEqual(moescope("plan", self.file, "--only", "weights").returncode, 0)

    def test_what_is_not_read_is_told(self):
        config, stored = gguf_maker.read_checkpoint(self.stored)
        metadata = gguf_maker.metadata_of(config)
        tensors = {name: t[:3] for name, t in gguf_maker.tensors_of(config, stored, "F32").items()}
        down = "blk.1.ffn_down_exps.weight"

        def refused(metadata, tensors, **format):
            file = self.directory / "bad.gguf"
            file.write_bytes(gguf_maker.gguf_bytes(metadata, tensors, **format))
            return self.refused("inspect", file)

        def without(values, *names):
            return {name: value for name, value in values.items() if name not in names}

        def text(value):
            return {**metadata, "general.architecture": ("str", value)}

        wanted = "Q4_K, which moescope does not read (expected F32, F16, BF16 or Q8_0)"
        self.assertIn(f"tensor '{down}': is stored as {wanted}", refused(metadata, {**tensors, down: ("Q4_K", *tensors[down][1:])}))
        self.assertIn("is not an architecture that moescope reads from GGUF files (expected afmoe,", refused(text("gpt-oss"), tensors))
        self.assertIn("found 'qwen3next'", refused(text("qwen3next"), tensors))
        self.assertIn("metadata 'olmoe.block_count': is missing", refused(without(metadata, "olmoe.block_count"), tensors))
        self.assertIn(f"tensor '{down}': is missing", refused(metadata, without(tensors, down)))
        narrow = ("F32", (16, 64, 8), tensors[down][2])
        self.assertIn(f"tensor '{down}': expected shape [16, 64, 64], found [16, 64, 8]", refused(metadata, {**tensors, down: narrow}))
        freqs = {**tensors, "rope_freqs.weight": ("F32", (8,), bytes(32))}
        self.assertIn("stretches the rotary embedding feature by feature", refused(metadata, freqs))
        odd = {"olmoe.expert_gating_func": ("u32", 2)}
        self.assertIn("metadata 'olmoe.expert_gating_func': is not followed", refused({**metadata, **odd}, tensors))
        odd = {"olmoe.attention.sliding_window": ("u32", 128)}
        self.assertIn("metadata 'olmoe.attention.sliding_window': is not followed", refused({**metadata, **odd}, tensors))
        self.assertIn("is of version 1 of GGUF", refused(metadata, tensors, version=1))
        self.assertIn("big-endian", refused(metadata, tensors, version=3 << 24))
        single = {f"blk.0.ffn_up.{e}.weight": ("F32", (64, 64), bytes(64 * 64 * 4)) for e in range(16)}
        old = {**without(tensors, "blk.0.ffn_up_exps.weight"), **single}
        self.assertIn("its experts are stored one by one", refused(metadata, old))

    def test_split_latent_projections_are_told(self):
        directory = self.directory / "latent"
        make_family(directory, "deepseek_v2", 1, **FAMILIES["deepseek_v2"][1])
        config, stored = gguf_maker.read_checkpoint(directory)
        tensors = {name.replace("attn_kv_b", "attn_k_b"): t[:3] for name, t in gguf_maker.tensors_of(config, stored, "F32").items()}
        file = self.directory / "latent.gguf"
        file.write_bytes(gguf_maker.gguf_bytes(gguf_maker.metadata_of(config), tensors))
        self.assertIn("the converter has split kv_b_proj into two transformed tensors", self.refused("inspect", file))

    def test_a_tokenizer_is_looked_for_beside_the_file(self):
        message = self.refused("analyze", self.file, "--corpus", DATA / "eval_text/math.jsonl", "-o", self.directory / "no.h5")
        self.assertIn("tokenizer.json", message)
        shutil.copy(DATA / "tiny-dots1/tiny-dots1-05T/tokenizer.json", self.one)
        self.assertEqual(self.json("inspect", self.file)["tokenizer"], str(self.one / "tokenizer.json"))
        (self.one / "tokenizer.json").unlink()


class GoldenTest(GgufTest):
    """Others find the same in our files as moescope does: Hugging Face's parser, and llama.cpp (data/golden/gguf)."""

    # llama.cpp keeps keys and values in float16, whose steps are 2^-11 of a value.
    def test_llama_cpp_predicts_the_same(self):
        golden = json.loads((DATA / "golden/gguf/forwards.json").read_text())
        self.assertEqual(list(golden["models"]), gguf_maker.GOLDEN_FORWARDS)
        corpus = write_corpus(self.directory / "golden", [("prose", golden["ids"])])
        for name, expected in golden["models"].items():
            with self.subTest(name):
                file = gguf_maker.convert(DATA / "families" / name, self.directory / f"forward_{name}.gguf", "F32")[0]
                run = analyze(self.directory / f"forward_{name}.h5", [file], *corpus, "--only", "forward", "--precision", "f32",
                              "--save", "logits")
                with h5py.File(run) as opened:
                    logits = opened["logits/logit"][0].astype(np.float64)
                found = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
                np.testing.assert_allclose(found, expected, rtol=0, atol=0.02)

    def test_headers(self):
        golden = json.loads((DATA / "golden/gguf/headers.json").read_text())["files"]
        self.assertEqual({name.removesuffix(".gguf") for name in golden}, set(gguf_maker.GOLDEN_FILES))
        for name in gguf_maker.GOLDEN_FILES:
            file = gguf_maker.convert_golden_file(name, self.directory)
            expected, found = golden[file.name], self.json("inspect", file, "--tensors")
            self.assertEqual(hashlib.sha256(file.read_bytes()).hexdigest(), expected["sha256"], "not the file of the golden")
            tensors = {t["name"]: (t["dtype"], t["shape"], t["offset"]) for t in found["tensors"]}
            self.assertEqual(tensors, {name: (dtype, shape[::-1], offset) for name, dtype, shape, offset in expected["tensors"]})
            self.assertEqual(found["metadata"].keys(), expected["metadata"].keys())
            for key, value in expected["metadata"].items():
                if isinstance(value, dict):
                    self.assertTrue(found["metadata"][key].startswith(f"array of {value['array']} "), key)
                else:
                    self.assertEqual(found["metadata"][key], value if isinstance(value, (str, bool)) else
                                     type(found["metadata"][key])(str(np.float32(value)) if value % 1 else value), key)


if __name__ == "__main__":
    analysis_run.main()
