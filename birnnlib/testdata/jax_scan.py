"""Writes jax_scan.json: results and gradients of recurrences that are no cells, computed by JAX's lax.scan.

    pip install jax==0.10.0 && python jax_scan.py

Each case is a step for lax.scan; the loss is the mean of the squares of the results plus the sum of the last states. The Go
test writes the same steps with GoMLX. Everything is in float64, and the numbers come from the rule below, which the
test repeats, so that the fixture holds results only.
"""

import json
import os

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)


def rule(stream, *dims):
    """Numbers in (-1, 1) that are easily written again."""
    i = np.arange(int(np.prod(dims)), dtype=np.float64)
    return np.sin(12.9898 * (i + 1) + 78.233 * (stream + 1)).reshape(dims)


T, N, D = 12, 3, 4


def ema():
    """An exponential moving average whose rate is learned: s = s + σ(a) (x - s)."""

    def step(w, s, x):
        (s,), (x,) = s, x
        s = s + jax.nn.sigmoid(w[0]) * (x - s)
        return (s,), (s,)

    return step, [rule(0, D)], [rule(1, N, D)], [rule(2, T, N, D)]


def kalman():
    """A Kalman filter in one dimension: log of the noises q, r learned, mean m and variance p as states."""

    def step(w, s, x):
        (m, p), (z,) = s, x
        q, r = jnp.exp(w[0]), jnp.exp(w[1])
        p = p + q
        k = p / (p + r)
        innovation = z - m
        m = m + k * innovation
        loss = 0.5 * (jnp.log(p + r) + innovation**2 / (p + r))
        return (m, (1 - k) * p), (m, loss)

    return step, [rule(0), rule(1)], [rule(2, N), 1 + 0.5 * rule(3, N)], [rule(4, T, N)]


def pointer():
    """A pointer that attends to a sequence, reads what it points to, and is moved by it."""

    def step(w, s, x):
        (h,), (u,) = s, x
        memory, wq, wr = w
        scores = jnp.einsum("nd,mnd->nm", h @ wq, memory)
        at = jax.nn.softmax(scores, axis=-1)
        read = jnp.einsum("nm,mnd->nd", at, memory)
        h = jnp.tanh(read @ wr + u - h.max(axis=-1, keepdims=True))
        return (h,), (at, read)

    return step, [rule(0, 5, N, D), rule(1, D, D), rule(2, D, D)], [rule(3, N, D)], [rule(4, T, N, D)]


def linear(reverse):
    """h = a h + b by lax.associative_scan, from an initial state; the loss as in main."""
    a, b, h = jax.nn.sigmoid(rule(0, T, N, D)), rule(1, T, N, D), rule(2, N, D)

    def run(a, b, h):
        end = -1 if reverse else 0
        b = b.at[end].add(a[end] * h)
        _, hs = jax.lax.associative_scan(lambda x, y: (y[0] * x[0], y[0] * x[1] + y[1]), (a, b), reverse=reverse)
        return jnp.mean(hs**2) + jnp.sum(hs[0 if reverse else -1]), hs

    (loss, hs), gradients = jax.value_and_grad(run, argnums=(0, 1, 2), has_aux=True)(a, b, h)
    flat = lambda arrays: [np.asarray(x).ravel().tolist() for x in arrays]
    return {"loss": float(loss), "last": flat([hs[0 if reverse else -1]]), "results": flat([hs]), "gradients": flat(gradients)}


def main():
    cases = {}
    for make in (ema, kalman, pointer):
        step, w, initial, xs = make()
        for reverse in (False, True):

            def run(w, initial, xs):
                last, results = jax.lax.scan(lambda s, x: step(w, s, x), tuple(initial), tuple(xs), reverse=reverse)
                loss = sum(jnp.mean(r**2) for r in results) + sum(jnp.sum(s) for s in last)
                return loss, (last, results)

            (loss, (last, results)), gradients = jax.value_and_grad(run, argnums=(0, 1, 2), has_aux=True)(w, initial, xs)
            flat = lambda arrays: [np.asarray(a).ravel().tolist() for a in arrays]
            cases[make.__name__ + ("_reversed" if reverse else "")] = {
                "loss": float(loss), "last": flat(last), "results": flat(results),
                "gradients": flat([a for group in gradients for a in group]),
            }
    for reverse in (False, True):
        cases["linear" + ("_reversed" if reverse else "")] = linear(reverse)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "jax_scan.json")
    with open(path, "w") as f:
        json.dump({"T": T, "n": N, "d": D, "cases": cases}, f)
        f.write("\n")


main()
