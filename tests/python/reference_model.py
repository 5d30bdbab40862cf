"""The forward pass of dots1 in float64 numpy: the measure of the C++ one.

Written from the description of the model alone, for reading rather than for speed: one sequence at a time, every
weight widened to float64, one matrix product per line of the paper.
Sizes: T tokens, H hidden_size, E routed experts, K experts per token, V vocabulary.
"""
import json
import pathlib
import types

import numpy as np

NUMPY_TYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16, "I64": np.int64}


def read_stored(path):
    """name -> (dtype, array of the elements as stored); BF16 are bit patterns."""
    data = pathlib.Path(path).read_bytes()
    header_size = int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8:8 + header_size]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + header_size + offset for offset in entry["data_offsets"])
        array = np.frombuffer(data[begin:end], NUMPY_TYPES[entry["dtype"]]).reshape(entry["shape"])
        tensors[name] = (entry["dtype"], array)
    return tensors


def widen(dtype, array):
    """BF16 becomes float32, which holds it exactly."""
    return (array.astype(np.uint32) << 16).view(np.float32) if dtype == "BF16" else array


def read_safetensors(path):
    """name -> array; BF16 is widened to float32."""
    return {name: widen(*stored) for name, stored in read_stored(path).items()}


def read_weights(directory):
    """Every tensor of a checkpoint, under its per-expert name whatever its layout is."""
    directory = pathlib.Path(directory)
    index = directory / "model.safetensors.index.json"
    shards = sorted(set(json.loads(index.read_text())["weight_map"].values())) if index.exists() \
        else ["model.safetensors"]
    tensors = {}
    for shard in shards:
        tensors.update(read_safetensors(directory / shard))
    for name in [name for name in tensors if ".mlp.experts.gate_up_proj" in name or ".mlp.experts.down_proj" in name]:
        prefix, projection = name.rsplit(".", 1)
        for expert, rows in enumerate(tensors.pop(name)):
            parts = {"down_proj": rows} if projection == "down_proj" else \
                {"gate_proj": rows[:len(rows) // 2], "up_proj": rows[len(rows) // 2:]}
            for part, values in parts.items():
                tensors[f"{prefix}.{expert}.{part}.weight"] = values
    return tensors


def round_to_bfloat16(x):
    """float64 values of the nearest bfloat16, ties to even."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32).astype(np.float64)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def silu(x):
    return x * sigmoid(x)


def rms_norm(x, gain, eps):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * gain


def rotary_embedding(x, theta):
    """x [T, heads, head_dim], position = row; the two halves of head_dim are real and imaginary parts."""
    tokens, _, dim = x.shape
    angle = np.outer(np.arange(tokens), theta ** (-np.arange(0, dim, 2) / dim))[:, None, :]
    real, imaginary = x[..., :dim // 2], x[..., dim // 2:]
    return np.concatenate([real * np.cos(angle) - imaginary * np.sin(angle),
                           imaginary * np.cos(angle) + real * np.sin(angle)], axis=-1)


class ReferenceModel:
    """With round_operands every activation is rounded to bfloat16 before each matrix product but the router's."""

    def __init__(self, directory, round_operands=False):
        self.operand = round_to_bfloat16 if round_operands else lambda x: x
        self.config = json.loads((pathlib.Path(directory) / "config.json").read_text())
        self.weights = {name: values.astype(np.float64) for name, values in read_weights(directory).items()}
        self.layers = self.config["num_hidden_layers"]
        self.eps = self.config["rms_norm_eps"]
        self.rope_theta = self.config.get("rope_theta") or self.config["rope_parameters"]["rope_theta"]

    def moe_layers(self):
        first, frequency = self.config["first_k_dense_replace"], self.config.get("moe_layer_freq", 1)
        return [layer for layer in range(self.layers) if layer >= first and layer % frequency == 0]

    def window(self, layer):
        """How many tokens a token of this layer sees, itself included; None: all before it."""
        size, layer_types = self.config.get("sliding_window"), self.config.get("layer_types")
        if layer_types:
            return size if layer_types[layer] == "sliding_attention" else None
        return size if size is not None and layer >= self.config["max_window_layers"] else None

    def linear(self, name, x):
        bias = self.weights.get(name + ".bias")
        product = self.operand(x) @ self.weights[name + ".weight"].T
        return product if bias is None else product + bias

    def norm(self, name, x):
        return rms_norm(x, self.weights[name + ".weight"], self.eps)

    def attention(self, layer, x):
        name, tokens = f"model.layers.{layer}.self_attn.", len(x)
        heads = self.config["num_attention_heads"]
        kv_heads = self.config.get("num_key_value_heads") or heads
        dim = self.config.get("head_dim") or self.config["hidden_size"] // heads
        query = self.linear(name + "q_proj", x).reshape(tokens, heads, dim)
        key = self.linear(name + "k_proj", x).reshape(tokens, kv_heads, dim)
        value = self.linear(name + "v_proj", x).reshape(tokens, kv_heads, dim)
        query = rotary_embedding(self.norm(name + "q_norm", query), self.rope_theta)
        key = rotary_embedding(self.norm(name + "k_norm", key), self.rope_theta)
        key, value = (np.repeat(a, heads // kv_heads, axis=1) for a in (key, value))
        query, key, value = (self.operand(a).transpose(1, 0, 2) for a in (query, key, value))  # [heads, T, head_dim]
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(dim)
        distance = np.arange(tokens)[:, None] - np.arange(tokens)[None, :]
        visible = (distance >= 0) & (distance < (self.window(layer) or tokens))
        scores = np.where(visible, scores, -np.inf)
        share = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mean = self.operand(share) @ value / share.sum(axis=-1, keepdims=True)
        return self.linear(name + "o_proj", mean.transpose(1, 0, 2).reshape(tokens, heads * dim))

    def mlp(self, name, x):
        return self.linear(name + ".down_proj", silu(self.linear(name + ".gate_proj", x)) * self.linear(name + ".up_proj", x))

    def route(self, layer, x):
        """Scores and selection scores [T, E], the choice of every token [T, K] (best first), margins [T]."""
        name, top = f"model.layers.{layer}.mlp.gate", self.config["num_experts_per_tok"]
        logits = x @ self.weights[name + ".weight"].T
        scores = sigmoid(logits)
        selection = scores + self.weights[name + ".e_score_correction_bias"]
        ranked, ranked_selection, group_margin = self.rank_experts(selection)
        chosen = ranked[:, :top]
        weights = np.take_along_axis(scores, chosen, axis=-1)
        if self.config["norm_topk_prob"]:
            weights = weights / (weights.sum(axis=-1, keepdims=True) + 1e-20)
        nobody = np.full((len(x), 1), -np.inf)
        next_selection = np.concatenate([ranked_selection, nobody], axis=1)[:, top]
        margin = np.where(np.isinf(next_selection), np.nan, ranked_selection[:, top - 1] - next_selection)
        return types.SimpleNamespace(
            router_logits=logits, scores=scores, selection_scores=selection, chosen=chosen,
            chosen_without_bias=self.rank_experts(scores)[0][:, :top],
            weights=weights * self.config["routed_scaling_factor"], margin=margin, group_margin=group_margin)

    def rank_experts(self, selection):
        """Experts best first and their selection scores [T, E], -inf outside the topk_group best groups; and by how
        much the last of these groups was taken [T], NaN where no group is left out."""
        tokens, experts = selection.shape
        groups, kept = self.config.get("n_group") or 1, self.config.get("topk_group") or 1
        group_margin = np.full(tokens, np.nan)
        if groups > 1:
            two_best = np.sort(selection.reshape(tokens, groups, -1), axis=-1)[..., -2:].sum(axis=-1)
            ranked_groups = np.argsort(-two_best, axis=-1, kind="stable")
            ranked_score = np.take_along_axis(two_best, ranked_groups, axis=-1)
            if kept < groups:
                group_margin = ranked_score[:, kept - 1] - ranked_score[:, kept]
            taken = np.zeros((tokens, groups), bool)
            np.put_along_axis(taken, ranked_groups[:, :kept], True, axis=-1)
            selection = np.where(np.repeat(taken, experts // groups, axis=1), selection, -np.inf)
        ranked = np.argsort(-selection, axis=-1, kind="stable")  # ties: the lower expert id first
        return ranked, np.take_along_axis(selection, ranked, axis=-1), group_margin

    def mixture(self, layer, x, routing):
        name, output = f"model.layers.{layer}.mlp", np.zeros_like(x)
        for expert in range(self.config["n_routed_experts"]):
            token, rank = np.nonzero(routing.chosen == expert)
            output[token] += routing.weights[token, rank, None] * self.mlp(f"{name}.experts.{expert}", x[token])
        if self.config.get("n_shared_experts"):
            output += self.mlp(f"{name}.shared_experts", x)
        return output

    def forward(self, ids):
        """One sequence. hidden [N, T, H], logits [T, V], nll [T] (NaN for the last), routing {layer: ...}."""
        x = self.weights["model.embed_tokens.weight"][ids]
        hidden, routing, moe_layers = [], {}, self.moe_layers()
        for layer in range(self.layers):
            name = f"model.layers.{layer}"
            x = x + self.attention(layer, self.norm(name + ".input_layernorm", x))
            normed = self.norm(name + ".post_attention_layernorm", x)
            if layer in moe_layers:
                routing[layer] = self.route(layer, normed)
                x = x + self.mixture(layer, normed, routing[layer])
            else:
                x = x + self.mlp(name + ".mlp", normed)
            hidden.append(x)
        head = "model.embed_tokens" if self.config.get("tie_word_embeddings") else "lm_head"
        logits = self.linear(head, self.norm("model.norm", x))
        shifted = logits - logits.max(axis=-1, keepdims=True)
        nll = np.full(len(ids), np.nan)
        nll[:-1] = np.log(np.exp(shifted).sum(axis=-1))[:-1] - shifted[np.arange(len(ids) - 1), ids[1:]]
        return types.SimpleNamespace(hidden=np.stack(hidden), logits=logits, nll=nll, routing=routing)
