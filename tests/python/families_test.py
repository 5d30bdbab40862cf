"""Every family against its float64 model, on random checkpoints and on those of data/families.

The tolerances are those of forward_comparison.py.
"""
import json
import shutil

import h5py
import numpy as np

import analysis_run
import family_models
from analysis_run import DATA, QUICK, analyze, write_corpus
from checkpoint_maker import write_files
from family_maker import ABSENT, make_family
from forward_comparison import compare_forward, from_golden, from_passes
from variants_test import compare_statistics, random_sequences
from reference_model import e4m3_values, read_stored, widen
from write_family_fixtures import FIXTURES

PLAIN = [48, 48]
MIXED = [1, 37, 2, 20, 20, 64]
LINEAR = {"rope_type": "linear", "factor": 4.0}
YARN = {"type": "yarn", "factor": 8, "original_max_position_embeddings": 64, "beta_fast": 32, "beta_slow": 1}
GROUPS = dict(n_group=4, topk_group=2)
WIDE = dict(hidden_size=136, moe_intermediate_size=16, n_routed_experts=8, num_experts_per_tok=3, num_hidden_layers=2)
# name -> (family, lengths of the sequences, options of make_family)
VARIANTS = {
    "olmoe": ("olmoe", PLAIN, {}),
    "olmoe normalised, few kv heads": ("olmoe", PLAIN, dict(norm_topk_prob=True, num_key_value_heads=2)),
    "olmoe clipped": ("olmoe", PLAIN, dict(clip_qkv=0.8, num_key_value_heads=1)),
    "olmoe f32 in three shards": ("olmoe", MIXED, dict(dtype="F32", shards=3)),
    "olmoe fused, as transformers 5 saves it": ("olmoe", PLAIN, dict(fused=True, transformers5=True)),
    "olmoe with exact ties": ("olmoe", PLAIN, dict(ties=True)),
    "qwen2_moe": ("qwen2_moe", PLAIN, {}),
    "qwen2_moe normalised, few kv heads": ("qwen2_moe", PLAIN, dict(norm_topk_prob=True, num_key_value_heads=2)),
    "qwen2_moe every second layer": ("qwen2_moe", PLAIN, dict(num_hidden_layers=4, decoder_sparse_step=2)),
    "qwen2_moe tied, f16": ("qwen2_moe", MIXED, dict(tie_word_embeddings=True, dtype="F16")),
    "qwen3_moe": ("qwen3_moe", PLAIN, {}),
    "qwen3_moe not normalised": ("qwen3_moe", PLAIN, dict(norm_topk_prob=False, head_dim=8)),
    "qwen3_moe dense first and last": ("qwen3_moe", PLAIN, dict(num_hidden_layers=4, mlp_only_layers=[0, 3])),
    "qwen3_moe every second layer but one": ("qwen3_moe", PLAIN, dict(
        num_hidden_layers=4, decoder_sparse_step=2, mlp_only_layers=[1])),
    "qwen3_moe fused in two shards": ("qwen3_moe", MIXED, dict(fused=True, shards=2, transformers5=True)),
    "qwen3_moe fp8 by blocks": ("qwen3_moe", PLAIN, dict(scales="block", hidden_size=136, num_experts=8, num_hidden_layers=2)),
    "qwen3_moe fp8 by rows": ("qwen3_moe", PLAIN, dict(scales="row", scale_dtype="F32")),
    "mixtral": ("mixtral", PLAIN, {}),
    "mixtral one expert a token": ("mixtral", PLAIN, dict(num_experts_per_tok=1)),
    "mixtral many heads, f32": ("mixtral", MIXED, dict(num_key_value_heads=4, dtype="F32")),
    "mixtral with exact ties": ("mixtral", PLAIN, dict(ties=True, num_experts_per_tok=3)),
    "deepseek_v2": ("deepseek_v2", PLAIN, {}),
    "deepseek_v2 with latent queries, no yarn": ("deepseek_v2", PLAIN, dict(q_lora_rank=24, rope_scaling=None)),
    "deepseek_v2 by groups": ("deepseek_v2", PLAIN, dict(
        topk_method="group_limited_greedy", n_group=8, topk_group=3, routed_scaling_factor=4.0)),
    "deepseek_v2 groups that are not asked": ("deepseek_v2", PLAIN, dict(topk_method="greedy", **GROUPS)),
    "deepseek_v2 short yarn": ("deepseek_v2", [120], dict(rope_scaling={**YARN, "mscale": 1.0, "mscale_all_dim": 0.5})),
    "deepseek_v2 yarn in rope_parameters": ("deepseek_v2", PLAIN, dict(transformers5=True)),
    "deepseek_v3": ("deepseek_v3", PLAIN, {}),
    "deepseek_v3 with the layer that predicts a second token": ("deepseek_v3", PLAIN, dict(extras=True, fused=True)),
    "deepseek_v3 negative selection scores": ("deepseek_v3", PLAIN, dict(score_bias=3.0)),
    "deepseek_v3 no shared expert, not normalised": ("deepseek_v3", PLAIN, dict(n_shared_experts=0, norm_topk_prob=False)),
    "deepseek_v3 halves, short yarn": ("deepseek_v3", [120], dict(
        rope_interleave=False, rope_scaling={**YARN, "mscale": 1, "mscale_all_dim": 1})),
    "deepseek_v3 yarn without mscale": ("deepseek_v3", [120], dict(rope_scaling=YARN, q_lora_rank=None)),
    "deepseek_v3 every second layer": ("deepseek_v3", MIXED, dict(num_hidden_layers=4, moe_layer_freq=2, n_group=1, topk_group=1)),
    "deepseek_v3 fp8 by blocks": ("deepseek_v3", PLAIN, dict(scales="block", qk_nope_head_dim=32, v_head_dim=33, **WIDE)),
    "deepseek_v3 fp8 by blocks, with the layer behind": ("deepseek_v3", PLAIN, dict(scales="block", extras=True, shards=3)),
    "dots1 fp8 by rows": ("dots1", PLAIN, dict(scales="row")),
    "dots1 fp8 by rows, scales in f32": ("dots1", MIXED, dict(scales="row", scale_dtype="F32", shards=2)),
    "dots1 fp8 by rows, many subnormal": ("dots1", PLAIN, dict(scales="row", largest=0.25)),
    "dots1 fp8 by blocks": ("dots1", PLAIN, dict(scales="block", **WIDE)),
    "glm4_moe": ("glm4_moe", PLAIN, {}),
    "glm4_moe with norms of heads, no biases": ("glm4_moe", PLAIN, dict(
        use_qk_norm=True, attention_bias=False, routed_scaling_factor=2.5)),
    "glm4_moe by groups, with the layer behind": ("glm4_moe", PLAIN, dict(extras=True, **GROUPS)),
    "glm4_moe a quarter rotated, f16": ("glm4_moe", MIXED, dict(partial_rotary_factor=0.25, dtype="F16")),
    "glm4_moe as transformers 5 saves it": ("glm4_moe", PLAIN, dict(transformers5=True, fused=True)),
    "glm4_moe_lite": ("glm4_moe_lite", PLAIN, {}),
    "glm4_moe_lite layer types": ("glm4_moe_lite", PLAIN, dict(
        mlp_layer_types=["sparse", "dense", "sparse"], first_k_dense_replace=ABSENT)),
    "glm4_moe_lite with the layer behind, as transformers 5 saves it": ("glm4_moe_lite", PLAIN, dict(
        extras=True, transformers5=True)),
    "bailing_moe_v2": ("bailing_moe_v2", PLAIN, {}),
    "bailing_moe_v2 norm_topk_prob is not asked": ("bailing_moe_v2", PLAIN, dict(norm_topk_prob=False, n_group=1, topk_group=1)),
    "bailing_moe_v2 one expert a token": ("bailing_moe_v2", PLAIN, dict(num_experts_per_tok=1)),
    "bailing_moe_v2 announces a layer that is absent": ("bailing_moe_v2", PLAIN, dict(num_nextn_predict_layers=1, score_bias=3.0)),
    "bailing_moe_v2 whole heads rotated, bias in bf16": ("bailing_moe_v2", MIXED, dict(
        partial_rotary_factor=1.0, bias_dtype="BF16", num_shared_experts=2)),
    "afmoe": ("afmoe", PLAIN, {}),
    "afmoe not scaled, no shared expert": ("afmoe", PLAIN, dict(mup_enabled=False, num_shared_experts=0)),
    "afmoe layer types from the interval": ("afmoe", [80], dict(layer_types=ABSENT, global_attn_every_n_layers=2)),
    "afmoe without dense layers, f32": ("afmoe", MIXED, dict(num_dense_layers=0, num_shared_experts=2, dtype="F32")),
    "afmoe with exact ties": ("afmoe", PLAIN, dict(ties=True, route_scale=1.0)),
    "minimax_m2": ("minimax_m2", PLAIN, {}),
    "minimax_m2 whole heads rotated": ("minimax_m2", PLAIN, dict(rotary_dim=12, num_attention_heads=6)),
    "minimax_m2 negative selection scores": ("minimax_m2", MIXED, dict(score_bias=3.0, bias_dtype="BF16")),
    "emo": ("emo", PLAIN, {}),
    "emo two shared experts": ("emo", PLAIN, dict(num_shared_experts=2)),
    "emo no shared expert, normalised": ("emo", PLAIN, dict(num_shared_experts=0, norm_topk_prob=True)),
    "emo norm_topk_prob beside a shared expert": ("emo", PLAIN, dict(norm_topk_prob=True, num_key_value_heads=2)),
    "emo always active experts": ("emo", PLAIN, dict(num_shared_experts=0, always_active_experts=[3, 11])),
    "emo a dense layer with biases": ("emo", MIXED, dict(
        num_experts_per_layer=[0, 16, 16], dense_intermediate_size=40, dense_mlp_bias=True)),
    "llama": ("llama", PLAIN, {}),
    "llama linear": ("llama", MIXED, dict(rope_scaling=LINEAR, num_key_value_heads=4)),
    "llama with biases": ("llama", PLAIN, dict(rope_scaling=None, attention_bias=True, mlp_bias=True)),
    "llama tied, llama3 in rope_parameters": ("llama", [120], dict(tie_word_embeddings=True, transformers5=True)),
    "qwen3": ("qwen3", PLAIN, {}),
    "qwen3 tied, in two shards": ("qwen3", MIXED, dict(tie_word_embeddings=True, shards=2)),
    "qwen3 fp8 by blocks": ("qwen3", PLAIN, dict(scales="block", hidden_size=136, intermediate_size=130)),
    "olmo2": ("olmo2", PLAIN, {}),
    "olmo2 few kv heads, f32": ("olmo2", MIXED, dict(num_key_value_heads=2, dtype="F32")),
    "olmo2 as transformers 5 saves it": ("olmo2", PLAIN, dict(transformers5=True)),
    "gpt_oss": ("gpt_oss", PLAIN, {}),
    "gpt_oss truncated yarn, layer types by default": ("gpt_oss", [80], dict(
        layer_types=ABSENT, rope_theta=100, rope_scaling={**YARN, "truncate": True, "beta_fast": 4})),
    "gpt_oss short yarn not truncated": ("gpt_oss", [120], dict(
        rope_theta=100, rope_scaling={**YARN, "truncate": False, "beta_fast": 4}, num_experts_per_tok=4, experts_per_token=4)),
    "gpt_oss mxfp4": ("gpt_oss", MIXED, dict(scales="mxfp4")),
    "gpt_oss mxfp4 two blocks a row": ("gpt_oss", PLAIN, dict(
        scales="mxfp4", hidden_size=64, intermediate_size=96, num_local_experts=4)),
    "flame_moe": ("flame_moe", PLAIN, {}),
    "flame_moe few kv heads": ("flame_moe", PLAIN, dict(num_query_groups=2, group_query_attention=True)),
    "flame_moe no shared expert, f32": ("flame_moe", MIXED, dict(moe_shared_expert_intermediate_size=None, dtype="F32")),
    "flame_moe softmax of the chosen, interleaved halves": ("flame_moe", MIXED, dict(
        moe_router_pre_softmax=False, rotary_interleaved=True, rotary_percent=0.5, moe_router_topk_scaling_factor=2.5)),
    "qwen3_next": ("qwen3_next", [70], {}),
    "qwen3_next by layer types, one key head": ("qwen3_next", MIXED, dict(
        linear_num_key_heads=1, layer_types=["full_attention", "linear_attention", "linear_attention", "full_attention"])),
    "qwen3_next not normalised, a dense layer": ("qwen3_next", PLAIN, dict(
        norm_topk_prob=False, mlp_only_layers=[1], full_attention_interval=2)),
    "qwen3_next with multi-token prediction": ("qwen3_next", PLAIN, dict(extras=True)),
    "qwen3_5_moe": ("qwen3_5_moe", [70], dict(fused=True, extras=True)),
    "qwen3_5_moe text only": ("qwen3_5_moe", MIXED, dict(fused=True, text_only=True)),
    "qwen3_5_moe as many key heads as value heads": ("qwen3_5_moe", PLAIN, dict(fused=True, linear_num_key_heads=4)),
    "qwen3_next long, chunks whole and not": ("qwen3_next", [64, 200, 1, 129], {}),
    "qwen3_next fp8 by blocks": ("qwen3_next", PLAIN, dict(scales="block", hidden_size=136)),
}
# One of each kind of attention, of routing and of storage.
QUICK_VARIANTS = ["olmoe clipped", "qwen2_moe normalised, few kv heads", "deepseek_v2 by groups", "deepseek_v3 halves, short yarn",
                  "bailing_moe_v2", "afmoe layer types from the interval", "minimax_m2 whole heads rotated", "emo", "olmo2",
                  "dots1 fp8 by rows", "qwen3_moe fp8 by blocks", "gpt_oss mxfp4", "qwen3_next", "qwen3_5_moe",
                  "flame_moe few kv heads"]


