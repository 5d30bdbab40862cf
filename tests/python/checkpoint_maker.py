"""Writes small dots1 checkpoints with random weights, in the Hugging Face layout and in any of its options."""
import json
import pathlib

import numpy as np

SMALL = dict(
    architectures=["Dots1ForCausalLM"], model_type="dots1", hidden_act="silu", hidden_size=32, num_hidden_layers=3,
    num_attention_heads=4, num_key_value_heads=4, intermediate_size=48, moe_intermediate_size=24, n_routed_experts=16,
    n_shared_experts=2, num_experts_per_tok=4, first_k_dense_replace=1, moe_layer_freq=1, n_group=1, topk_group=1,
    norm_topk_prob=True, routed_scaling_factor=2.5, scoring_func="noaux_tc", topk_method="noaux_tc",
    rms_norm_eps=1e-5, rope_theta=1e7, rope_scaling=None, sliding_window=None, max_window_layers=3,
    max_position_embeddings=2048, attention_bias=False, tie_word_embeddings=False, vocab_size=96, eos_token_id=1)
TORCH_NAMES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}


def to_bytes(values, dtype):
    """float64 values, rounded once to nearest even; of 8-bit types the bit patterns."""
    if dtype == "BF16":
        bits = values.astype(np.float32).view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16).tobytes()
    return values.astype({"F16": np.float16, "F32": np.float32, "F8_E4M3": np.uint8, "U8": np.uint8}[dtype]).tobytes()


def write_safetensors(path, tensors):
    """tensors: name -> (array, dtype). The header is not padded, so that the data may lie unaligned."""
    header, blobs, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name, (values, dtype) in tensors.items():
        blobs.append(to_bytes(values, dtype))
        header[name] = dict(dtype=dtype, shape=list(values.shape), data_offsets=[offset, offset + len(blobs[-1])])
        offset += len(blobs[-1])
    text = json.dumps(header).encode()
    pathlib.Path(path).write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blobs))


class RandomTensors(dict):
    """name -> float64 array. Scales are chosen so that hidden states stay near 1."""

    def __init__(self, random):
        super().__init__()
        self.random = random

    def matrix(self, name, rows, cols, gain=1.0):
        self[name + ".weight"] = self.random.normal(0, gain / np.sqrt(cols), (rows, cols))

    def vector(self, name, size, mean, std):
        self[name] = self.random.normal(mean, std, size)

    def mlp(self, name, hidden, width, parts=("gate_proj", "up_proj", "down_proj")):
        gate, up, down = parts
        self.matrix(f"{name}.{gate}", width, hidden)
        self.matrix(f"{name}.{up}", width, hidden)
        self.matrix(f"{name}.{down}", hidden, width)


def random_tensors(config, random, score_bias):
    """The router is neither flat nor one-sided."""
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    kv_heads, dim = config["num_key_value_heads"], config.get("head_dim") or hidden // heads
    tensors = RandomTensors(random)
    tensors["model.embed_tokens.weight"] = random.normal(0, 0.5, (config["vocab_size"], hidden))
    for layer in range(config["num_hidden_layers"]):
        name = f"model.layers.{layer}"
        tensors.vector(name + ".input_layernorm.weight", hidden, 1, 0.2)
        attention = {"q_proj": (heads * dim, hidden), "k_proj": (kv_heads * dim, hidden),
                     "v_proj": (kv_heads * dim, hidden), "o_proj": (hidden, heads * dim)}
        for projection, (rows, cols) in attention.items():
            tensors.matrix(f"{name}.self_attn.{projection}", rows, cols)
            if config["attention_bias"]:
                tensors.vector(f"{name}.self_attn.{projection}.bias", rows, 0, 0.3)
        tensors.vector(name + ".self_attn.q_norm.weight", dim, 1, 0.3)
        tensors.vector(name + ".self_attn.k_norm.weight", dim, 1, 0.3)
        tensors.vector(name + ".post_attention_layernorm.weight", hidden, 1, 0.2)
        if layer < config["first_k_dense_replace"] or layer % config["moe_layer_freq"]:
            tensors.mlp(name + ".mlp", hidden, config["intermediate_size"])
            continue
        tensors.matrix(name + ".mlp.gate", config["n_routed_experts"], hidden, gain=1.5)
        tensors.vector(name + ".mlp.gate.e_score_correction_bias", config["n_routed_experts"], 0, score_bias)
        for expert in range(config["n_routed_experts"]):
            tensors.mlp(f"{name}.mlp.experts.{expert}", hidden, config["moe_intermediate_size"])
        if config["n_shared_experts"]:
            tensors.mlp(name + ".mlp.shared_experts", hidden, config["n_shared_experts"] * config["moe_intermediate_size"])
    tensors.vector("model.norm.weight", hidden, 1, 0.2)
    if not config["tie_word_embeddings"]:
        tensors.matrix("lm_head", config["vocab_size"], hidden, gain=2.0)
    return tensors


def fuse_experts(tensors):
    """The newer layout: one tensor for all experts' gate and up projections of a layer, one for down."""
    fused = {}
    for name, values in tensors.items():
        prefix, is_expert, rest = name.partition(".mlp.experts.")
        if not is_expert:
            fused[name] = values
        elif rest == "0.gate_proj.weight":
            experts = sum(other.startswith(prefix + is_expert) and other.endswith(".gate_proj.weight") for other in tensors)
            expert = [[tensors[f"{prefix}.mlp.experts.{e}.{part}_proj.weight"] for part in ("gate", "up", "down")]
                      for e in range(experts)]
            fused[prefix + ".mlp.experts.gate_up_proj"] = np.stack([np.concatenate(e[:2]) for e in expert])
            fused[prefix + ".mlp.experts.down_proj"] = np.stack([e[2] for e in expert])
    return fused


def write_checkpoint(directory, config, tensors, dtype="BF16", bias_dtype="F32", shards=1):
    """tensors: name -> float64 array. `config` is written as it is, plus torch_dtype."""
    typed = {name: (values, bias_dtype if name.endswith("e_score_correction_bias") else dtype)
             for name, values in tensors.items()}
    write_files(directory, "config.json", {**config, "torch_dtype": TORCH_NAMES[dtype]}, typed, shards)


def write_files(directory, config_name, config, typed, shards):
    """typed: name -> (array, dtype)."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / config_name).write_text(json.dumps(config, indent=1) + "\n")
    if shards == 1:
        return write_safetensors(directory / "model.safetensors", typed)
    weight_map = {}
    for shard in range(shards):  # dealt like cards, so that a layer is spread over all shards
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        names = list(typed)[shard::shards]
        write_safetensors(directory / file, {name: typed[name] for name in names})
        weight_map.update({name: file for name in names})
    total = sum(len(to_bytes(*tensor)) for tensor in typed.values())
    (directory / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": total}, "weight_map": weight_map}))


def make_checkpoint(directory, seed, dtype="BF16", bias_dtype="F32", shards=1, fused=False, score_bias=0.1, **options):
    """A random checkpoint; `options` replace keys of SMALL (a value of None for head_dim leaves the key out)."""
    config = {**SMALL, **options}
    tensors = random_tensors(config, np.random.default_rng(seed), score_bias)
    write_checkpoint(directory, config, fuse_experts(tensors) if fused else tensors, dtype, bias_dtype, shards)
