"""PyTorch: by hand, a loop over the time steps with autograd; and its own layers, nn.RNN, nn.LSTM and nn.GRU."""

import os

import numpy as np
import torch
import torch.nn.functional as F

from problem import Contender, fastest

THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def make(how, p):
    torch.set_num_threads(THREADS)
    step = post(how, p) if p.kind == "post" else layers(how, p)
    return Contender(f"PyTorch {torch.__version__} on cpu, {THREADS} threads", step, matmul)


def post(how, p):
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

    loss_of = loss_of_rnn if how == "torch-nn" else loss_by_hand
    if how == "torch-compile":
        loss_of = torch.compile(loss_of)

    def steps():
        w = {k: torch.from_numpy(v.copy()) for k, v in p.parameters.items()}
        parameters = []
        if how == "torch-nn":
            both = [{"w_x": w.pop(f"w_xh_{d}"), "w_h": w.pop(f"w_hh_{d}"), "b": w.pop(f"b_h_{d}")} for d in "fb"]
            parameters += set_weights(rnn, [both])
        parameters += [v.requires_grad_() for v in w.values()]
        optimizer = torch.optim.SGD(parameters, lr=p.learning_rate, foreach=True)
        while True:
            h = torch.zeros(p.batch, p.hidden)
            for x, y in p.epoch():
                x, y = (torch.from_numpy(np.ascontiguousarray(v, np.int64)) for v in (x, y))
                loss, h = loss_of(w, h, x, y)
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, p.clip, foreach=True)
                optimizer.step()
                yield loss.item()

    return steps().__next__


def set_weights(rnn, layers):
    """Sets the weights of one of PyTorch's layers; returns those to train.

    PyTorch has two biases, bias_ih and bias_hh, and trains both; the formulas have one, and the GRU's candidate a second
    one, b_hh, so that of the rest of bias_hh nothing is trained: it stays zero.
    """
    with torch.no_grad():
        for l, both in enumerate(layers):
            for v, suffix in zip(both, ("", "_reverse")):
                name = f"l{l}{suffix}"
                getattr(rnn, f"weight_ih_{name}").copy_(torch.as_tensor(v["w_x"]).T)
                getattr(rnn, f"weight_hh_{name}").copy_(torch.as_tensor(v["w_h"]).T)
                getattr(rnn, f"bias_ih_{name}").copy_(torch.as_tensor(v["b"]))
                bias_hh = getattr(rnn, f"bias_hh_{name}").zero_()
                if isinstance(rnn, torch.nn.GRU):
                    bias_hh.register_hook(lambda g: F.pad(g[-rnn.hidden_size :], (2 * rnn.hidden_size, 0)))
                else:
                    bias_hh.requires_grad_(False)
    return [v for v in rnn.parameters() if v.requires_grad]


def layers(how, p):
    if how == "torch-nn":
        module = torch.nn.LSTM if p.cell == "lstm" else torch.nn.GRU
        rnn = module(p.features, p.hidden, num_layers=p.layers, bidirectional=True)
        parameters = set_weights(rnn, p.parameters)
        forward = lambda x: rnn(x)[0]
    else:
        forward, parameters = by_hand(p)
    x, y = torch.from_numpy(p.inputs), torch.from_numpy(p.target)

    def loss_of(x):
        h = forward(x)
        return F.mse_loss(h, y.expand_as(h)), h

    @torch.inference_mode()
    def infer():
        loss, h = loss_of(x)
        h.numpy()
        return loss.item()

    optimizer = torch.optim.SGD(parameters, lr=p.learning_rate, foreach=True)

    def train():
        loss, _ = loss_of(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return infer if p.inference else train


def by_hand(p):
    """The forward pass as a function of x, and the parameters."""

    def lstm(v, x, order):
        xw = torch.addmm(v["b"], x.flatten(0, 1), v["w_x"]).unflatten(0, x.shape[:2]).unbind(0)
        h = c = torch.zeros(p.batch, p.hidden)
        states = [None] * p.steps
        for t in order:
            i, f, g, o = torch.addmm(xw[t], h, v["w_h"]).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = states[t] = torch.sigmoid(o) * torch.tanh(c)
        return torch.stack(states)

    def gru(v, x, order):
        xw = torch.addmm(v["b"], x.flatten(0, 1), v["w_x"]).unflatten(0, x.shape[:2])
        split = [2 * p.hidden, p.hidden]
        x_rz, x_n = (part.unbind(0) for part in xw.split(split, -1))
        w_rz, w_n = v["w_h"].split(split, 1)
        h = torch.zeros(p.batch, p.hidden)
        states = [None] * p.steps
        for t in order:
            r, z = torch.sigmoid(torch.addmm(x_rz[t], h, w_rz)).chunk(2, 1)
            n = torch.tanh(torch.addcmul(x_n[t], r, torch.addmm(v["b_hh"], h, w_n)))
            h = states[t] = torch.lerp(n, h, z)
        return torch.stack(states)

    direction = lstm if p.cell == "lstm" else gru
    stack = [[{k: torch.from_numpy(w.copy()).requires_grad_() for k, w in v.items()} for v in both] for both in p.parameters]
    if p.cell == "gru":
        for v in sum(stack, []):
            v["b_hh"] = torch.zeros(p.hidden, requires_grad=True)

    def forward(x):
        for f, b in stack:
            x = torch.cat([direction(f, x, range(p.steps)), direction(b, x, reversed(range(p.steps)))], -1)
        return x

    return forward, [w for v in sum(stack, []) for w in v.values()]


def matmul(size):
    a, b = torch.randn(size, size), torch.randn(size, size)
    return fastest(lambda: torch.mm(a, b))
