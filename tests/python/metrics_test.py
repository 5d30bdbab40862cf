"""Every metric of a run file, computed once more with numpy from the raw record of the same file (and, for drift,
from the weights themselves). The formulas are those of the papers that the metrics cite."""
import re

import h5py
import numpy as np

import analysis_run
from analysis_run import QUICK, analyze, evaluation_sequences, tiny_series, write_corpus
from reference_model import read_weights

QUANTILES = [0.05, 0.5, 0.95]


def load_metrics(count, top_k, tokens):
    """count [..., E] -> metrics [...] of one layer's load; tokens [...]."""
    experts, mean = count.shape[-1], count.mean(axis=-1)
    share = count / count.sum(axis=-1, keepdims=True)
    entropy = -(share * np.log(np.where(share > 0, share, 1))).sum(axis=-1)
    rank = np.arange(1, experts + 1)
    relative = count / mean[..., None]
    return {"max_violation": relative.max(axis=-1) - 1, "min_violation": 1 - relative.min(axis=-1),
            "mean_violation": np.abs(relative - 1).mean(axis=-1), "load_cv": count.std(axis=-1) / mean,
            "load_cv_chance": np.sqrt((experts - top_k) / (top_k * tokens)),
            "load_gini": (np.sort(count, axis=-1) * (2 * rank - experts - 1)).sum(axis=-1) / (experts * count.sum(axis=-1)),
            "load_entropy": entropy / np.log(experts), "effective_experts": np.exp(entropy),
            "dead_experts": (count == 0).sum(axis=-1), "cold_experts": (relative < 0.1).sum(axis=-1),
            "hot_experts": (relative > 10).sum(axis=-1)}


def load_part(run):
    top_k, count = run["routing/topk_index"].shape[-1], run["routing/expert_count"][()]  # [C, D, L, E]
    tokens = run["routing/token_count"][()][None, :, None]
    found = load_metrics(count, top_k, tokens + np.zeros(count.shape[:-1]))
    found["expert_load"] = count / tokens[..., None]
    found["relative_load"] = count / count.mean(axis=-1, keepdims=True)
    pooled = load_metrics(count.sum(axis=1), top_k, tokens.sum())
    found.update({name + "_pooled": pooled[name] for name in ("max_violation", "load_cv", "load_entropy")})
    return found


def router_part(run):
    """Means and quantiles over the tokens of a domain: [C, D, L] and [Q, C, D, L]."""
    domain, top_k, found = run["corpus/domain"][()], run["routing/topk_index"].shape[-1], {}
    per_token = {"router_entropy": "entropy", "topk_mass": "topk_mass", "routing_margin": "margin", "top1_share": "top1_share",
                 "topk_weight_entropy": "topk_weight_entropy", "bias_flip_rate": "bias_flips"}
    for metric, name in per_token.items():
        values = run["routing"][name][()].astype(np.float64) / (top_k if name == "bias_flips" else 1)  # [C, L, T]
        by_domain = [values[:, :, domain == d] for d in range(len(run["domain"]))]
        found[metric] = np.stack([v.mean(axis=-1) for v in by_domain], axis=1)
        if metric in ("router_entropy", "topk_mass", "routing_margin"):
            found[metric + "_quantile"] = np.stack([np.quantile(v, QUANTILES, axis=-1) for v in by_domain], axis=2)
        if metric == "router_entropy":
            found[metric + "_pooled"] = values.mean(axis=-1)
    return found


def agreement_part(run):
    chosen = run["routing/topk_index"][()].astype(int)  # [C, L, T, K]
    taken = np.zeros((*chosen.shape[:3], len(run["expert"])), bool)
    np.put_along_axis(taken, chosen, True, axis=-1)
    common = np.stack([(taken & other).sum(axis=-1) for other in taken], axis=1)  # [C, C, L, T]
    top_k = chosen.shape[-1]
    return {"router_saturation": (common[:, -1] / top_k).mean(axis=-1),
            "router_saturation_top1": (chosen[..., 0] == chosen[-1, ..., 0]).mean(axis=-1),
            "routing_agreement": (common / top_k).mean(axis=-1),
            "routing_jaccard": (common / (2 * top_k - common)).mean(axis=-1)}


