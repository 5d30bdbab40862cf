"""Writes GGUF files as llama.cpp's converter does, and reads them, with nothing but numpy.

convert(directory, file, "Q8_0") makes one of a checkpoint of safetensors, and twin() a checkpoint of the numbers that
are in it. Format: docs/gguf.md of ggml; names and keys: gguf-py/gguf/constants.py and the converter of llama.cpp.
"""
import json
import math
import pathlib
import re
import struct
import sys

import numpy as np

from checkpoint_maker import to_bytes, write_files
from reference_model import read_stored, widen

TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 8, "Q4_K": 12, "I32": 26, "F64": 28, "BF16": 30}
BLOCK = 32
# Kinds of metadata: name -> (number, format of struct).
KINDS = {"u8": (0, "B"), "i8": (1, "b"), "u16": (2, "H"), "i16": (3, "h"), "u32": (4, "I"), "i32": (5, "i"), "f32": (6, "f"),
         "bool": (7, "?"), "str": (8, None), "array": (9, None), "u64": (10, "Q"), "i64": (11, "q"), "f64": (12, "d")}


def text_bytes(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(data)) + data


def value_bytes(kind, value):
    """An array's value is (kind of its elements, elements)."""
    if kind == "str":
        return text_bytes(value)
    if kind == "array":
        inner, elements = value
        return struct.pack("<IQ", KINDS[inner][0], len(elements)) + b"".join(value_bytes(inner, e) for e in elements)
    return struct.pack("<" + KINDS[kind][1], value)


