"""The forward pass of dots1 in float64 numpy: the measure of the C++ one. family_models.py has the other families.

Written from the description of the model alone, for reading rather than for speed: one sequence at a time, every
weight widened to float64, one matrix product per line of the paper.
Sizes: T tokens, H hidden_size, E routed experts, K experts per token, V vocabulary.
"""
import json
import pathlib
import types

import numpy as np

NUMPY_TYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16, "F8_E4M3": np.uint8,
               "I64": np.int64, "I32": np.int32, "U8": np.uint8}
SCALED_BLOCK = 128  # rows and columns that share a weight_scale_inv


def e4m3_values():
    """The 256 values of F8_E4M3 by bit pattern: 4 bits of exponent, 3 of mantissa, no infinity."""
    bits = np.arange(256)
    exponent, mantissa = (bits >> 3) & 15, bits & 7
    size = np.where(exponent == 0, mantissa * 2.0 ** -9, (1 + mantissa / 8) * 2.0 ** (exponent - 7))
    size[bits & 127 == 127] = np.nan
    return np.where(bits < 128, size, -size)


def read_stored(path):
    """name -> (dtype, array of the elements as stored); BF16 and F8_E4M3 are bit patterns."""
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
    """BF16 becomes float32, F8_E4M3 float64: both hold it exactly."""
    if dtype == "F8_E4M3":
        return e4m3_values()[array]
    return (array.astype(np.uint32) << 16).view(np.float32) if dtype == "BF16" else array


def read_safetensors(path):
    """name -> array, widened."""
    return {name: widen(*stored) for name, stored in read_stored(path).items()}


def multiply_scales(tensors):
    """The true weights of 8-bit ones: times a scale a row (weight_scale) or a block (weight_scale_inv)."""
    for name in [name for name in tensors if name.endswith(".weight")]:
        rows, blocks = tensors.pop(name + "_scale", None), tensors.pop(name + "_scale_inv", None)
        if rows is not None:
            tensors[name] = tensors[name] * rows.astype(np.float64)
        if blocks is not None:
            height, width = tensors[name].shape  # the last blocks may be partial
            scale = np.repeat(np.repeat(blocks, SCALED_BLOCK, axis=0), SCALED_BLOCK, axis=1)[:height, :width]
            tensors[name] = tensors[name] * scale.astype(np.float64)
    return tensors


def read_tensors(directory):
    """Every tensor of a checkpoint under the name that it is stored by."""
    directory = pathlib.Path(directory)
    index = directory / "model.safetensors.index.json"
    shards = sorted(set(json.loads(index.read_text())["weight_map"].values())) if index.exists() \
        else ["model.safetensors"]
    tensors = {}
    for shard in shards:
        tensors.update(read_safetensors(directory / shard))
    return multiply_scales(tensors)