def run_forward(output, directory, corpus, model):
    """Of a dense model there are no router logits to save."""
    saved = ["router_logits"] if model.moe_layers() else []
    return analyze(output, [directory], *corpus, "--only", "forward", "--precision", "f32",
                   "--save", ",".join(saved + ["hidden_states", "logits"]))


class FamiliesTest(analysis_run.TestCase):
    def check(self, seed, name):
        family, lengths, options = VARIANTS[name]
        directory = self.directory / str(seed)
        make_family(directory, family, seed, **options)
        model = family_models.of(directory)
        sequences = random_sequences(lengths, len(model.weights["model.embed_tokens.weight"]), seed)
        path = run_forward(self.directory / f"{seed}.h5", directory, write_corpus(self.directory / f"{seed}.ids", sequences), model)
        with h5py.File(path) as run:
            passes = [model.forward(ids) for _, ids in sequences]
            same = compare_forward(self, run, 0, from_passes(passes), name)
            if same and model.moe_layers():
                compare_statistics(run, passes)
        if options.get("ties"):
            self.assertTrue(same, "of equal scores the lower expert comes first")

    def test_every_variant_agrees_with_its_model(self):
        for seed, name in enumerate(VARIANTS):
            if not QUICK or name in QUICK_VARIANTS:
                with self.subTest(name):
                    self.check(seed, name)


