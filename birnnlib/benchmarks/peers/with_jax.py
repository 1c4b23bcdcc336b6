"""JAX by hand: one jitted step with donated parameters, one lax.scan or lax.associative_scan a direction."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from problem import Contender, fastest

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_traceback_filtering", "off")  # else the last line of an error says nothing


def make(how, p):
    name = f"JAX {jax.__version__} on {jax.default_backend()}"
    if p.kind == "post":
        return Contender(name, post(p), matmul)
    linear = p.cell in ("mingru", "minlstm")
    return Contender(name, **(linear_layers(how, p) if linear else layers(p)))


def post(p):
    def direction(w_xh, w_hh, b_h, h, x, reverse):
        def next_state(h, xw_t):
            h = jax.nn.sigmoid(xw_t + h @ w_hh)
            return h, h

        return jax.lax.scan(next_state, h, w_xh[x] + b_h, reverse=reverse)

    def loss_of(w, h, x, y):
        h, forward = direction(w["w_xh_f"], w["w_hh_f"], w["b_h_f"], h, x, False)
        zero = jnp.zeros((p.batch, p.hidden))
        _, backward = direction(w["w_xh_b"], w["w_hh_b"], w["b_h_b"], zero, x, True)
        logits = jnp.concatenate([forward, backward], -1) @ w["w_hq"] + w["b_q"]
        return cross_entropy(logits, y), h

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def train(w, h, x, y):
        (loss, h), g = jax.value_and_grad(loss_of, has_aux=True)(w, h, x, y)
        return clipped_sgd(w, g, p), h, loss

    def steps():
        w = {k: jnp.array(v) for k, v in p.parameters.items()}
        while True:
            h = jnp.zeros((p.batch, p.hidden))
            for x, y in p.epoch():
                w, h, loss = train(w, h, x, y)
                yield loss

    return steps().__next__


def cross_entropy(logits, y):
    log_p = jax.nn.log_softmax(logits)
    return -jnp.mean(jnp.take_along_axis(log_p, y[..., None], -1))


def clipped_sgd(w, g, p):
    norm = jnp.sqrt(sum(jnp.sum(v * v) for v in jax.tree.leaves(g)))
    rate = p.learning_rate * jnp.minimum(1, p.clip / norm)
    return jax.tree.map(lambda v, d: v - rate * d, w, g)


def layers(p):
    def lstm(w_h, states, xw_t):
        h, c = states
        i, f, g, o = jnp.split(xw_t + h @ w_h, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def gru(w_h, states, xw_t):
        w_h, b_hh = w_h
        (h,) = states
        x_r, x_z, x_n = jnp.split(xw_t, 3, axis=-1)
        h_r, h_z, h_n = jnp.split(h @ w_h, 3, axis=-1)
        z = jax.nn.sigmoid(x_z + h_z)
        n = jnp.tanh(x_n + jax.nn.sigmoid(x_r + h_r) * (h_n + b_hh))
        h = (1 - z) * n + z * h
        return (h,), h

    def ugrnn(w_h, states, xw_t):
        (h,) = states
        g, c = jnp.split(xw_t + h @ w_h, 2, axis=-1)
        g = jax.nn.sigmoid(g)
        h = g * h + (1 - g) * jnp.tanh(c)
        return (h,), h

    zero = jnp.zeros((p.batch, p.hidden))
    cell, zeros = {"lstm": (lstm, (zero, zero)), "gru": (gru, (zero,)), "ugrnn": (ugrnn, (zero,))}[p.cell]

    def loss_of(w, x, y):
        for layer in w:
            xw = [x @ v["w_x"] + v["b"] for v in layer]
            w_h = [(v["w_h"], v["b_hh"]) if "b_hh" in v else v["w_h"] for v in layer]
            outputs = [
                jax.lax.scan(functools.partial(cell, w_h[d]), zeros, xw[d], reverse=reverse)[1]
                for d, reverse in enumerate((False, True))
            ]
            x = jnp.concatenate(outputs, -1)
        return jnp.mean((x - y) ** 2), x

    w = jax.tree.map(jnp.array, p.parameters)
    if p.cell == "gru":
        for v in sum(w, []):
            v["b_hh"] = jnp.zeros(p.hidden)
    return training(p, loss_of, w) if not p.inference else inference(p, loss_of, w)


def linear_layers(how, p):
    """minGRU and minLSTM: h_t = a_t h_{t-1} + b_t, where a and b depend on the inputs alone."""

    def mingru(xw):
        z, h = jnp.split(xw, 2, axis=-1)
        z = jax.nn.sigmoid(z)
        return 1 - z, z * h

    def minlstm(xw):
        f, i, h = jnp.split(xw, 3, axis=-1)
        f, i = jax.nn.sigmoid(f), jax.nn.sigmoid(i)
        return f / (f + i), i / (f + i) * h

    def sequential(a, b, reverse):
        def step(h, at):
            a, b = at
            h = a * h + b
            return h, h

        return jax.lax.scan(step, jnp.zeros((p.batch, p.hidden)), (a, b), reverse=reverse)[1]

    def associative(a, b, reverse):
        def composition(first, then):
            return then[0] * first[0], then[0] * first[1] + then[1]

        return jax.lax.associative_scan(composition, (a, b), reverse=reverse)[1]

    coefficients = {"mingru": mingru, "minlstm": minlstm}[p.cell]
    scan = associative if how == "jax-associative" else sequential

    def loss_of(w, x, y):
        for layer in w:
            outputs = [
                scan(*coefficients(x @ v["w_x"] + v["b"]), reverse) for v, reverse in zip(layer, (False, True))
            ]
            x = jnp.concatenate(outputs, -1)
        return jnp.mean((x - y) ** 2), x

    return training(p, loss_of, jax.tree.map(jnp.array, p.parameters))


def training(p, loss_of, w):
    """Steps of SGD on one mini-batch; loss_of(w, x, y) returns the loss and the outputs."""

    @functools.partial(jax.jit, donate_argnums=0)
    def train(w, x, y):
        (loss, _), g = jax.value_and_grad(loss_of, has_aux=True)(w, x, y)
        return jax.tree.map(lambda v, d: v - p.learning_rate * d, w, g), loss

    x, y = jnp.array(p.inputs), jnp.array(p.target)

    def compile():
        nonlocal train
        train = train.lower(w, x, y).compile()
        return planned(train)

    def step():
        nonlocal w
        w, loss = train(w, x, y)
        return loss

    return {"step": step, "compile": compile}


def inference(p, loss_of, w):
    """The outputs of one sequence, from an array of NumPy's to another."""
    infer, y = jax.jit(loss_of), jnp.array(p.target)

    def compile():
        nonlocal infer
        infer = infer.lower(w, p.inputs, y).compile()
        return planned(infer)

    def step():
        loss, h = infer(w, p.inputs, y)
        np.asarray(h)
        return loss

    return {"step": step, "compile": compile}


def planned(compiled):
    return compiled.memory_analysis().temp_size_in_bytes


def matmul(size):
    a, b = (jax.random.normal(jax.random.key(i), (size, size)) for i in range(2))
    product = jax.jit(jnp.matmul)
    return fastest(lambda: product(a, b).block_until_ready())
