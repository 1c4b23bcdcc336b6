"""The problem that every contender computes, as the benchmark wrote it: see post.go and layers.go."""

import json
import os
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Callable, Optional

import numpy as np

REPEATS = 4  # of a product of matrices; the fastest counts


@dataclass
class Contender:
    name: str
    step: Callable[[], Any]  # one step; its loss, a number or an array that may still be computed
    matmul: Optional[Callable[[int], float]] = None  # seconds of a product of two matrices of that size
    compile: Callable[[], int] = lambda: 0  # without a step; returns the bytes that XLA plans to take for one


class Problem(SimpleNamespace):
    """Has the fields of problem.json, and what the other files hold.

    Of the post's training (kind "post"): parameters by name, and the mini-batches of an epoch.
    Of layers (kind "layers"): inputs [T, n, d], target [2h], and for each layer the parameters of both directions,
    w_x [d, k h], w_h [h, k h] and b [k h], for k gates in the order of layers.go; a linear cell has no w_h.
    """

    def __init__(self, directory):
        with open(os.path.join(directory, "problem.json")) as f:
            super().__init__(**json.load(f))
        self.directory = directory
        self.weights = self.read("weights.f32", "<f4")
        if self.kind == "post":
            self.read_post()
        else:
            self.read_layers()

    def read(self, name, dtype):
        return np.fromfile(os.path.join(self.directory, name), dtype)

    def take(self, *shape):
        size = int(np.prod(shape))
        taken, self.weights = self.weights[:size].reshape(shape), self.weights[size:]
        return taken

    def read_post(self):
        self.indices = self.read("indices.i32", "<i4")
        q, h = self.vocabulary, self.hidden
        shapes = {"w_xh_f": (q, h), "w_hh_f": (h, h), "w_xh_b": (q, h), "w_hh_b": (h, h), "w_hq": (2 * h, q)}
        self.parameters = {name: self.take(*shape) for name, shape in shapes.items()}
        for name, size in (("b_h_f", h), ("b_h_b", h), ("b_q", q)):
            self.parameters[name] = np.zeros(size, np.float32)

    def epoch(self):
        """The mini-batches of consecutive sampling: x and y, [steps, batch]."""
        columns = len(self.indices) // self.batch
        rows = self.indices[: self.batch * columns].reshape(self.batch, columns)
        for i in range(0, columns - 1 - (columns - 1) % self.steps, self.steps):
            yield rows[:, i : i + self.steps].T, rows[:, i + 1 : i + 1 + self.steps].T

    def read_layers(self):
        d, h = self.features, self.hidden
        self.inputs = self.read("inputs.f32", "<f4").reshape(self.steps, self.batch, d)
        self.target = self.read("target.f32", "<f4")
        k = {"lstm": 4, "gru": 3, "ugrnn": 2, "mingru": 2, "minlstm": 3}[self.cell] * h
        linear = self.cell in ("mingru", "minlstm")
        self.parameters = []
        for _ in range(self.layers):
            shapes = {"w_x": (d, k), "b": (k,)} if linear else {"w_x": (d, k), "w_h": (h, k), "b": (k,)}
            self.parameters.append([{name: self.take(*shape) for name, shape in shapes.items()} for _ in range(2)])
            d = 2 * h


def fastest(call):
    """The time of the fastest of a few calls; the first one, which may compile, does not count."""
    call()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)