def split_experts(tensors):
    """Every tensor under its per-expert name, whatever its layout is."""
    for name in [name for name in tensors if name.endswith((".experts.gate_up_proj", ".experts.down_proj"))]:
        prefix, projection = name.rsplit(".", 1)
        for expert, rows in enumerate(tensors.pop(name)):
            parts = {"down_proj": rows} if projection == "down_proj" else \
                {"gate_proj": rows[:len(rows) // 2], "up_proj": rows[len(rows) // 2:]}
            for part, values in parts.items():
                tensors[f"{prefix}.{expert}.{part}.weight"] = values
    return tensors


def read_weights(directory):
    return split_experts(read_tensors(directory))


def round_to_bfloat16(x):
    """float64 values of the nearest bfloat16, ties to even."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32).astype(np.float64)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    share = np.exp(x - x.max(axis=-1, keepdims=True))
    return share / share.sum(axis=-1, keepdims=True)


def silu(x):
    return x * sigmoid(x)


def rms_norm(x, gain, eps):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * gain


def rotary_embedding(x, frequencies, factor=1.0):
    """x [T, heads, head_dim], position = row. Of the first 2 x len(frequencies) numbers of a head the two halves are
    real and imaginary parts; the others stay as they are."""
    half = len(frequencies)
    angle = np.outer(np.arange(len(x)), frequencies)[:, None, :]
    cos, sin = factor * np.cos(angle), factor * np.sin(angle)
    real, imaginary = x[..., :half], x[..., half:2 * half]
    return np.concatenate([real * cos - imaginary * sin, imaginary * cos + real * sin, x[..., 2 * half:]], axis=-1)


class ReferenceModel:
    """dots1, cut into the methods in which other families differ.

    With round_operands every activation is rounded to bfloat16 before each matrix product but the router's.
    """

    def __init__(self, directory, round_operands=False):
        self.operand = round_to_bfloat16 if round_operands else lambda x: x
        self.config = self.read_config(pathlib.Path(directory))
        self.weights = {name: values.astype(np.float64) for name, values in self.unpack(read_tensors(directory)).items()}
        self.layers = self.config["num_hidden_layers"]
        self.eps = self.config["rms_norm_eps"]
        self.top = self.config["num_experts_per_tok"] if self.moe_layers() else 0
        self.rotary_frequencies, self.rotary_factor = self.rotary()

    def read_config(self, directory):
        return json.loads((directory / "config.json").read_text())

    def unpack(self, tensors):
        """Stored tensors -> the names by which the methods here know them."""
        return split_experts(tensors)

    def head_dim(self):
        return self.config.get("head_dim") or self.config["hidden_size"] // self.config["num_attention_heads"]

    def rotary(self):
        """The frequencies, one for every two numbers of a head that are rotated, and a factor of cosine and sine."""
        theta = self.config.get("rope_theta") or self.config["rope_parameters"]["rope_theta"]
        dim = self.head_dim()
        return theta ** (-np.arange(0, dim, 2) / dim), 1.0

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

    def split_heads(self, x):
        return x.reshape(len(x), -1, self.head_dim())

    def heads(self, name, x):
        """Queries, keys and values [T, heads, head_dim], normalised, not yet rotated."""
        query, key, value = (self.split_heads(self.linear(f"{name}.{part}_proj", x)) for part in "qkv")
        return self.norm(name + ".q_norm", query), self.norm(name + ".k_norm", key), value

    def rotate(self, layer, x):
        return rotary_embedding(x, self.rotary_frequencies, self.rotary_factor)

    def attention(self, layer, x):
        name = f"model.layers.{layer}.self_attn"
        query, key, value = self.heads(name, x)
        return self.linear(name + ".o_proj", self.attend(layer, self.rotate(layer, query), self.rotate(layer, key), value))

    def attend(self, layer, query, key, value, scale=None):
        """The means of the values that each token sees, all heads side by side [T, heads x width of a value]."""
        tokens, heads, dim = query.shape
        key, value = (np.repeat(a, heads // a.shape[1], axis=1) for a in (key, value))
        query, key, value = (self.operand(a).transpose(1, 0, 2) for a in (query, key, value))  # [heads, T, ...]
        scores = query @ key.transpose(0, 2, 1) * (scale or 1 / np.sqrt(dim))
        distance = np.arange(tokens)[:, None] - np.arange(tokens)[None, :]
        visible = (distance >= 0) & (distance < (self.window(layer) or tokens))
        scores = np.where(visible, scores, -np.inf)
        highest = scores.max(axis=-1, keepdims=True)
        share = np.exp(scores - highest)
        total = share.sum(axis=-1, keepdims=True) + self.unattended(layer, highest)
        mean = self.operand(share) @ value / total
        return mean.transpose(1, 0, 2).reshape(tokens, -1)

    def unattended(self, layer, highest):
        """What the softmax of the attention divides by beside the shares of the tokens, as they are: x exp(-highest)."""
        return 0.0

    def mlp(self, name, x):
        return self.linear(name + ".down_proj", silu(self.linear(name + ".gate_proj", x)) * self.linear(name + ".up_proj", x))

    def router_logits(self, layer, x):
        """Every product is summed in the same order, so that equal rows of the router give equal logits."""
        return (x[:, None, :] * self.weights[f"model.layers.{layer}.mlp.gate.weight"]).sum(axis=-1)

    def scores(self, layer, logits):
        return sigmoid(logits)

    def ranking(self, layer, logits, scores):
        """What experts are chosen by, without the correction bias."""
        return scores

    def share(self, logits, scores):
        """The distribution over all experts that the statistics of the router are about."""
        return scores / scores.sum(axis=-1, keepdims=True)

    def combine(self, layer, weights):
        """The scores of the chosen [T, K] -> the weights of their outputs."""
        if self.config["norm_topk_prob"]:
            weights = weights / (weights.sum(axis=-1, keepdims=True) + 1e-20)
        return weights * self.config["routed_scaling_factor"]

    def route(self, layer, x):
        """Scores and selection scores [T, E], the choice of every token [T, K] (best first), margins [T]."""
        logits, top = self.router_logits(layer, x), self.top
        scores = self.scores(layer, logits)
        ranking = self.ranking(layer, logits, scores)
        selection = ranking + self.weights.get(f"model.layers.{layer}.mlp.gate.e_score_correction_bias", 0.0)
        ranked, ranked_selection, group_margin = self.rank_experts(selection)
        chosen = ranked[:, :top]
        nobody = np.full((len(x), 1), -np.inf)
        next_selection = np.concatenate([ranked_selection, nobody], axis=1)[:, top]
        margin = np.where(np.isinf(next_selection), np.nan, ranked_selection[:, top - 1] - next_selection)
        return types.SimpleNamespace(
            router_logits=logits, scores=scores, share=self.share(logits, scores), selection_scores=selection, chosen=chosen,
            chosen_without_bias=self.rank_experts(ranking)[0][:, :top],
            weights=self.combine(layer, np.take_along_axis(scores, chosen, axis=-1)), margin=margin, group_margin=group_margin)

    def groups(self):
        """Into how many groups the experts are divided, and of how many a token may choose."""
        return self.config.get("n_group") or 1, self.config.get("topk_group") or 1

    def group_scores(self, selection):
        """selection [T, groups, experts of a group] -> [T, groups]"""
        return np.sort(selection, axis=-1)[..., -2:].sum(axis=-1)

    def rank_experts(self, selection):
        """Experts best first and their selection scores [T, E], -inf outside the topk_group best groups; and by how
        much the last of these groups was taken [T], NaN where no group is left out."""
        tokens, experts = selection.shape
        groups, kept = self.groups()
        group_margin = np.full(tokens, np.nan)
        if groups > 1:
            of_group = self.group_scores(selection.reshape(tokens, groups, -1))
            ranked_groups = np.argsort(-of_group, axis=-1, kind="stable")
            ranked_score = np.take_along_axis(of_group, ranked_groups, axis=-1)
            if kept < groups:
                group_margin = ranked_score[:, kept - 1] - ranked_score[:, kept]
            taken = np.zeros((tokens, groups), bool)
            np.put_along_axis(taken, ranked_groups[:, :kept], True, axis=-1)
            selection = np.where(np.repeat(taken, experts // groups, axis=1), selection, -np.inf)
        ranked = np.argsort(-selection, axis=-1, kind="stable")  # ties: the lower expert id first
        return ranked, np.take_along_axis(selection, ranked, axis=-1), group_margin

    def mixture(self, layer, x, routing):
        name, output = f"model.layers.{layer}.mlp", np.zeros_like(x)
        for expert in range(routing.scores.shape[1]):
            token, rank = np.nonzero(routing.chosen == expert)
            output[token] += routing.weights[token, rank, None] * self.mlp(f"{name}.experts.{expert}", x[token])
        return output + self.shared_experts(name, x)

    def shared_experts(self, name, x):
        return self.mlp(name + ".shared_experts", x) if self.config.get("n_shared_experts") else 0.0

    def feed_forward(self, layer, x):
        """The output of a dense or a sparse layer, and the routing (None of a dense one)."""
        if layer not in self.moe_layers():
            return self.mlp(f"model.layers.{layer}.mlp", x), None
        routing = self.route(layer, x)
        return self.mixture(layer, x, routing), routing

    def embed(self, ids):
        return self.weights["model.embed_tokens.weight"][ids]

    def transform(self, layer, x):
        """One layer: what it makes of x, and the routing."""
        name = f"model.layers.{layer}"
        x = x + self.attention(layer, self.norm(name + ".input_layernorm", x))
        output, routing = self.feed_forward(layer, self.norm(name + ".post_attention_layernorm", x))
        return x + output, routing

    def forward(self, ids):
        """One sequence. embed and final_norm [T, H], hidden [N, T, H], logits [T, V], nll [T] (NaN for the last),
        routing {layer: ...}."""
        x = embed = self.embed(ids)
        hidden, routing = [], {}
        for layer in range(self.layers):
            x, routed = self.transform(layer, x)
            hidden.append(x)
            if routed is not None:
                routing[layer] = routed
        final_norm = self.norm("model.norm", x)
        logits = self.linear("model.embed_tokens" if self.config.get("tie_word_embeddings") else "lm_head", final_norm)
        shifted = logits - logits.max(axis=-1, keepdims=True)
        nll = np.full(len(ids), np.nan)
        nll[:-1] = np.log(np.exp(shifted).sum(axis=-1))[:-1] - shifted[np.arange(len(ids) - 1), ids[1:]]
        return types.SimpleNamespace(embed=embed, hidden=np.stack(hidden), final_norm=final_norm, logits=logits, nll=nll,
                                     routing=routing)