class TwinsTest(analysis_run.TestCase):
    """A checkpoint in 8 bits and one of the numbers that these are: every dataset has the same bytes."""

    def twin(self, directory, dtype):
        """Each product of stored number and scale in float32, stored as `dtype`."""
        stored = read_stored(directory / "model.safetensors")
        typed = {}
        for name, (kind, values) in stored.items():
            if name.endswith(("_scale", "_scale_inv")):
                continue
            values = e4m3_values()[values] if kind == "F8_E4M3" else widen(kind, values)
            for ending, block in (("_scale", (1, values.shape[-1])), ("_scale_inv", (128, 128))):
                if name + ending in stored:
                    scale = widen(*stored[name + ending]).astype(np.float32)
                    spread = np.repeat(np.repeat(scale, block[0], axis=0), block[1], axis=1)
                    values = values.astype(np.float32) * spread[:values.shape[0], :values.shape[1]]
            typed[name] = (values, dtype if kind == "F8_E4M3" else kind)
        config = json.loads((directory / "config.json").read_text())
        del config["quantization_config"]
        place = directory.with_name(directory.name + "_twin")
        write_files(place, "config.json", config, typed, 1)
        return place

    def same(self, family, scales, dtype, precision, **options):
        directory = self.directory / f"{family}_{scales}_{dtype}"
        make_family(directory, family, 3, scales=scales, **options)
        if dtype == "BF16":
            self.make_scales_powers_of_two(directory)
        _, ids = random_sequences([40], 90, 3)[0]
        corpus = write_corpus(directory.with_name(directory.name + ".ids"), [("prose", ids)])
        runs = [analyze(self.directory / f"{place.name}_{precision}.h5", [place], *corpus, "--precision", precision,
                        "--save", "router_logits,hidden_states,logits") for place in (directory, self.twin(directory, dtype))]
        # The statistics of BF16 weights are summed pattern by pattern, so that their last bits are others, and
        # magnitudes are counted of BF16 patterns alone.
        summed = {"std", "kurtosis", "marchenko_pastur_edge", "magnitude_histogram", "magnitude_quantile"}
        ignored = analysis_run.WHERE_IT_CAME_FROM | (summed if dtype == "BF16" else set())
        self.assertEqual(analysis_run.differing_datasets(*runs, ignore=ignored), [])

    def make_scales_powers_of_two(self, directory):
        stored = read_stored(directory / "model.safetensors")
        typed = {name: (2 ** np.round(np.log2(widen(kind, values))) if "_scale" in name else
                        widen(kind, values) if kind != "F8_E4M3" else values, kind)
                 for name, (kind, values) in stored.items()}
        write_files(directory, "config.json", json.loads((directory / "config.json").read_text()), typed, 1)

    def test_in_float32(self):
        self.same("dots1", "row", "F32", "f32")
        self.same("deepseek_v3", "block", "F32", "f32", hidden_size=136, moe_intermediate_size=140, num_hidden_layers=2)

    def test_in_bfloat16(self):
        for precision in ("f32", "bf16"):
            with self.subTest(precision):
                self.same("qwen3_moe", "row", "BF16", precision)


