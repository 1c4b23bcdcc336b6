"""Flax NNX's own layers, in a step that is jitted as with JAX by hand."""

import functools

import flax
import jax
import jax.numpy as jnp
from flax import nnx

from problem import Contender
from with_jax import clipped_sgd, cross_entropy, inference, training


def make(how, p):
    name = f"Flax {flax.__version__}, JAX {jax.__version__} on {jax.default_backend()}"
    return Contender(name, post(p)) if p.kind == "post" else Contender(name, **layers(p))


def bidirectional(cells):
    # No random numbers: initial states are given.
    forward, backward = (nnx.RNN(cell, time_major=True, rngs=False) for cell in cells)
    return nnx.Bidirectional(forward, backward, time_major=True, rngs=False)


def post(p):
    """The cell takes dense input only: one-hot vectors."""
    rngs, w = nnx.Rngs(0), p.parameters
    cells = [nnx.SimpleCell(p.vocabulary, p.hidden, activation_fn=jax.nn.sigmoid, rngs=rngs) for _ in "fb"]
    for cell, d in zip(cells, "fb"):
        cell.dense_i.kernel[...] = w[f"w_xh_{d}"]
        cell.dense_i.bias[...] = w[f"b_h_{d}"]
        cell.dense_h.kernel[...] = w[f"w_hh_{d}"]
    output = nnx.Linear(2 * p.hidden, p.vocabulary, rngs=rngs)
    output.kernel[...], output.bias[...] = w["w_hq"], w["b_q"]
    definition, w = nnx.split(nnx.List([bidirectional(cells), output]))

    def loss_of(w, h, x, y):
        rnn, output = nnx.merge(definition, w)
        initial = h, jnp.zeros((p.batch, p.hidden))
        (h, _), states = rnn(jax.nn.one_hot(x, p.vocabulary), initial_carry=initial, return_carry=True)
        return cross_entropy(output(states), y), h

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def train(w, h, x, y):
        (loss, h), g = jax.value_and_grad(loss_of, has_aux=True)(w, h, x, y)
        return clipped_sgd(w, g, p), h, loss

    def steps(w):
        while True:
            h = jnp.zeros((p.batch, p.hidden))
            for x, y in p.epoch():
                w, h, loss = train(w, h, x, y)
                yield loss

    return steps(w).__next__


def layers(p):
    """OptimizedLSTMCell multiplies by all gates' weights at once; GRUCell has the reset gate after the product, and no
    bias b_hh there."""
    rngs = nnx.Rngs(0)
    make_cell = nnx.OptimizedLSTMCell if p.cell == "lstm" else nnx.GRUCell
    stack = []
    for layer in p.parameters:
        cells = []
        for v in layer:
            cell = make_cell(v["w_x"].shape[0], p.hidden, rngs=rngs)
            cell.dense_i.kernel[...] = v["w_x"]
            cell.dense_h.kernel[...] = v["w_h"]
            biased = cell.dense_h if p.cell == "lstm" else cell.dense_i
            biased.bias[...] = v["b"]
            cells.append(cell)
        stack.append(bidirectional(cells))
    definition, w = nnx.split(nnx.List(stack))
    zero = jnp.zeros((p.batch, p.hidden))
    initial = (zero, zero) if p.cell == "lstm" else zero

    def loss_of(w, x, y):
        for rnn in nnx.merge(definition, w):
            x = rnn(x, initial_carry=(initial, initial))
        return jnp.mean((x - y) ** 2), x

    return training(p, loss_of, w) if not p.inference else inference(p, loss_of, w)