def loss_part(run):
    nll, domain = run["loss/nll"][()].astype(np.float64), run["corpus/domain"][()]
    loss = np.stack([np.nanmean(nll[:, domain == d], axis=1) for d in range(len(run["domain"]))], axis=1)
    pooled = np.nanmean(nll, axis=1)
    return {"loss": loss, "perplexity": np.exp(loss), "loss_pooled": pooled, "perplexity_pooled": np.exp(pooled)}


def role_of(name):
    roles = {"embed_tokens": "embedding", "lm_head": "head", "norm": "norm", ".self_attn.": "attention",
             "e_score_correction_bias": "score_correction_bias", ".mlp.gate.": "router",
             ".experts.": "routed_expert", ".shared_experts.": "shared_expert", ".mlp.": "dense_mlp"}
    return next(role for part, role in roles.items() if part in name)  # q_norm is a norm, so "norm" comes first


def recorded_roles(name):
    """Where a tensor counts."""
    return {role_of(name), "whole_model"} | ({"whole_model_without_norms"} if role_of(name) != "norm" else set())


def squares(weights, names):
    """Sum of squares [C], of differences [C, C] and inner products [C, C] of some tensors as one long vector."""
    norm, distance, inner = np.zeros(len(weights)), np.zeros((len(weights),) * 2), np.zeros((len(weights),) * 2)
    for name in names:
        vectors = np.stack([w[name].astype(np.float64).reshape(-1) for w in weights])
        norm += (vectors ** 2).sum(axis=1)
        inner += vectors @ vectors.T
        distance += np.stack([((vectors - v) ** 2).sum(axis=1) for v in vectors])
    return norm, distance, inner


def path_part(run, weights, names):
    """The way of some tensors as one long vector, straight from the vectors themselves."""
    vectors = np.concatenate([np.stack([w[name].astype(np.float64).reshape(-1) for w in weights]) for name in names], axis=1)
    steps, tokens = np.diff(vectors, axis=0), run["tokens_seen"][()]
    norms = np.sqrt((steps ** 2).sum(axis=1))
    path = np.concatenate([[0.0], np.cumsum(norms)])
    displacement = np.sqrt(((vectors - vectors[0]) ** 2).sum(axis=1))
    with np.errstate(invalid="ignore"):
        tortuosity = path / displacement
    u, singular, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    u, singular = u[:, :len(steps)], singular[:len(steps)]
    coordinates = u * singular * np.where(u[-1] < u[0], -1, 1)  # training goes in the positive direction
    return {"role_path_length": path, "role_displacement": displacement, "role_tortuosity": tortuosity,
            "role_update_rms_per_token": norms / np.sqrt(vectors.shape[1]) / np.diff(tokens),
            "role_update_direction": steps @ steps.T / np.outer(norms, norms),
            "role_trajectory_eigenvalue": singular ** 2, "role_trajectory_share": singular ** 2 / (singular ** 2).sum(),
            "role_trajectory_coordinate": coordinates}


def expert_part(run, weights):
    layers, experts, checkpoints = list(run["moe_layer"]), len(run["expert"]), len(weights)
    drift = np.full((checkpoints, checkpoints, len(layers), experts), np.nan)
    for l, layer in enumerate(layers):
        for e in range(experts):
            norm, distance, _ = squares(weights, [name for name in weights[0] if f".layers.{layer}.mlp.experts.{e}." in name])
            drift[:, :, l, e] = np.sqrt(distance / norm[:, None])
    return {"expert_relative_drift": drift}


