"""Writes data/families: a small random checkpoint of each family, and what its float64 model computes for it.

    python3 write_family_fixtures.py [directory]

Always the same bytes. The seeds are such that every expert is used and no choice is close.
"""
import pathlib
import sys

import h5py
import numpy as np

import family_models
from family_maker import ABSENT, make_family

TINY = dict(hidden_size=24, num_hidden_layers=3, vocab_size=48, intermediate_size=32)
EXPERTS = dict(num_experts=8, num_experts_per_tok=3, moe_intermediate_size=8)
ROUTED = dict(n_routed_experts=8, num_experts_per_tok=3, moe_intermediate_size=8)
LOCAL = dict(num_local_experts=8, num_experts_per_tok=3, intermediate_size=8)
HYBRID = dict(shared_expert_intermediate_size=12, full_attention_interval=2,
              layer_types=["linear_attention", "full_attention", "linear_attention"])
SHORT = dict(num_hidden_layers=2, layer_types=["sliding_attention", "full_attention"], num_local_experts=6)
# name -> (family, seed, options of make_family)
FIXTURES = {
    "afmoe": ("afmoe", 1, {**TINY, **EXPERTS, "num_dense_layers": 1, "global_attn_every_n_layers": 2,
                           "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}),
    "bailing_moe_v2": ("bailing_moe_v2", 5, {**TINY, **EXPERTS, "moe_shared_expert_intermediate_size": 8}),
    "deepseek_v2": ("deepseek_v2", 26, {**TINY, **ROUTED}),
    "deepseek_v3": ("deepseek_v3", 1, {**TINY, **ROUTED, "extras": True}),
    "deepseek_v3_fp8": ("deepseek_v3", 1, {**TINY, **ROUTED, "scales": "block", "intermediate_size": 136, "qk_nope_head_dim": 28,
                                           "v_head_dim": 33, "num_nextn_predict_layers": 0}),
    "dots1_fp8": ("dots1", 2, {**TINY, **ROUTED, "scales": "row"}),
    "emo": ("emo", 7, {**TINY, "num_experts": 8, "num_experts_per_tok": 3, "intermediate_size": 8}),
    "flame_moe": ("flame_moe", 11, dict(
        hidden_size=24, kv_channels=6, padded_vocab_size=48, ffn_hidden_size=32, num_experts=8, moe_ffn_hidden_size=8,
        moe_shared_expert_intermediate_size=16, num_query_groups=2, group_query_attention=True)),
    "glm4_moe": ("glm4_moe", 4, {**TINY, **ROUTED}),
    "glm4_moe_lite": ("glm4_moe_lite", 1, {**TINY, **ROUTED}),
    "gpt_oss": ("gpt_oss", 1, {**TINY, **SHORT, "intermediate_size": 16}),
    "gpt_oss_mxfp4": ("gpt_oss", 1, {**TINY, **SHORT, "scales": "mxfp4", "hidden_size": 32, "intermediate_size": 64}),
    "llama": ("llama", 1, TINY),
    "minimax_m2": ("minimax_m2", 3, {**TINY, **LOCAL}),
    "mixtral": ("mixtral", 4, {**TINY, **LOCAL, "num_experts_per_tok": 2}),
    "olmo2": ("olmo2", 1, TINY),
    "olmoe": ("olmoe", 35, {**TINY, "num_experts": 8, "num_experts_per_tok": 3, "intermediate_size": 8}),
    "qwen2_moe": ("qwen2_moe", 1, {**TINY, **EXPERTS, "shared_expert_intermediate_size": 16, "sliding_window": 8}),
    "qwen3": ("qwen3", 1, TINY),
    "qwen3_5_moe": ("qwen3_5_moe", 10, {**TINY, **EXPERTS, **HYBRID, "intermediate_size": ABSENT, "fused": True, "extras": True}),
    "qwen3_moe": ("qwen3_moe", 26, {**TINY, **EXPERTS}),
    "qwen3_next": ("qwen3_next", 28, {**TINY, **EXPERTS, **HYBRID}),
}
SEQUENCES, LENGTH = 2, 32


def golden_values(ids, passes):
    """name -> array; of layers without routing there is nothing but the hidden states."""
    def stacked(values):
        return np.stack(values).astype(np.float32)

    values = {name: stacked([getattr(p, name) for p in passes]) for name in ("embed", "final_norm", "logits")}
    values.update(ids=ids, nll=stacked([p.nll[:-1] for p in passes]), mean_nll=np.array([np.nanmean([p.nll for p in passes])]))
    values.update({f"hidden_{layer}": stacked([p.hidden[layer] for p in passes]) for layer in range(len(passes[0].hidden))})
    parts = {"router_logits": "router_logits", "scores": "scores", "sel_scores": "selection_scores", "topk_w": "weights",
             "margin": "margin", "group_margin": "group_margin"}
    for layer in passes[0].routing:
        routing = [p.routing[layer] for p in passes]
        values[f"topk_idx_{layer}"] = np.stack([r.chosen for r in routing]).astype(np.int32)
        for name, part in parts.items():
            array = stacked([getattr(r, part) for r in routing])
            if not np.isnan(array).all():
                values[f"{name}_{layer}"] = array
    return values


def write_fixture(directory, name):
    """Returns the passes of the model."""
    family, seed, options = FIXTURES[name]
    make_family(directory, family, seed, **options)
    model = family_models.of(directory)
    vocabulary = len(model.weights["model.embed_tokens.weight"])
    ids = np.random.default_rng(seed + 1).integers(0, vocabulary, (SEQUENCES, LENGTH)).astype(np.int32)
    np.save(directory / "ids.npy", ids)
    passes = [model.forward(row) for row in ids]
    with h5py.File(directory / "golden.h5", "w") as golden:
        golden.attrs["source"] = "tests/python/family_models.py, float64"
        for key, values in golden_values(ids, passes).items():
            golden[key] = values
    return passes


def main(directory):
    for name in FIXTURES:
        write_fixture(directory / name, name)
        size = sum(file.stat().st_size for file in (directory / name).iterdir())
        print(f"{name}: {size / 1000:.0f} kB")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2] / "data/families")
