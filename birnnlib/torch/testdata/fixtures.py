"""Writes the .safetensors files beside it: recurrent networks of PyTorch and Keras, with what they compute.

    pip install torch==2.15.0 safetensors==0.8.0 keras==3.15.1 && KERAS_BACKEND=torch python fixtures.py

Each file has the weights of a model, drawn by its library, and

    x      the inputs, [time step, batch, feature]
    h      the outputs, [time step, batch, hidden]
    final  of PyTorch, the final hidden states, [layer and direction, batch, hidden]

A model of PyTorch in 16 bits computes in 32, from its rounded weights.
"""

import os
import sys

import keras
import numpy as np
import torch
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import save_file as save_torch

here = os.path.dirname(os.path.abspath(__file__))
T, n, d = 4, 2, 3


class Model(torch.nn.Module):
    """A recurrent module that is a part of a model, among other parts."""

    def __init__(self, rnn):
        super().__init__()
        self.encoder = torch.nn.ModuleDict({"rnn": rnn})
        self.norm = torch.nn.BatchNorm1d(1)  # with a counter of an integer type


def pytorch(name, rnn, dtype=torch.float32):
    weights = Model(rnn.to(dtype)).state_dict()
    rnn.to(torch.float64 if dtype == torch.float64 else torch.float32)
    x = torch.randn(T, n, d, dtype=next(rnn.parameters()).dtype)
    with torch.no_grad():
        h, final = rnn(x)
    final = final[0] if isinstance(final, tuple) else final
    weights = {k: v.clone() for k, v in weights.items()}
    save_torch(weights | {"x": x, "h": h, "final": final}, os.path.join(here, f"torch_{name}.safetensors"))


def keras_model(name, *layers):
    model = keras.Sequential([keras.Input((T, d)), *layers])
    rng = np.random.default_rng(len(name))
    for w in model.weights:  # the biases too, which start at 0
        w.assign(rng.normal(0, 0.5, w.shape).astype(np.float32))
    x = rng.normal(0, 1, (n, T, d)).astype(np.float32)
    h = keras.ops.convert_to_numpy(model(x))
    # Contiguous: safetensors writes the memory of an array as it lies, and Keras' initial values may lie transposed.
    weights = {w.path: np.ascontiguousarray(keras.ops.convert_to_numpy(w)) for w in model.weights}
    time_major = lambda a: np.ascontiguousarray(a.transpose(1, 0, 2))
    save_numpy(weights | {"x": time_major(x), "h": time_major(h)}, os.path.join(here, f"keras_{name}.safetensors"))


assert keras.config.backend() == "torch", "run it with KERAS_BACKEND=torch"
torch.manual_seed(1)
pytorch("rnn_relu", torch.nn.RNN(d, 4, nonlinearity="relu", num_layers=2, bias=False))
pytorch("rnn_tanh_float64", torch.nn.RNN(d, 4, bidirectional=True), torch.float64)
pytorch("lstm", torch.nn.LSTM(d, 3, num_layers=2, bidirectional=True))
pytorch("lstm_proj_bfloat16", torch.nn.LSTM(d, 4, num_layers=2, proj_size=2, bidirectional=True), torch.bfloat16)
pytorch("gru", torch.nn.GRU(d, 3, num_layers=3, bidirectional=True))
pytorch("gru_no_bias_float16", torch.nn.GRU(d, 3, bias=False), torch.float16)

L = keras.layers
both = lambda layer: L.Bidirectional(layer)
keras_model("rnn", L.SimpleRNN(4, return_sequences=True, activation="relu", use_bias=False, name="read"))
keras_model("lstm", both(L.LSTM(3, return_sequences=True, name="one")), both(L.LSTM(2, return_sequences=True, name="two")))
smaller = L.GRU(2, return_sequences=True, go_backwards=True, name="smaller")
keras_model("gru", L.GRU(4, return_sequences=True, name="first"),
            L.Bidirectional(L.GRU(3, return_sequences=True, name="small"), backward_layer=smaller, name="second"))
keras_model("gru_reset_before", both(L.GRU(3, return_sequences=True, reset_after=False, name="third")))
print("written with", torch.__version__, keras.__version__, file=sys.stderr)