class PackedExpertsTest(analysis_run.TestCase):
    """Norms, spectra and drift of gpt-oss's experts, stored column by column or in 4-bit blocks, against numpy. Norms are
    sums in float64: 1e-10; spectra are of float32 matrices: 1e-5."""

    def expert(self, model, layer, expert):
        """[2 I, H]: rows of gate and up in turn; and [H, I]."""
        parts = [model.weights[f"model.layers.{layer}.mlp.experts.{expert}.{part}_proj.weight"] for part in ("gate", "up", "down")]
        return {"gate_up_proj": np.stack(parts[:2], axis=1).reshape(-1, parts[0].shape[1]), "down_proj": parts[2]}

    def check(self, scales):
        series = [self.directory / f"{scales}_{step}" for step in (1, 2)]
        for seed, directory in enumerate(series):
            make_family(directory, "gpt_oss", seed, scales=scales)
        path = analyze(self.directory / f"{scales}.h5", series, "--only", "weights", "--spectra", "all")
        before, after = (family_models.of(directory) for directory in series)
        with h5py.File(path) as run:
            names = list(run["tensor"].asstr())
            for expert in (0, 5):
                for name, matrix in self.expert(before, 1, expert).items():
                    tensor = names.index(f"model.layers.1.mlp.experts.{expert}.{name}")
                    np.testing.assert_allclose(run["weights/norm"][0, tensor], np.linalg.norm(matrix), rtol=1e-10)
                    np.testing.assert_allclose(run["weights/spectral_norm"][0, tensor], np.linalg.norm(matrix, 2), rtol=1e-5)
                old, new = (np.concatenate([values.ravel() for name, values in model.weights.items()
                                            if f"layers.1.mlp.experts.{expert}." in name]) for model in (before, after))
                np.testing.assert_allclose(run["metrics/expert_relative_drift"][0, 1, 1, expert],
                                           np.linalg.norm(new - old) / np.linalg.norm(old), rtol=1e-10)

    def test_of_columns(self):
        self.check(None)

    def test_of_blocks(self):
        self.check("mxfp4")

    def in_columns(self, directory):
        """The checkpoint whose experts are the unpacked numbers in BF16, which are exact, as [E, in, out]."""
        stored = read_stored(directory / "model.safetensors")
        typed = {}
        for name, (kind, values) in stored.items():
            if name.endswith("_blocks"):
                name = name.removesuffix("_blocks")
                unpacked = family_models.unpack_mxfp4(values, stored[name + "_scales"][1])
                typed[name] = (unpacked.transpose(0, 2, 1), "BF16")
            elif not name.endswith("_scales"):
                typed[name] = (widen(kind, values), kind)
        config = json.loads((directory / "config.json").read_text())
        del config["quantization_config"]
        place = directory.with_name(directory.name + "_in_columns")
        write_files(place, "config.json", config, typed, 1)
        return place

    def test_of_both_kinds_are_one_series(self):
        """Every dataset has the same bytes as where both are stored alike, but for what is summed pattern by pattern."""
        packed = [self.directory / f"packed_{step}" for step in (1, 2)]
        for seed, directory in enumerate(packed):
            make_family(directory, "gpt_oss", seed, scales="mxfp4", hidden_size=256, intermediate_size=288,
                        num_local_experts=3, num_hidden_layers=1, layer_types=["full_attention"])
        columns = [self.in_columns(directory) for directory in packed]
        pairs = {"packed": packed, "columns": columns, "mixed": [columns[0], packed[1]], "mixed_later": [packed[0], columns[1]]}
        runs = {name: analyze(self.directory / f"{name}.h5", pair, "--only", "weights", "--spectra", "all")
                for name, pair in pairs.items()}
        patterns = {"magnitude_histogram", "magnitude_quantile", "fraction_changed", "step_histogram"}
        summed = {"std", "kurtosis", "marchenko_pastur_edge", "note", "notes"} | patterns  # a change of dtype is noted
        for name in ("columns", "mixed", "mixed_later"):
            self.assertEqual(analysis_run.differing_datasets(
                runs["packed"], runs[name], ignore=analysis_run.WHERE_IT_CAME_FROM | summed), [], name)

    def test_between_both_kinds_of_equal_numbers_nothing_has_changed(self):
        packed = self.directory / "equal"
        make_family(packed, "gpt_oss", 5, scales="mxfp4")
        done = analysis_run.moescope("compare", packed, self.in_columns(packed))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("All weights are equal.", done.stdout)
        self.assertIn("stored as BF16, in equal as F4", done.stderr)

    def test_of_both_kinds_are_appended_to_one_another(self):
        """A checkpoint that is gone is compared by its sketches, which do not depend on how it was stored."""
        first, second = self.directory / "gone", self.directory / "next"
        make_family(first, "gpt_oss", 5, scales="mxfp4")
        columns = self.in_columns(first)
        path = analyze(self.directory / "appended.h5", [columns], "--only", "weights")
        shutil.rmtree(columns)
        shutil.copytree(first, second)
        done = analysis_run.moescope("analyze", second, "--append", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(path) as run:
            drift = run["metrics/role_sketched_drift"][0, 1]
            np.testing.assert_array_equal(drift[np.isfinite(drift)], 0)
            self.assertGreater(np.isfinite(drift).sum(), 3)


class WhatAModelLacksTest(analysis_run.TestCase):
    """Is left out of the run file and of the report, for the true reason, and not drawn as zeros."""

    def run_and_report(self, family):
        series = [self.directory / family / f"step{step}" for step in (1, 2)]
        for seed, directory in enumerate(series):
            make_family(directory, family, seed)
        _, ids = random_sequences([40], 90, 3)[0]
        done = analysis_run.moescope("analyze", *series, *write_corpus(self.directory / family / "ids", [("prose", ids)]),
                                     "--save", "router_logits", "-o", self.directory / f"{family}.h5")
        self.assertEqual(done.returncode, 0, done.stderr)
        page = self.directory / f"{family}.html"
        self.assertEqual(analysis_run.moescope("report", self.directory / f"{family}.h5", "-o", page).returncode, 0)
        return done.stdout + done.stderr, page.read_text()

    def reason(self, family, figure):
        done = analysis_run.moescope("plot", self.directory / f"{family}.h5", figure, "-o", self.directory / "x.svg")
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_a_softmax_router_has_no_correction_bias(self):
        _, page = self.run_and_report("olmoe")
        with h5py.File(self.directory / "olmoe.h5") as run:
            self.assertNotIn("bias_flips", run["routing"])
            self.assertNotIn("bias_flip_rate", run["metrics"])
        self.assertIn("the model has no score correction bias", self.reason("olmoe", "bias_flip_rate"))
        self.assertIn("mixture of experts", page)
        self.assertNotIn('id="figure-bias_flip_rate"', page)

    def test_a_dense_model_has_no_router(self):
        told, page = self.run_and_report("llama")
        self.assertIn("the model has no router, so that there are no router logits to save", told)
        with h5py.File(self.directory / "llama.h5") as run:
            self.assertNotIn("topk_index", run["routing"])
        for figure in ("load_heatmap", "router_entropy", "router_stable_rank", "router_row_cosine", "expert_drift"):
            self.assertIn("the model has no routed experts", self.reason("llama", figure))
            self.assertNotIn(f'id="figure-{figure}"', page)
        self.assertIn("Training dynamics of a language model", page)
        self.assertNotIn("Routing statistics are associations", page)


class ThreadsTest(analysis_run.TestCase):
    def test_linear_attention_gives_the_same_bytes_for_any_threads(self):
        directory = self.directory / "model"
        make_family(directory, "qwen3_next", 11, linear_num_value_heads=6, linear_num_key_heads=3)
        corpus = write_corpus(self.directory / "ids", random_sequences([150, 64, 3, 70], 96, 11))
        runs = [analyze(self.directory / f"{threads}.h5", [directory], *corpus, "--only", "forward", "--threads", threads,
                        "--save", "router_logits,hidden_states,logits") for threads in (1, 2, 3)]
        for run in runs[1:]:
            self.assertEqual(analysis_run.differing_datasets(runs[0], run), [])


class FixturesTest(analysis_run.TestCase):
    def test_the_program_agrees_with_every_fixture(self):
        for name in sorted(FIXTURES):
            directory = DATA / "families" / name
            with self.subTest(name), h5py.File(directory / "golden.h5") as golden:
                path = run_forward(self.directory / f"{name}.h5", directory, ["--corpus", directory / "ids.npy"],
                                   family_models.of(directory))
                with h5py.File(path) as run:
                    compare_forward(self, run, 0, from_golden(golden, np.arange(len(golden["ids"]))), name)

    def test_the_models_give_what_the_fixtures_were_written_with(self):
        for name in FIXTURES:
            directory = DATA / "families" / name
            with self.subTest(name), h5py.File(directory / "golden.h5") as golden:
                expected, model = from_golden(golden, np.arange(len(golden["ids"]))), family_models.of(directory)
                actual = from_passes([model.forward(ids) for ids in golden["ids"][()]])
                np.testing.assert_array_equal(actual.chosen, expected.chosen)
                for part in ("router_logits", "weights", "margin", "nll", "hidden", "logits"):
                    np.testing.assert_allclose(getattr(actual, part), getattr(expected, part), rtol=0, atol=1e-5, err_msg=part)


if __name__ == "__main__":
    analysis_run.main()