def gguf_bytes(metadata, tensors, version=3, alignment=32):
    """metadata: key -> (kind, value); tensors: name -> (type, shape, bytes)."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    for key, (kind, value) in metadata.items():
        head += text_bytes(key) + struct.pack("<I", KINDS[kind][0]) + value_bytes(kind, value)
    data = b""
    for name, (dtype, shape, elements) in tensors.items():
        head += text_bytes(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), TYPES[dtype], len(data))
        data += elements + bytes(-len(elements) % alignment)
    return head + bytes(-len(head) % alignment) + data


def quantise(values):
    """Q8_0 of rows of a multiple of 32: (scales as float16, numbers as int8)."""
    blocks = values.astype(np.float32).reshape(-1, BLOCK)
    scale = (np.abs(blocks).max(axis=1) / np.float32(127)).astype(np.float16)
    inverse = np.divide(1, scale.astype(np.float32), out=np.zeros(len(scale), np.float32), where=scale != 0)
    return scale, np.clip(np.round(blocks * inverse[:, None]), -127, 127).astype(np.int8)


def stored_as(values, dtype):
    """The bytes, and the numbers that they are, as float32."""
    if dtype != "Q8_0":
        data = to_bytes(values, dtype)
        return data, widen(dtype, np.frombuffer(data, {"BF16": np.uint16, "F16": np.float16, "F32": np.float32}[dtype])).astype(
            np.float32).reshape(values.shape)
    scale, numbers = quantise(values)
    data = np.concatenate([scale[:, None].view(np.uint8).reshape(-1, 2), numbers.view(np.uint8)], axis=1).tobytes()
    return data, (scale.astype(np.float32)[:, None] * numbers.astype(np.float32)).reshape(values.shape)


# What a tensor is called, by the end of its name in a layer.
LAYER_NAMES = {
    "input_layernorm.weight": "attn_norm.weight", "post_attention_layernorm.weight": "ffn_norm.weight",
    "pre_mlp_layernorm.weight": "ffn_norm.weight", "post_mlp_layernorm.weight": "post_ffw_norm.weight",
    "post_feedforward_layernorm.weight": "post_ffw_norm.weight",
    "self_attn.q_norm.weight": "attn_q_norm.weight", "self_attn.k_norm.weight": "attn_k_norm.weight",
    "self_attn.o_proj.weight": "attn_output.weight", "self_attn.o_proj.bias": "attn_output.bias",
    "self_attn.gate_proj.weight": "attn_gate.weight",
    "self_attn.q_a_proj.weight": "attn_q_a.weight", "self_attn.q_a_layernorm.weight": "attn_q_a_norm.weight",
    "self_attn.q_b_proj.weight": "attn_q_b.weight", "self_attn.kv_a_proj_with_mqa.weight": "attn_kv_a_mqa.weight",
    "self_attn.kv_a_layernorm.weight": "attn_kv_a_norm.weight", "self_attn.kv_b_proj.weight": "attn_kv_b.weight",
    "attention.query_key_value.weight": "attn_qkv.weight", "attention.dense.weight": "attn_output.weight",
    "attention.query_key_value.bias": "attn_qkv.bias",
    "attention.query_layernorm.weight": "attn_q_norm.weight", "attention.key_layernorm.weight": "attn_k_norm.weight",
    "mlp.gate.weight": "ffn_gate_inp.weight", "mlp.router.gate.weight": "ffn_gate_inp.weight",
    "block_sparse_moe.gate.weight": "ffn_gate_inp.weight",
    "mlp.gate.e_score_correction_bias": "exp_probs_b.bias", "mlp.gate.expert_bias": "exp_probs_b.bias",
    "mlp.expert_bias": "exp_probs_b.bias", "block_sparse_moe.e_score_correction_bias": "exp_probs_b.bias",
    "mlp.shared_expert_gate.weight": "ffn_gate_inp_shexp.weight",
    **{f"{p}.weight": f"nextn.{p.replace('.', '_')}.weight" for p in (
        "eh_proj", "enorm", "hnorm", "embed_tokens", "shared_head.head", "shared_head.norm")},
    **{f"self_attn.{p}_proj.{kind}": f"attn_{p}.{kind}" for p in "qkv" for kind in ("weight", "bias")},
    **{f"mlp.{p}_proj.{kind}": f"ffn_{p}.{kind}" for p in ("gate", "up", "down") for kind in ("weight", "bias")},
    **{f"mlp.shared_expert{s}.{p}_proj.weight": f"ffn_{p}_shexp.weight" for s in ("", "s") for p in ("gate", "up", "down")},
}
OUTER_NAMES = {"model.embed_tokens.weight": "token_embd.weight", "model.word_embeddings.weight": "token_embd.weight",
               "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}
EXPERT = re.compile(r"(?:mlp|block_sparse_moe)\.experts\.(\d+)\.(gate_proj|up_proj|down_proj|w1|w2|w3)\.weight")
EXPERT_PARTS = {"gate_proj": "gate", "up_proj": "up", "down_proj": "down", "w1": "gate", "w2": "down", "w3": "up"}
# By model_type and whether there are experts.
ARCHITECTURES = {"olmoe": "olmoe", "qwen2_moe": "qwen2moe", "qwen3_moe": "qwen3moe", "dots1": "dots1", "mixtral": "llama",
                 "llama": "llama", "glm4_moe": "glm4moe", "bailing_moe": "bailingmoe2", "minimax_m2": "minimax-m2",
                 "afmoe": "afmoe", "olmo2": "olmo2", "qwen3": "qwen3", "deepseek_v2": "deepseek2", "deepseek_v3": "deepseek2"}


def layer_name(architecture, name):
    if name == "post_attention_layernorm.weight" and architecture in ("glm4moe", "olmo2", "afmoe"):
        return "post_attention_norm.weight"
    return LAYER_NAMES[name]


def permuted(values, heads):
    """Rows as Llama's converter puts them: those of feature i and i + half of a head one after the other."""
    return values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def renamed(config, stored):
    """stored: name -> float array, as safetensors have them. GGUF name -> (array, names in the order in which it holds them)."""
    architecture = ARCHITECTURES[config["model_type"]]
    found, experts = {}, {}
    for name, values in stored.items():
        match = re.fullmatch(r"model\.layers\.(\d+)\.(.+)", name)
        if match is None:
            found[OUTER_NAMES[name]] = (values, [name])
            continue
        layer, inner = match.groups()
        if architecture == "deepseek2" and int(layer) >= config["num_hidden_layers"]:
            continue  # the converter leaves out layers that predict further tokens
        expert = EXPERT.fullmatch(inner)
        if expert is not None:
            experts.setdefault((layer, EXPERT_PARTS[expert.group(2)]), {})[int(expert.group(1))] = (values, name)
            continue
        if architecture == "llama" and inner.startswith(("self_attn.q_proj", "self_attn.k_proj")):
            values = permuted(values, config["num_attention_heads" if "q_proj" in inner else "num_key_value_heads"])
        found[f"blk.{layer}.{layer_name(architecture, inner)}"] = (values, [name])
    for (layer, part), all_of in experts.items():
        ordered = [all_of[expert] for expert in range(len(all_of))]
        found[f"blk.{layer}.ffn_{part}_exps.weight"] = (np.stack([v for v, _ in ordered]), [n for _, n in ordered])
    return found


