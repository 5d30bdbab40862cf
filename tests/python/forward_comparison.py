"""What a forward pass must give, from a golden file or from the reference model, and its comparison with a run file.

Tolerances. The program multiplies in float32, the goldens were made in float32 in another order of summation and
agree with float64 to 3e-5; 2e-4 absolute on values of the order of 1 to 10 leaves room for both and catches every
mistake of substance. A choice of experts may only differ where the margin, the distance of the two selection
scores between which the choice is made, is within what rounding moves them: 1e-5. After such a flip the token and
those that attend to it are legitimately different, so they are left out behind it; it is printed, never hidden.
"""
import dataclasses

import numpy as np

TOLERANCE = 2e-4
DECISIVE_MARGIN = 1e-5


@dataclasses.dataclass
class Expectation:
    """T tokens in the order of the run file; R of them (`rows`) have hidden states and logits. Of a dense model L = 0."""
    lengths: list             # of the sequences
    moe_layers: list
    router_logits: np.ndarray  # [L, T, E]
    chosen: np.ndarray         # [L, T, K] ascending
    weights: np.ndarray        # [L, T, K] in the order of chosen
    margin: np.ndarray         # [L, T] the smaller of both margins where experts are chosen by groups
    nll: np.ndarray            # [T]
    rows: np.ndarray           # [R]
    hidden: np.ndarray         # [N, R, H]
    logits: np.ndarray         # [R, V]


def by_expert(chosen, weights):
    order = np.argsort(chosen, axis=-1)
    return np.take_along_axis(chosen, order, axis=-1), np.take_along_axis(weights, order, axis=-1)


def stack(layers, tokens):
    return np.stack(layers) if layers else np.empty((0, tokens, 0))


def from_golden(golden, rows):
    """golden: an open h5py file; rows: the order of its sequences in the run file."""
    moe_layers = sorted(int(name.removeprefix("margin_")) for name in golden if name.startswith("margin_"))
    shown = "" if "logits" in golden else "_last"  # the larger goldens keep the last positions only
    layers = sum(name.startswith("hidden_") and name.endswith(shown) for name in golden)
    sequences, length = len(rows), golden["ids"].shape[1]
    kept = golden["logits" + shown].shape[1]

    def tokens(name):  # [S, length, ...] -> [T, ...]
        values = golden[name][()][rows]
        return values.reshape(-1, *values.shape[2:])

    def margin(layer):
        group = f"group_margin_{layer}"
        return np.minimum(tokens(f"margin_{layer}"), tokens(group)) if group in golden else tokens(f"margin_{layer}")

    def of_layers(name):
        return stack([tokens(f"{name}_{layer}") for layer in moe_layers], sequences * length)

    chosen, weights = by_expert(of_layers("topk_idx"), of_layers("topk_w"))
    return Expectation(
        lengths=[length] * sequences, moe_layers=moe_layers, chosen=chosen, weights=weights,
        router_logits=of_layers("router_logits"), margin=stack([margin(layer) for layer in moe_layers], sequences * length),
        nll=np.pad(golden["nll"][()][rows], ((0, 0), (0, 1)), constant_values=np.nan).reshape(-1),
        rows=np.arange(sequences * length).reshape(sequences, length)[:, length - kept:].reshape(-1),
        hidden=np.stack([tokens(f"hidden_{layer}{shown}") for layer in range(layers)]),
        logits=tokens("logits" + shown))


def from_passes(passes):
    """passes: what ReferenceModel.forward returned for each sequence."""
    moe_layers, nll = sorted(passes[0].routing), np.concatenate([p.nll for p in passes])

    def routing(name):
        return stack([np.concatenate([getattr(p.routing[layer], name) for p in passes]) for layer in moe_layers], len(nll))

    chosen, weights = by_expert(routing("chosen"), routing("weights"))
    return Expectation(
        lengths=[len(p.nll) for p in passes], moe_layers=moe_layers, chosen=chosen, weights=weights,
        router_logits=routing("router_logits"), margin=np.fmin(routing("margin"), routing("group_margin")), nll=nll,
        rows=np.arange(len(nll)), hidden=np.concatenate([p.hidden for p in passes], axis=1),
        logits=np.concatenate([p.logits for p in passes]))


def tokens_behind_flips(flipped, lengths):
    """flipped [L, T] -> [L + 1, T]: whose inputs of this MoE layer (last: of what follows them all) may differ."""
    behind = np.zeros((len(flipped) + 1, flipped.shape[1]), bool)
    starts = np.cumsum([0, *lengths])
    for layer, row in enumerate(flipped):
        behind[layer + 1] = behind[layer]
        for begin, end in zip(starts, starts[1:]):
            if row[begin:end].any():
                behind[layer + 1, begin + np.argmax(row[begin:end]):end] = True
    return behind


def largest_difference(actual, expected, skip):
    """Over the tokens (second to last axis, or the only one) that are not to be skipped; NaN only where expected."""
    difference = np.abs(actual.astype(np.float64) - expected)
    difference[np.isnan(actual) & np.isnan(expected)] = 0
    difference[skip] = 0
    return np.max(difference, initial=0)  # a NaN in one of the two only stays and fails


def compare_routing(test, routing, checkpoint, expected, label):
    """Where other experts were chosen [L, T], the tokens behind that [L + 1, T], and the largest differences."""
    chosen, weights = by_expert(routing["topk_index"][checkpoint].astype(int), routing["topk_weight"][checkpoint])
    flipped = (chosen != expected.chosen).any(axis=-1)
    behind = tokens_behind_flips(flipped, expected.lengths)
    for layer, token in np.argwhere(flipped & ~behind[:-1]):
        margin = expected.margin[layer, token]
        print(f"{label}: layer {expected.moe_layers[layer]} token {token} chose other experts at margin {margin:.2g}")
        test.assertLessEqual(margin, DECISIVE_MARGIN, f"{label}: a clear choice of experts differs")
    return flipped, behind, {
        "router logits": largest_difference(routing["router_logit"][checkpoint], expected.router_logits, behind[:-1]),
        "combine weights": largest_difference(weights, expected.weights, behind[:-1] | flipped)}


def compare_forward(test, run, checkpoint, expected, label):
    """run: an open run file made with --save router_logits,hidden_states,logits. Prints one line. True if every token
    chose its experts as expected."""
    test.assertEqual(list(run["moe_layer"]) if "moe_layer" in run else [], expected.moe_layers)
    flipped, behind, differences = compare_routing(test, run["routing"], checkpoint, expected, label) \
        if expected.moe_layers else (np.zeros(0, bool), np.zeros((1, len(expected.nll)), bool), {})
    differences["losses"] = largest_difference(run["loss/nll"][checkpoint], expected.nll, behind[-1])
    moe_layers_done = np.searchsorted(expected.moe_layers, np.arange(len(expected.hidden)), side="right")
    hidden = run["hidden/hidden_state"][checkpoint][:, expected.rows]
    differences["hidden states"] = largest_difference(hidden, expected.hidden, behind[moe_layers_done][:, expected.rows])
    logits = run["logits/logit"][checkpoint][expected.rows]
    differences["logits"] = largest_difference(logits, expected.logits, behind[-1][expected.rows])
    print(f"{label}:", ", ".join(f"{name} {value:.1e}" for name, value in differences.items()))
    for name, value in differences.items():
        test.assertLessEqual(value, TOLERANCE, f"{label}: {name}")
    return not flipped.any()
