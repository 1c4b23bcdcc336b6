"""Writes jax_birnn.json: outputs, loss and gradients of the network of the formulas, computed by JAX.

    pip install jax==0.10.0 && python jax_birnn.py

Nothing here is shared with the Go code. The small cases start from JAX's own random weights, which the fixture holds.
The case "post" has the size of the post's network, so its weights are not stored: they are drawn by a rule simple
enough to be written again in Go (see `rule`), and of each gradient the fixture holds the norm, the sum and a sample.
"""

import json
import os

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_platforms", "cpu")

PHI = {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "relu": jax.nn.relu}


def walk(phi, xw, w_hh, h, reverse):
    """The states at all time steps, in the order of time."""

    def step(h, xw_t):
        h = phi(xw_t + h @ w_hh)
        return h, h

    _, hs = jax.lax.scan(step, h, xw, reverse=reverse)
    return hs


def forward(p, x, initial, phi, layers, as_posted):
    h = x
    for l in range(1, layers + 1):
        both = []
        for d, reverse in (("f", False), ("b", not as_posted)):
            w_xh, w_hh, b_h = (p[f"layer_{l}/{name}^{d}"] for name in ("W_xh", "W_hh", "b_h"))
            xw = (w_xh[h] if l == 1 else h @ w_xh) + b_h
            h0 = initial.get(f"layer_{l}/{d}", jnp.zeros((x.shape[1], w_hh.shape[0])))
            both.append(walk(phi, xw, w_hh, h0, reverse))
        h = jnp.concatenate(both, axis=-1)
    return h, h @ p["W_hq"] + p["b_q"]


def loss_of(p, x, y, initial, phi, layers, as_posted):
    _, o = forward(p, x, initial, phi, layers, as_posted)
    logp = jax.nn.log_softmax(o, axis=-1)
    return -jnp.mean(jnp.take_along_axis(logp, y[..., None], axis=-1))


def shapes_of(vocab, sizes):
    shapes, d = {}, vocab
    for l, (hf, hb) in enumerate(sizes, 1):
        for name, h in (("f", hf), ("b", hb)):
            shapes[f"layer_{l}/W_xh^{name}"] = (d, h)
            shapes[f"layer_{l}/W_hh^{name}"] = (h, h)
            shapes[f"layer_{l}/b_h^{name}"] = (h,)
        d = hf + hb
    shapes["W_hq"], shapes["b_q"] = (d, vocab), (vocab,)
    return shapes


def small(activation, sizes, as_posted, with_initial, seed):
    vocab, T, n = 7, 5, 3
    key = jax.random.PRNGKey(seed)

    def draw(shape, scale=0.5):
        nonlocal key
        key, sub = jax.random.split(key)
        return scale * jax.random.normal(sub, shape, dtype=jnp.float32)

    p = {name: draw(shape) for name, shape in shapes_of(vocab, sizes).items()}
    initial = {}
    if with_initial:
        for l, (hf, hb) in enumerate(sizes, 1):
            initial[f"layer_{l}/f"], initial[f"layer_{l}/b"] = draw((n, hf)), draw((n, hb))
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, vocab, (T, n)), rng.integers(0, vocab, (T, n))
    args = (x, y, initial, PHI[activation], len(sizes), as_posted)
    loss, (gp, gi) = jax.value_and_grad(lambda p, i: loss_of(p, x, y, i, *args[3:]), argnums=(0, 1))(p, initial)
    h, o = forward(p, x, initial, *args[3:])
    flat = lambda tree: {k: np.asarray(v, np.float32).ravel().tolist() for k, v in tree.items()}
    return {
        "activation": activation, "sizes": sizes, "as_posted": as_posted,
        "vocab": vocab, "T": T, "n": n, "x": x.ravel().tolist(), "y": y.ravel().tolist(),
        "weights": flat(p), "initial": flat(initial),
        "h": np.asarray(h).ravel().tolist(), "o": np.asarray(o).ravel().tolist(), "loss": float(loss),
        "gradients": flat(gp), "initial_gradients": flat(gi),
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


def post(as_posted):
    vocab, T, n, sizes = 1027, 35, 32, [(256, 256)]
    p = {}
    for stream, (name, shape) in enumerate(shapes_of(vocab, sizes).items()):
        weights = 0.01 * rule(stream, int(np.prod(shape))).reshape(shape)
        p[name] = jnp.asarray(weights if len(shape) == 2 else np.zeros(shape), jnp.float32)
    text = np.minimum((np.abs(rule(99, T * n + n)) * 300).astype(np.int64), vocab - 1)
    x, y = text[: T * n].reshape(T, n), text[n:].reshape(T, n)
    loss, g = jax.value_and_grad(loss_of)(p, x, y, {}, PHI["sigmoid"], 1, as_posted)
    summary = {}
    for name, v in g.items():
        v = np.asarray(v, np.float64).ravel()
        step = max(1, len(v) // 101)
        summary[name] = {"norm": float(np.linalg.norm(v)), "sum": float(v.sum()), "step": step,
                         "sample": np.float32(v[::step]).tolist()}
    return {"activation": "sigmoid", "sizes": sizes, "as_posted": as_posted, "vocab": vocab, "T": T, "n": n,
            "loss": float(loss), "summary": summary}


cases = {
    "formulas": small("sigmoid", [(4, 4)], False, False, 1),
    "as posted": small("sigmoid", [(4, 4)], True, False, 2),
    "tanh, sizes differ, initial state": small("tanh", [(4, 3)], False, True, 3),
    "relu, as posted, initial state": small("relu", [(3, 5)], True, True, 4),
    "two layers": small("tanh", [(4, 3), (2, 5)], False, True, 5),
    "three layers, as posted": small("sigmoid", [(3, 2), (2, 3), (4, 2)], True, False, 6),
    "post, formulas": post(False),
    "post, as posted": post(True),
}
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "jax_birnn.json")
with open(path, "w") as f:
    json.dump({"jax": jax.__version__, "cases": cases}, f, separators=(",", ":"))
