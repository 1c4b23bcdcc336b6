"""Writes onnx_rnn.json: outputs and final states of ONNX's operators RNN, LSTM and GRU, by ONNX's reference implementation.

    pip install onnx==1.23.2 numpy==2.4.6 && python onnx_rnn.py [path of the fixture]

The cases are RNN with Sigmoid, Tanh and Relu, LSTM without and with peepholes, and GRU with linear_before_reset 0 and 1,
and each of the three operators with other activations;
each forward, reverse and bidirectional; with sequences of full length and of different lengths; layout 0 and 1, without
and with initial states, in turns. Everything is computed in float64.

The reference (onnx.reference.ReferenceEvaluator) knows both directions since onnx 1.23.0. Two things it cannot do:
  - It ignores sequence_lens. So each sequence of another length goes through it alone, cut to its length, and what
    comes out is put together again, with zeros at padding.
  - Its RNN knows Tanh and Affine only, and its LSTM and GRU ignore `activations`. Here they are given the reference's own
    operators of those names.

Inputs are not stored: they are drawn by a rule simple enough to be written again in Go (see `rule`). All arrays have
ONNX's shapes and order, which depend on the layout.
"""

import itertools
import json
import os
import sys

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.ops._op_list import RNN_14, HardSigmoid, Relu, Sigmoid, Softsign, Tanh
from onnx.reference.ops.op_gru import CommonGRU
from onnx.reference.ops.op_lstm import CommonLSTM

T, n, d, h = 5, 3, 4, 3
LENGTHS = [3, 5, 1]
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
CELLS = [
    ("RNN", {"activations": "Sigmoid"}),
    ("RNN", {"activations": "Tanh"}),
    ("RNN", {"activations": "Relu"}),
    ("LSTM", {}),
    ("LSTM", {"peepholes": True}),
    ("GRU", {"linear_before_reset": 0}),
    ("GRU", {"linear_before_reset": 1}),
    ("RNN", {"activations": "HardSigmoid"}),
    ("RNN", {"activations": "Softsign"}),
    ("LSTM", {"activations": "HardSigmoid Relu Softsign", "peepholes": True}),
    ("GRU", {"activations": "HardSigmoid Relu", "linear_before_reset": 0}),
    ("GRU", {"activations": "HardSigmoid Softsign", "linear_before_reset": 1}),
]
ACTIVATIONS = {op.__name__.split("_")[0]: op.eval for op in (Relu, Sigmoid, Softsign, Tanh)}
# ONNX has alpha in 32 bits, in which its default, 0.2, is not exact.
ACTIVATIONS["HardSigmoid"] = lambda x: HardSigmoid.eval(x, alpha=0.25, beta=0.5)


class RNN(RNN_14):
    op_domain = ""

    def choose_act(self, name, alpha, beta):
        return ACTIVATIONS[name]


class LSTM(CommonLSTM):
    op_domain = ""

    def __init__(self, *args):
        super().__init__(*args)
        if self.activations:
            self.f, self.g, self.h = (ACTIVATIONS[name] for name in self.activations[:3])


class GRU(CommonGRU):
    op_domain = ""

    def __init__(self, *args):
        super().__init__(*args)
        if self.activations:
            self.f, self.g = (ACTIVATIONS[name] for name in self.activations[:2])


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


def draw(number, op, directions, layout):
    """All inputs that the operator can have, each from its own stream, whether the case uses it or not."""
    k = GATES[op] * h
    state = (n, directions, h) if layout else (directions, n, h)
    shapes = {
        "X": (n, T, d) if layout else (T, n, d),
        "W": (directions, k, d), "R": (directions, k, h), "B": (directions, 2 * k), "P": (directions, 3 * h),
        "initial_h": state, "initial_c": state,
    }
    drawn = {}
    for i, (name, shape) in enumerate(shapes.items()):
        scale = 1 if name == "X" else 0.5
        drawn[name] = scale * rule(100 * number + i, int(np.prod(shape))).reshape(shape)
    return drawn


def evaluate(op, attributes, inputs):
    """The operator's outputs."""
    order = ["X", "W", "R", "B", "sequence_lens", "initial_h"] + ["initial_c", "P"] * (op == "LSTM")
    outputs = ["Y", "Y_h"] + ["Y_c"] * (op == "LSTM")
    node = helper.make_node(op, [name if name in inputs else "" for name in order], outputs, **attributes)
    double = onnx.TensorProto.DOUBLE
    graph = helper.make_graph(
        [node], "one operator",
        [helper.make_tensor_value_info(name, double, v.shape) for name, v in inputs.items()],
        [helper.make_tensor_value_info(name, double, [None] * (4 if name == "Y" else 3)) for name in outputs])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)])
    onnx.checker.check_model(model, full_check=True)
    results = ReferenceEvaluator(model, new_ops=[RNN, LSTM, GRU]).run(None, inputs)
    assert all(v.dtype == np.float64 for v in results)
    return dict(zip(outputs, results))


def case(number, op, cell, direction, lengths, layout, initial):
    directions = 2 if direction == "bidirectional" else 1
    inputs = draw(number, op, directions, layout)
    if not cell.get("peepholes"):
        del inputs["P"]
    if not initial:
        del inputs["initial_h"]
    if not initial or op != "LSTM":
        del inputs["initial_c"]

    attributes = {"hidden_size": h, "direction": direction, "layout": layout}
    if "activations" in cell:
        attributes["activations"] = cell["activations"].split() * directions
    if op == "GRU":
        attributes["linear_before_reset"] = cell["linear_before_reset"]

    if not lengths:
        outputs = evaluate(op, attributes, inputs)
    else:
        time, batch = (1, 0) if layout else (0, 1)
        batch_of = lambda name: 2 if name == "Y" and not layout else batch  # the axis of the sequences
        parts = []
        for i, length in enumerate(lengths):
            alone = dict(inputs)
            for name in {"X", "initial_h", "initial_c"} & set(inputs):
                alone[name] = inputs[name].take([i], axis=batch_of(name))
            alone["X"] = alone["X"].take(range(length), axis=time)
            part = evaluate(op, attributes, alone)
            padding = [(0, 0)] * 4
            padding[time] = (0, T - length)
            part["Y"] = np.pad(part["Y"], padding)
            parts.append(part)
        outputs = {name: np.concatenate([part[name] for part in parts], batch_of(name)) for name in parts[0]}

    return {"number": number, "op": op, **cell, "direction": direction, "lengths": lengths, "layout": layout,
            "initial": initial, **{name: v.ravel().tolist() for name, v in outputs.items()}}


cases = []
for (k, (op, cell)), (i, direction), (j, lengths) in itertools.product(
        enumerate(CELLS), enumerate(["forward", "reverse", "bidirectional"]), enumerate([[], LENGTHS])):
    # Each cell meets all four of these together, and so does each direction with each kind of lengths.
    layout, initial = (k + i + j) % 2, (k // 2 + j) % 2 == 1
    cases.append(case(len(cases), op, cell, direction, lengths, layout, initial))
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "onnx_rnn.json")
with open(sys.argv[1] if len(sys.argv) > 1 else path, "w") as f:
    json.dump({"onnx": onnx.__version__, "T": T, "n": n, "d": d, "h": h, "cases": cases}, f, separators=(",", ":"))