def drift_part(run, weights):
    roles, layers = list(run["role"].asstr()), list(run["layer"])
    checkpoints = len(weights)
    found = {"role_norm": np.full((checkpoints, len(roles)), np.nan),
             "role_relative_drift": np.full((checkpoints, checkpoints, len(roles)), np.nan),
             "role_cosine": np.full((checkpoints, checkpoints, len(roles)), np.nan),
             "layer_relative_drift": np.full((checkpoints, checkpoints, len(layers), len(roles)), np.nan)}
    for r, role in enumerate(roles):
        of_role = [name for name in weights[0] if role in recorded_roles(name)]
        norm, distance, inner = squares(weights, of_role)
        found["role_norm"][:, r] = np.sqrt(norm)
        found["role_relative_drift"][:, :, r] = np.sqrt(distance / norm[:, None])
        found["role_cosine"][:, :, r] = inner / np.sqrt(np.outer(norm, norm))
        for layer in layers:
            here = [name for name in of_role if f".layers.{layer}." in name]
            if here:
                norm, distance, _ = squares(weights, here)
                found["layer_relative_drift"][:, :, layer, r] = np.sqrt(distance / norm[:, None])
        for name, values in path_part(run, weights, of_role).items():
            found.setdefault(name, np.full((*values.shape, len(roles)), np.nan))[..., r] = values
    return {**found, **expert_part(run, weights)}


def sketch_part(run):
    """From the sketches and norms in the file. Routed experts of a layer err together; the others each by itself."""
    names, roles = run["tensor"].asstr()[()], list(run["role"].asstr())
    sketches, norm = run["weights/sketch"][()].astype(np.float64), run["weights/norm"][()]
    tables = [np.full((len(norm), len(norm), len(roles)), np.nan) for _ in range(2)]
    for r, role in enumerate(roles):
        of_role = [w for w, name in enumerate(names) if role in recorded_roles(name)]
        squares, of_key = np.zeros((len(norm), len(norm))), {}
        for w in of_role:
            square = np.stack([((sketches[:, w] - earlier) ** 2).sum(axis=1) for earlier in sketches[:, w]])
            squares += square
            key = re.sub(r"experts\.\d+", "experts", names[w])
            if run["weights/element_count"][w] > 1024:  # others are exact
                of_key[key] = of_key.get(key, 0) + square
        variance = sum((2 / 1024 * each ** 2 for each in of_key.values()), np.zeros_like(squares))
        norms = np.sqrt((norm[:, of_role] ** 2).sum(axis=1))[:, None]
        tables[0][..., r] = np.sqrt(squares) / norms
        tables[1][..., r] = np.sqrt(variance) / (2 * np.sqrt(squares) + (squares == 0)) / norms
    return {"role_sketched_drift": tables[0], "role_sketched_drift_error": tables[1]}


class MetricsTest(analysis_run.TestCase):
    def test_every_metric_follows_from_the_raw_record(self):
        series = [directory for directory in tiny_series()[(-2 if QUICK else -4):]]
        sequences, _ = evaluation_sequences()
        sequences = [(domain, ids[:256 - 16 * row]) for row, (domain, ids) in enumerate(sequences)]  # domains of unlike size
        path = analyze(self.directory / "run.h5", series, *write_corpus(self.directory / "corpus", sequences))
        with h5py.File(path) as run:
            self.assertEqual(run.attrs["precision"], "bf16")  # what BF16 weights ask for
            expected = {**load_part(run), **router_part(run), **agreement_part(run), **loss_part(run),
                        **drift_part(run, [read_weights(directory) for directory in series]), **sketch_part(run)}
            metrics = [name for name, item in run["metrics"].items() if "NAME" not in item.attrs]  # scales have one
            self.assertEqual(sorted(metrics), sorted(expected))
            for name, values in expected.items():
                with self.subTest(name):
                    np.testing.assert_allclose(run["metrics"][name], values, rtol=1e-10,
                                               atol=1e-12 * np.nanmax(np.abs(values)))

    def test_counts_are_those_of_the_choices(self):
        sequences, _ = evaluation_sequences()
        path = analyze(self.directory / "counts.h5", tiny_series()[-1:], *write_corpus(self.directory / "counts", sequences),
                       "--only", "forward")
        with h5py.File(path) as run:
            domain, chosen = run["corpus/domain"][()], run["routing/topk_index"][0]
            for d in range(len(run["domain"])):
                for layer, row in enumerate(chosen):
                    counted = np.bincount(row[domain == d].reshape(-1), minlength=len(run["expert"]))
                    np.testing.assert_array_equal(run["routing/expert_count"][0, d, layer], counted)
            np.testing.assert_array_equal(run["routing/token_count"], np.bincount(domain))


if __name__ == "__main__":
    analysis_run.main()