def dtype_of(name, values, dtype):
    """What the converter leaves in F32; rows that are no whole blocks become F16."""
    if values.ndim < 2 or name.endswith("ffn_gate_inp.weight"):
        return "F32"
    return "F16" if dtype == "Q8_0" and values.shape[-1] % BLOCK else dtype


def metadata_of(config):
    """What the converter writes of a config.json, and a vocabulary with which llama.cpp opens the file."""
    name, size = ARCHITECTURES[config["model_type"]], config["vocab_size"]
    tokens = ["\u010a", "\u0120"] + [chr(33 + i) for i in range(93)] + [f"t{i}" for i in range(size)]
    metadata = {"general.architecture": ("str", name), "general.name": ("str", "a test"), "general.file_type": ("u32", 0),
                "tokenizer.ggml.model": ("str", "gpt2"), "tokenizer.ggml.pre": ("str", "default"),
                "tokenizer.ggml.tokens": ("array", ("str", tokens[:size])),
                "tokenizer.ggml.token_type": ("array", ("i32", [1] * size)),
                "tokenizer.ggml.merges": ("array", ("str", ["a b"])), "tokenizer.ggml.bos_token_id": ("u32", 0)}

    def tell(key, kind, *of):
        value = next((config[key] for key in of if config.get(key) is not None), None)
        if value is not None:
            metadata[f"{name}.{key}"] = (kind, value)

    nextn = config.get("num_nextn_predict_layers") or 0 if name in ("glm4moe", "bailingmoe2") else 0
    metadata[f"{name}.block_count"] = ("u32", config["num_hidden_layers"] + nextn)
    if nextn:
        metadata[f"{name}.nextn_predict_layers"] = ("u32", nextn)
    eos = config["eos_token_id"]
    metadata["tokenizer.ggml.eos_token_id"] = ("u32", eos[0] if isinstance(eos, list) else eos)
    tell("context_length", "u32", "max_position_embeddings")
    tell("embedding_length", "u32", "hidden_size")
    tell("feed_forward_length", "u32", "intermediate_size")
    tell("attention.head_count", "u32", "num_attention_heads")
    tell("attention.head_count_kv", "u32", "num_key_value_heads")
    tell("attention.layer_norm_rms_epsilon", "f32", "rms_norm_eps")
    tell("rope.freq_base", "f32", "rope_theta")
    tell("expert_count", "u32", "num_experts", "num_local_experts", "n_routed_experts")
    tell("expert_used_count", "u32", "num_experts_per_tok")
    tell("expert_feed_forward_length", "u32", "moe_intermediate_size")
    tell("expert_group_count", "u32", "n_group")
    tell("expert_group_used_count", "u32", "topk_group")
    tell("leading_dense_block_count", "u32", "first_k_dense_replace", "num_dense_layers")
    tell("expert_shared_count", "u32", "n_shared_experts", "num_shared_experts")
    tell("expert_shared_feed_forward_length", "u32", "shared_expert_intermediate_size")
    tell("expert_weights_scale", "f32", "routed_scaling_factor", "route_scale")
    if name not in ("olmoe", "qwen2moe", "qwen3moe"):
        tell("expert_weights_norm", "bool", "norm_topk_prob", "route_norm")
    score = next((config[key] for key in ("score_function", "scoring_func", "score_func") if key in config), None)
    if score is not None or name == "glm4moe":
        metadata[f"{name}.expert_gating_func"] = ("u32", 1 if score == "softmax" else 2)
    if name == "minimax-m2":
        metadata[f"{name}.expert_feed_forward_length"] = ("u32", config["intermediate_size"])
    if name == "afmoe":
        tell("attention.sliding_window", "u32", "sliding_window")
    head = config.get("head_dim")
    if name == "deepseek2":
        rotated = config["qk_rope_head_dim"]
        metadata |= {f"{name}.attention.key_length": ("u32", config["qk_nope_head_dim"] + rotated),
                     f"{name}.attention.value_length": ("u32", config["v_head_dim"]),
                     f"{name}.rope.dimension_count": ("u32", rotated)}
        tell("attention.kv_lora_rank", "u32", "kv_lora_rank")
        tell("attention.q_lora_rank", "u32", "q_lora_rank")
    elif head is not None:
        metadata[f"{name}.attention.key_length"] = metadata[f"{name}.attention.value_length"] = ("u32", head)
    head = head or config["hidden_size"] // config["num_attention_heads"]
    share = config.get("partial_rotary_factor", 0.5 if name == "glm4moe" else 1)
    if name in ("glm4moe", "bailingmoe2", "llama", "minimax-m2", "afmoe"):
        metadata[f"{name}.rope.dimension_count"] = ("u32", config.get("rotary_dim", int(head * share)))
    scaling = config.get("rope_scaling") or {}
    kind = scaling.get("rope_type", scaling.get("type"))
    if kind in ("linear", "yarn"):
        metadata |= {f"{name}.rope.scaling.type": ("str", kind), f"{name}.rope.scaling.factor": ("f32", scaling["factor"])}
    if kind == "yarn":
        metadata[f"{name}.rope.scaling.original_context_length"] = ("u32", scaling["original_max_position_embeddings"])
        metadata[f"{name}.rope.scaling.yarn_log_multiplier"] = ("f32", 0.1 * scaling["mscale_all_dim"])
        for key in ("beta_fast", "beta_slow"):
            metadata[f"{name}.rope.scaling.yarn_{key}"] = ("f32", scaling[key])
    return metadata


