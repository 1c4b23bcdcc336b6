"""Writes jax_training.json: perplexities of short trainings by the post's rules, computed by JAX.

    pip install jax==0.10.0 && python jax_training.py

Nothing here is shared with the Go code: the mini-batches, the carried state, the clipping and the update are written
anew. The learning rate is small, since at the post's 100 rounding alone moves later steps by percents.
"""

import json
import math
import os

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_platforms", "cpu")

TEXT = "春眠不觉晓处处闻啼鸟夜来风雨声花落知多少床前明月光疑是地上霜举头望明月低头思故乡白日依山尽黄河入海流欲穷千里目更上一层楼"
BATCH, STEPS, EPOCHS, LR = 3, 4, 4, 0.5


def run(sizes, as_posted, activation, seed, clip):
    phi = {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "relu": jax.nn.relu}[activation]
    chars = list(dict.fromkeys(TEXT))
    indices = np.array([chars.index(c) for c in TEXT])
    vocab = len(chars)

    rng = np.random.default_rng(seed)
    p, d = {}, vocab
    for l, (hf, hb) in enumerate(sizes, 1):
        for name, h in (("f", hf), ("b", hb)):
            p[f"layer_{l}/W_xh^{name}"] = rng.normal(0, 0.4, (d, h))
            p[f"layer_{l}/W_hh^{name}"] = rng.normal(0, 0.4, (h, h))
            p[f"layer_{l}/b_h^{name}"] = rng.normal(0, 0.1, (h,))
        d = hf + hb
    p["W_hq"], p["b_q"] = rng.normal(0, 0.4, (d, vocab)), np.zeros(vocab)
    p = {k: jnp.asarray(v, jnp.float32) for k, v in p.items()}
    weights = {k: np.asarray(v).ravel().tolist() for k, v in p.items()}

    def direction(p, l, name, xw, h, backwards):
        hs = [None] * len(xw)
        for t in reversed(range(len(xw))) if backwards else range(len(xw)):
            h = phi(xw[t] + h @ p[f"layer_{l}/W_hh^{name}"])
            hs[t] = h
        return jnp.stack(hs), h

    def loss(p, state, x, y):
        h = jax.nn.one_hot(x, vocab)
        new = []
        for l in range(1, len(sizes) + 1):
            xw = {n: h @ p[f"layer_{l}/W_xh^{n}"] + p[f"layer_{l}/b_h^{n}"] for n in "fb"}
            f, last_f = direction(p, l, "f", xw["f"], state[l - 1][0], False)
            b, last_b = direction(p, l, "b", xw["b"], state[l - 1][1], not as_posted)
            # By the formulas the backward state is not there yet at a window's end: it starts at zero again.
            new.append((last_f, last_b if as_posted else jnp.zeros_like(last_b)))
            h = jnp.concatenate([f, b], -1)
        logp = jax.nn.log_softmax(h @ p["W_hq"] + p["b_q"])
        return -jnp.mean(jnp.take_along_axis(logp, y[..., None], -1)), new

    step = jax.jit(jax.value_and_grad(loss, has_aux=True))
    columns = len(indices) // BATCH
    rows = indices[: BATCH * columns].reshape(BATCH, columns)
    perplexities, norms = [], []
    for _ in range(EPOCHS):
        state = [(jnp.zeros((BATCH, hf)), jnp.zeros((BATCH, hb))) for hf, hb in sizes]
        total, count = 0.0, 0
        for i in range((columns - 1) // STEPS):
            x, y = rows[:, i * STEPS : (i + 1) * STEPS].T, rows[:, i * STEPS + 1 : (i + 1) * STEPS + 1].T
            (l, state), g = step(p, state, x, y)
            norm = math.sqrt(sum(float(jnp.sum(v * v)) for v in g.values()))
            norms.append(norm)
            p = {k: p[k] - LR * min(1.0, clip / norm) * g[k] for k in p}
            total, count = total + float(l) * y.size, count + y.size
        perplexities.append(math.exp(total / count))
    assert min(norms) < clip < max(norms), f"both clipped and unclipped steps must occur: {min(norms)} to {max(norms)}"
    return {"sizes": sizes, "as_posted": as_posted, "activation": activation, "clip": clip, "weights": weights,
            "perplexities": perplexities, "W_hq": np.asarray(p["W_hq"]).ravel().tolist()}


out = {
    "text": TEXT, "batch": BATCH, "steps": STEPS, "learning_rate": LR,
    "cases": {
        "formulas": run([(5, 5)], False, "sigmoid", 1, 0.53),
        "as posted": run([(5, 5)], True, "sigmoid", 2, 0.53),
        "two layers, sizes differ": run([(5, 4), (3, 6)], False, "tanh", 3, 0.95),
        "two layers, as posted": run([(5, 4), (3, 6)], True, "relu", 4, 0.8),
    },
}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "jax_training.json"), "w") as f:
    json.dump(out, f, ensure_ascii=False, separators=(",", ":"))
for name, case in out["cases"].items():
    print(name, case["perplexities"])
