"""The training step of the benchmark in JAX and PyTorch; the benchmark starts it, with the protocol of protocol.go.

    python peers.py (jax | torch | torch-compile | torch-rnn) DIRECTORY

The directory holds the problem: its sizes, the text as indices, the initial weights (see problem.go).

Every trainer is written as its framework's users would for speed, and does the same: it walks over the windows of the
text, carries the forward state from one to the next, starts the backward state at zero after each window's last step,
takes the mean cross-entropy over all time steps, clips the gradient's global norm and takes a plain SGD step.
"""

import json
import os
import sys
import time

import numpy as np

REPEATS = 4  # of a product of matrices; the fastest counts


class Problem:
    def __init__(self, directory):
        with open(os.path.join(directory, "problem.json")) as f:
            p = json.load(f)
        self.vocabulary, self.hidden, self.steps, self.batch = (p[k] for k in ("vocabulary", "hidden", "steps", "batch"))
        self.learning_rate, self.clip = p["learning_rate"], p["clip"]
        self.indices = np.fromfile(os.path.join(directory, "indices.i32"), "<i4")
        flat = np.fromfile(os.path.join(directory, "weights.f32"), "<f4")
        q, h = self.vocabulary, self.hidden
        shapes = {"w_xh_f": (q, h), "w_hh_f": (h, h), "w_xh_b": (q, h), "w_hh_b": (h, h), "w_hq": (2 * h, q)}
        self.parameters = {}
        for name, shape in shapes.items():
            size = shape[0] * shape[1]
            self.parameters[name], flat = flat[:size].reshape(shape), flat[size:]
        for name, size in (("b_h_f", h), ("b_h_b", h), ("b_q", q)):
            self.parameters[name] = np.zeros(size, np.float32)

    def epoch(self):
        """The mini-batches of consecutive sampling: x and y, [steps, batch]."""
        columns = len(self.indices) // self.batch
        rows = self.indices[: self.batch * columns].reshape(self.batch, columns)
        for i in range(0, columns - 1 - (columns - 1) % self.steps, self.steps):
            yield rows[:, i : i + self.steps].T, rows[:, i + 1 : i + 1 + self.steps].T


def jax_trainer(p):
    import functools

    import jax
    import jax.numpy as jnp

    jax.config.update("jax_platforms", "cpu")

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
        log_p = jax.nn.log_softmax(logits)
        return -jnp.mean(jnp.take_along_axis(log_p, y[..., None], -1)), h

    @functools.partial(jax.jit, donate_argnums=(0, 1, 2))
    def step(w, h, loss_sum, x, y):
        (loss, h), g = jax.value_and_grad(loss_of, has_aux=True)(w, h, x, y)
        norm = jnp.sqrt(sum(jnp.sum(v * v) for v in g.values()))
        rate = p.learning_rate * jnp.minimum(1, p.clip / norm)
        return {k: w[k] - rate * g[k] for k in w}, h, loss_sum + loss

    def train():
        w = {k: jnp.array(v) for k, v in p.parameters.items()}
        while True:
            h, loss_sum = jnp.zeros((p.batch, p.hidden)), jnp.zeros(())
            for x, y in p.epoch():
                w, h, loss_sum = step(w, h, loss_sum, x, y)
                yield loss_sum

    def matmul(size):
        a, b = (jax.random.normal(jax.random.key(i), (size, size)) for i in range(2))
        product = jax.jit(jnp.matmul)
        return fastest(lambda: product(a, b).block_until_ready())

    return f"JAX {jax.__version__} on {jax.default_backend()}", train, matmul


