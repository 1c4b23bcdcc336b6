"""Writes torch_rnn.json: outputs, final states, loss and gradients of PyTorch's recurrent modules, in float64.

    pip install torch==2.15.0 numpy && python torch_rnn.py

The cases are nn.RNN with tanh and with relu, nn.LSTM without and with proj_size, and nn.GRU; with 1, 2 and 3 layers;
forward only and bidirectional; with sequences of full length and of different lengths; every other one with initial
states. One more of each has a single time step, sequence and, where there is no projection, hidden unit.

Weights, inputs and initial states are not stored: they are drawn by a rule simple enough to be written again in Go (see
`rule`). All numbers have 12 significant digits. The gradients of the two biases are the same, but for the last part of
nn.GRU's, which is in the product with the reset gate: so bias_hh has only that part.
"""

import itertools
import json
import os

import numpy as np
import torch

KINDS = {
    "RNN tanh": (torch.nn.RNN, {"nonlinearity": "tanh"}),
    "RNN relu": (torch.nn.RNN, {"nonlinearity": "relu"}),
    "LSTM": (torch.nn.LSTM, {}),
    "LSTM projection": (torch.nn.LSTM, {"proj_size": None}),  # of the case
    "GRU": (torch.nn.GRU, {}),
}


def rule(stream, size):
    """N(0, 1) by SplitMix64 and Box-Muller: number i of a stream depends on (stream, i) alone."""

    def splitmix(z):
        z = z + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))

    with np.errstate(over="ignore"):
        i = np.uint64(stream) * np.uint64(1 << 32) + np.uint64(2) * np.arange(size, dtype=np.uint64)
        u1 = ((splitmix(i) >> np.uint64(11)).astype(np.float64) + 1) / 2.0**53
        u2 = (splitmix(i + np.uint64(1)) >> np.uint64(11)).astype(np.float64) / 2.0**53
    return np.sqrt(-2 * np.log(u1)) * np.cos(2 * np.pi * u2)


def case(number, kind, layers, bidirectional, T, lengths, n, d, h, r, with_initial):
    make, options = KINDS[kind]
    options = {k: r if k == "proj_size" else v for k, v in options.items()}
    module = make(d, h, layers, bidirectional=bidirectional, **options).double()
    stream = itertools.count(100 * number)  # each array has a stream of its own

    def draw(*shape, scale=1.0):
        values = scale * rule(next(stream), int(np.prod(shape))).reshape(shape)
        return torch.tensor(values, dtype=torch.float64, requires_grad=True)

    x = draw(T, n, d)
    directions = layers * (1 + bidirectional)
    initial = [draw(directions, n, r, scale=0.5)]
    if kind.startswith("LSTM"):
        initial.append(draw(directions, n, h, scale=0.5))
    weights = {}
    for l in range(layers):
        for suffix in ("", "_reverse")[: 1 + bidirectional]:
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")[: 5 if r < h else 4]:
                weight = getattr(module, f"{name}_l{l}{suffix}")
                weights[f"{name}_l{l}{suffix}"] = weight
                weight.data = draw(*weight.shape, scale=0.5).detach()
    assert len(weights) == len(list(module.parameters()))

    states = (tuple(initial) if len(initial) > 1 else initial[0]) if with_initial else None
    if lengths:
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
        outputs, final = module(packed, states)
        outputs, _ = torch.nn.utils.rnn.pad_packed_sequence(outputs, total_length=T)
    else:
        outputs, final = module(x, states)
    final = final if isinstance(final, tuple) else (final,)
    terms = [torch.sin(2 * outputs)] + [s * torch.cos(s) for s in final]
    loss = sum(term.sum() for term in terms)
    loss.backward()

    digits = lambda a: [float(f"{v:.12g}") for v in a.detach().numpy().ravel()]
    gradients = {}
    for name, weight in weights.items():
        if not name.startswith("bias_hh"):
            gradients[name] = digits(weight.grad)
            continue
        same = 2 * h if kind == "GRU" else len(weight)
        assert torch.allclose(weight.grad[:same], weights[name.replace("hh", "ih")].grad[:same], rtol=1e-13, atol=1e-14)
        if kind == "GRU":
            gradients[name] = digits(weight.grad[same:])
    return {
        "number": number, "kind": kind, "layers": layers, "bidirectional": bidirectional,
        "T": T, "lengths": lengths, "n": n, "d": d, "h": h, "r": r, "with_initial": with_initial,
        "outputs": digits(outputs), "final": [digits(s) for s in final], "loss": float(f"{loss.item():.12g}"),
        "loss_terms": float(f"{sum(term.abs().sum() for term in terms).item():.12g}"),  # their magnitudes added up
        "gradients": gradients, "x_gradient": digits(x.grad),
        "initial_gradients": [digits(s.grad) for s in initial] if with_initial else [],
    }


def main():
    cases = []
    for kind in KINDS:
        projection = kind == "LSTM projection"
        for layers, bidirectional, lengths in itertools.product((1, 2, 3), (False, True), ([], [2, 3, 1])):
            with_initial = (layers + bidirectional + len(lengths)) % 2 == 0
            r = 2 if projection else 3
            cases.append(case(len(cases), kind, layers, bidirectional, 3, lengths, 3, 2, 3, r, with_initial))
        h = 2 if projection else 1
        cases.append(case(len(cases), kind, 1, True, 1, [], 1, 1, h, 1, True))
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_rnn.json")
    with open(path, "w") as f:
        json.dump({"torch": torch.__version__, "cases": cases}, f, separators=(",", ":"))


main()