def as_before(values, heads):
    """The rows that were permuted()."""
    return values.reshape(heads, values.shape[0] // heads // 2, 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def read_checkpoint(directory):
    stored = {}
    for path in sorted(pathlib.Path(directory).glob("*.safetensors")):
        stored.update({name: widen(dtype, values).astype(np.float64) for name, (dtype, values) in read_stored(path).items()})
    return json.loads((pathlib.Path(directory) / "config.json").read_text()), stored


def llama3_factors(config):
    """By what each frequency of Llama 3's rotary embedding is divided, in float32; None for other models."""
    scaling = config.get("rope_scaling") or {}
    if scaling.get("rope_type") != "llama3":
        return None
    dim = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    frequencies = 1 / (config["rope_theta"] ** (np.arange(0, dim, 2, dtype=np.float32) / np.float32(dim)))
    length = 2 * math.pi / frequencies
    low, high, old = scaling["low_freq_factor"], scaling["high_freq_factor"], scaling["original_max_position_embeddings"]
    smooth = 1 / ((1 - (old / length - low) / (high - low)) / scaling["factor"] + (old / length - low) / (high - low))
    return np.where(length < old / high, 1, np.where(length > old / low, scaling["factor"], smooth)).astype(np.float32)


def tensors_of(config, stored, dtype):
    """GGUF name -> (type, shape, bytes, the numbers as float32, names of the tensors that it holds)."""
    tensors = {}
    for name, (values, holds) in renamed(config, stored).items():
        kind = dtype_of(name, values, dtype)
        data, numbers = stored_as(values, kind)
        shape = values.shape[1:] if values.shape[0] == 1 and values.ndim == 2 else values.shape
        tensors[name] = (kind, shape, data, numbers, holds)
    factors = llama3_factors(config)
    if factors is not None:
        tensors["rope_freqs.weight"] = ("F32", factors.shape, factors.tobytes(), factors, [])
    return tensors


def convert(directory, file, dtype, parts=1, **changes):
    """Writes `file`, or its parts FILE-00001-of-0000N.gguf; `changes` of metadata. The paths."""
    config, stored = read_checkpoint(directory)
    tensors = {name: tensor[:3] for name, tensor in tensors_of(config, stored, dtype).items()}
    metadata = {**metadata_of(config), **changes}
    file = pathlib.Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    if parts == 1:
        file.write_bytes(gguf_bytes(metadata, tensors))
        return [file]
    paths = [file.with_name(f"{file.stem}-{part + 1:05}-of-{parts:05}.gguf") for part in range(parts)]
    for part, path in enumerate(paths):
        split = {"split.no": ("u16", part), "split.count": ("u16", parts), "split.tensors.count": ("i32", len(tensors))}
        names = list(tensors)[part::parts]
        path.write_bytes(gguf_bytes({**(metadata if part == 0 else {}), **split}, {name: tensors[name] for name in names}))
    return paths


def twin(directory, target, dtype):
    """A checkpoint of safetensors of the numbers that convert() stores: those of Q8_0 in F32, all others in their type."""
    config, stored = read_checkpoint(directory)
    typed = {}
    for kind, _, _, numbers, holds in tensors_of(config, stored, dtype).values():
        if not holds:
            continue
        for name, values in zip(holds, numbers if len(holds) > 1 or numbers.ndim > stored[holds[0]].ndim else [numbers]):
            if ARCHITECTURES[config["model_type"]] == "llama" and ("q_proj" in name or "k_proj" in name):
                values = as_before(values, config["num_attention_heads" if "q_proj" in name else "num_key_value_heads"])
            typed[name] = (values.reshape(stored[name].shape).astype(np.float64), "F32" if kind == "Q8_0" else kind)
    write_files(target, "config.json", {**config, "torch_dtype": "float32"}, {name: typed[name] for name in stored if name in typed}, 1)
    return target


def read_header(path):
    """Metadata without arrays' elements, and name -> (type, shape, offset in the file, bytes)."""
    data, place = pathlib.Path(path).read_bytes(), 24
    assert data[:4] == b"GGUF"
    _, count, entries = struct.unpack("<IQQ", data[4:24])
    formats = dict(KINDS.values())
    names = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "bool", "text", "array", "uint64", "int64", "float64"]

    def number(kind):
        nonlocal place
        place += struct.calcsize("<" + kind)
        return struct.unpack_from("<" + kind, data, place - struct.calcsize("<" + kind))[0]

    def text():
        nonlocal place
        length = number("Q")
        place += length
        return data[place - length:place].decode()

    def value(kind):
        if kind == 8:
            return text()
        if kind != 9:
            return number(formats[kind])
        inner, length = number("I"), number("Q")
        for _ in range(length):
            value(inner)
        return f"array of {length} {names[inner]}"

    metadata = {text(): value(number("I")) for _ in range(entries)}
    tensors = {}
    for _ in range(count):
        name = text()
        shape = [number("Q") for _ in range(number("I"))][::-1]
        dtype = {number: name for name, number in TYPES.items()}[number("I")]
        tensors[name] = (dtype, shape, number("Q"))
    begin = place + -place % metadata.get("general.alignment", 32)

    def size(dtype, shape):
        return math.prod(shape) * 34 // 32 if dtype == "Q8_0" else math.prod(shape) * {"F32": 4, "F64": 8}.get(dtype, 2)

    return metadata, {name: (dtype, shape, begin + offset, size(dtype, shape)) for name, (dtype, shape, offset) in tensors.items()}


# Of data/families, for data/golden/gguf; llama.cpp opens no others (of Ling it wants heads that are as wide as the model, and
# it tells DeepSeek-V2 by its number of layers).
GOLDEN_FILES = {"deepseek_v2": "Q8_0", "mixtral": "F16", "qwen2_moe": "BF16"}
GOLDEN_FORWARDS = ["afmoe", "deepseek_v3", "glm4_moe", "minimax_m2", "mixtral", "olmo2", "olmoe", "qwen2_moe",
                   "qwen3", "qwen3_moe"]
NESTED = {"test.nested": ("array", ("array", [("u8", [1, 2]), ("str", ["a"])]))}


def convert_golden_file(fixture, directory):
    return convert(FIXTURES / fixture, directory / f"{fixture}.gguf", GOLDEN_FILES[fixture], **NESTED)[0]


FIXTURES = pathlib.Path(__file__).parents[2] / "data/families"

if __name__ == "__main__":
    for name in GOLDEN_FILES:
        convert_golden_file(name, pathlib.Path(sys.argv[1]) / "headers")
    for name in GOLDEN_FORWARDS:
        convert(FIXTURES / name, pathlib.Path(sys.argv[1]) / f"forwards/{name}.gguf", "F32")
