"""Writes torch_norm.json: outputs, loss and gradients of networks of layer-normalised cells, computed by PyTorch.

    pip install torch && python torch_norm.py

Nothing here is shared with the Go code: the cells are written after the equations of Ba, Kiros and Hinton (Layer
normalization, 2016), one vector of pre-activations at a time, with PyTorch's own layer_norm and autograd, in float64.
PyTorch has no such cells itself. The fixture holds all parameters, drawn at random, under the names of the Go code, and
with its shapes; the gains are 1 + g.
"""

import json
import os

import torch
from torch.nn.functional import layer_norm

torch.set_default_dtype(torch.float64)
# LN can magnify rounding errors. With this seed, PyTorch's own results in float32 are off by at most 3e-6.
torch.manual_seed(1)

T, n, d = 4, 2, 3
SIZES = [(4, 3), (3, 4)]
PHI = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}


def LN(z, gain):
    return layer_norm(z, gain.shape, weight=gain, eps=1e-5)


def rnn(p, x, states, phi):
    """Equation 4: h = f[g / σ ⊙ (a - μ) + b]."""
    (h,) = states
    a = h @ p["W_hh"] + x @ p["W_xh"]
    return [PHI[phi](LN(a, 1 + p["g"]) + p["b_h"])]


def lstm(p, x, states, forget_bias):
    """Supplement, handwriting; the paper's α are the gains."""
    h, c = states
    α1, α2, α3 = 1 + p["g_h"], 1 + p["g_x"], 1 + p["g_c"]
    i, f, g, o = (LN(h @ p["W_h"], α1) + LN(x @ p["W_x"], α2) + p["b"]).chunk(4, dim=-1)
    c = torch.sigmoid(f + forget_bias) * c + torch.sigmoid(i) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(LN(c, α3) + p["b_c"])
    return [h, c]


def gru(p, x, states, _):
    """Supplement, order embeddings; the paper's z is 1 - z here."""
    (h,) = states
    k = h.shape[-1]
    rz, candidate = slice(0, 2 * k), slice(2 * k, 3 * k)
    part = lambda name, which: p[name][..., which]
    α1, α2 = 1 + part("g_h", rz), 1 + part("g_x", rz)
    α3, α4 = 1 + part("g_x", candidate), 1 + part("g_h", candidate)
    gates = LN(h @ part("W_h", rz), α1) + LN(x @ part("W_x", rz), α2) + part("b", rz)
    r, z = torch.sigmoid(gates).chunk(2, dim=-1)
    new = torch.tanh(LN(x @ part("W_x", candidate), α3) + part("b", candidate)
                     + r * (LN(h @ part("W_h", candidate), α4) + p["b_hh"]))
    return [(1 - z) * new + z * h]


# For each cell: its function, its parameters for d inputs and h units, and how many states it has.
CELLS = {
    "RNN": (rnn, lambda d, h: {"W_xh": (d, h), "W_hh": (h, h), "g": (h,), "b_h": (h,)}, 1),
    "LSTM": (lstm, lambda d, h: {"W_x": (d, 4 * h), "W_h": (h, 4 * h), "g_x": (4 * h,), "g_h": (4 * h,), "g_c": (h,),
                                 "b": (4 * h,), "b_c": (h,)}, 2),
    "GRU": (gru, lambda d, h: {"W_x": (d, 3 * h), "W_h": (h, 3 * h), "g_x": (3 * h,), "g_h": (3 * h,), "b": (3 * h,),
                               "b_hh": (h,)}, 1),
}


def network(cell, option, p, initial, x):
    """The outputs of the last layer and all final states: of layer 1 forward and backward, of layer 2 and so on."""
    step, _, _ = CELLS[cell]
    final = []
    for layer in range(len(SIZES)):
        both = []
        for k, direction in enumerate("fb"):
            end = f"^{direction}"
            start = f"layer_{layer + 1}/"
            own = {name.removeprefix(start).removesuffix(end): v for name, v in p.items()
                   if name.startswith(start) and name.endswith(end)}
            states, hs = initial[2 * layer + k], [None] * T
            for t in range(T) if direction == "f" else reversed(range(T)):
                states = step(own, x[t], states, option)
                hs[t] = states[0]
            both.append(torch.stack(hs))
            final += states
        x = torch.cat(both, dim=-1)
    return x, final


def case(cell, option=None):
    _, shapes, count = CELLS[cell]
    leaf = lambda *shape, by=1.0: (by * torch.randn(shape)).round(decimals=4).requires_grad_()  # short in the fixture
    p, width, initial = {}, d, []
    for layer, sizes in enumerate(SIZES, 1):
        for direction, h in zip("fb", sizes):
            for name, shape in shapes(width, h).items():
                p[f"layer_{layer}/{name}^{direction}"] = leaf(*shape, by=1.0 if len(shape) == 2 else 0.3)
            # One direction starts from zero: LN(0) divides by √ε.
            initial.append([leaf(n, h, by=0.0 if (layer, direction) == (2, "b") else 0.7) for _ in range(count)])
        width = sum(sizes)
    x = leaf(T, n, d)
    h, final = network(cell, option, p, initial, x)
    loss = torch.sin(2 * h).sum() + sum((s * s).sum() for s in final)
    loss.backward()
    flat = lambda v: v.detach().flatten().tolist()
    states = [s for own in initial for s in own]
    return {
        "cell": cell,
        "activation": option if cell == "RNN" else "",
        "forget_bias": option if cell == "LSTM" else 0,
        "x": flat(x), "weights": {k: flat(v) for k, v in p.items()}, "initial": [flat(s) for s in states],
        "h": flat(h), "final": [flat(s) for s in final], "loss": loss.item(),
        "dx": flat(x.grad), "gradients": {k: flat(v.grad) for k, v in p.items()},
        "dinitial": [flat(s.grad) for s in states],
    }


cases = {
    "RNN, sigmoid": case("RNN", "sigmoid"),
    "RNN, tanh": case("RNN", "tanh"),
    "RNN, relu": case("RNN", "relu"),
    "LSTM": case("LSTM", 1.0),
    "GRU": case("GRU"),
}
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_norm.json")
with open(path, "w") as f:
    fixture = {"torch": torch.__version__, "T": T, "n": n, "d": d, "sizes": SIZES, "cases": cases}
    json.dump(fixture, f, separators=(",", ":"))