def torch_trainer(p, kind):
    import torch
    import torch.nn.functional as F

    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    torch.set_num_threads(threads)

    def matmul(size):
        a, b = torch.randn(size, size), torch.randn(size, size)
        return fastest(lambda: torch.mm(a, b))

    def direction(w_xh, w_hh, b_h, h, x, order):
        xw = (F.embedding(x, w_xh) + b_h).unbind(0)  # indexing xw[t] would make a gradient of its size for each t
        states = [None] * p.steps
        for t in order:
            h = states[t] = torch.sigmoid(torch.addmm(xw[t], h, w_hh))
        return torch.stack(states), h

    def loss_by_hand(w, h, x, y):
        forward, h = direction(w["w_xh_f"], w["w_hh_f"], w["b_h_f"], h, x, range(p.steps))
        zero = torch.zeros(p.batch, p.hidden)
        backward, _ = direction(w["w_xh_b"], w["w_hh_b"], w["b_h_b"], zero, x, reversed(range(p.steps)))
        logits = torch.addmm(w["b_q"], torch.cat([forward, backward], -1).flatten(0, 1), w["w_hq"])
        return F.cross_entropy(logits, y.flatten()), h.detach()

    rnn = torch.nn.RNN(p.vocabulary, p.hidden, nonlinearity="tanh", bidirectional=True)

    def loss_of_rnn(w, h, x, y):
        initial = torch.stack([h, torch.zeros(p.batch, p.hidden)])
        states, final = rnn(F.one_hot(x, p.vocabulary).float(), initial)
        logits = torch.addmm(w["b_q"], states.flatten(0, 1), w["w_hq"])
        return F.cross_entropy(logits, y.flatten()), final[0].detach()

    loss_of = {"torch": loss_by_hand, "torch-rnn": loss_of_rnn, "torch-compile": loss_by_hand}[kind]
    if kind == "torch-compile":
        loss_of = torch.compile(loss_of)

    def train():
        w = {k: torch.from_numpy(v.copy()) for k, v in p.parameters.items()}
        if kind == "torch-rnn":
            with torch.no_grad():
                for name, d in (("l0", "f"), ("l0_reverse", "b")):
                    getattr(rnn, f"weight_ih_{name}").copy_(w.pop(f"w_xh_{d}").T)
                    getattr(rnn, f"weight_hh_{name}").copy_(w.pop(f"w_hh_{d}").T)
                    getattr(rnn, f"bias_ih_{name}").copy_(w.pop(f"b_h_{d}"))
                    getattr(rnn, f"bias_hh_{name}").zero_().requires_grad_(False)  # the formulas have one bias
        parameters = list(w.values())
        for v in parameters:
            v.requires_grad_()
        if kind == "torch-rnn":
            parameters += [v for v in rnn.parameters() if v.requires_grad]
        optimizer = torch.optim.SGD(parameters, lr=p.learning_rate, foreach=True)
        while True:
            h, loss_sum = torch.zeros(p.batch, p.hidden), 0.0
            for x, y in p.epoch():
                x, y = (torch.from_numpy(np.ascontiguousarray(v, np.int64)) for v in (x, y))
                loss, h = loss_of(w, h, x, y)
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, p.clip, foreach=True)
                optimizer.step()
                loss_sum += loss.item()
                yield loss_sum

    return f"PyTorch {torch.__version__} on cpu, {threads} threads", train, matmul


def fastest(call):
    """The time of the fastest of a few calls; the first one, which may compile, does not count."""
    call()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)


def main():
    # Whatever a framework may print goes to standard error: standard output is for answers alone.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**what):
        answers.write(json.dumps(what) + "\n")

    kind, directory = sys.argv[1:]
    problem = Problem(directory)
    try:
        name, train, matmul = jax_trainer(problem) if kind == "jax" else torch_trainer(problem, kind)
    except ImportError as e:
        answer(error=f"{sys.executable} cannot import it: {e}; install requirements.txt there, or run with -install")
        return
    answer(ready=name)
    steps = train()
    for line in sys.stdin:
        request = json.loads(line)
        if "matmul" in request:
            answer(seconds=matmul(request["matmul"]))
            continue
        started = time.perf_counter()
        for _ in range(request["steps"]):
            loss = next(steps)
        loss = float(loss)  # waits until it is computed
        answer(seconds=time.perf_counter() - started, loss=loss)


if __name__ == "__main__":
    main()
