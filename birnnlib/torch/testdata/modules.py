"""Writes torch_tagger, torch_cells and torch_reparametrized.safetensors: modules of PyTorch, with what they compute.

    pip install torch==2.15.0 safetensors==0.8.0 && python modules.py

torch_tagger is Embedding, bidirectional LSTM and Linear, with

    x  the indices, [time step, batch]
    o  the outputs, [time step, batch, class]

torch_cells has cells, and torch_reparametrized modules whose weights PyTorch computes from others. Both have the inputs x
[time step, batch, feature] and, for the module NAME, whose weights begin with "NAME.", the outputs "h/NAME" at all time
steps.
"""

import os
import sys
import warnings

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import utils
from torch.nn.utils import parametrizations, parametrize

here = os.path.dirname(os.path.abspath(__file__))
T, n, d, h, q, words = 5, 2, 3, 4, 6, 7


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(words, d)
        self.lstm = nn.LSTM(d, h, bidirectional=True)
        self.linear = nn.Linear(2 * h, q)

    def forward(self, x):
        return self.linear(self.lstm(self.embedding(x))[0])


class WeightDrop(nn.Module):
    """DropConnect on weight_hh_l0, which is computed from weight_hh_l0_raw before each call: in the AWD-LSTM of Salesforce
    (https://github.com/salesforce/awd-lstm-lm/blob/master/weight_drop.py) _raw belongs to the module inside, in fastai's
    (fastai/text/models/awdlstm.py) to this one, and version 1 also stores the weight as it was dropped last."""

    def __init__(self, module, inside, stored):
        super().__init__()
        self.module, self.owner = module, [module if inside else self]
        weight = module._parameters.pop("weight_hh_l0")
        self.owner[0].register_parameter("weight_hh_l0_raw", nn.Parameter(weight.data))
        self.stored = stored

    def forward(self, x):
        weight = nn.functional.dropout(self.owner[0].weight_hh_l0_raw, 0.5, self.training)
        if self.stored:
            self.module._parameters["weight_hh_l0"] = nn.Parameter(weight.data)
        else:
            self.module.weight_hh_l0 = weight
        self.module._flat_weights = [getattr(self.module, name) for name in self.module._flat_weights_names]
        return self.module(x)


def save(name, tensors):
    tensors = {k: v.detach().clone().contiguous() for k, v in tensors.items()}
    save_file(tensors, os.path.join(here, f"torch_{name}.safetensors"))


def weights(name, module):
    return {f"{name}.{k}": v for k, v in module.state_dict().items()}


def scaled(module):
    """Changes the norms g, which weight normalisation sets to those of the weights at first."""
    for name, g in module.named_parameters():
        if name.endswith(("_g", "original0")):
            g.data *= 0.5 + torch.rand_like(g)
    return module


warnings.simplefilter("ignore")  # utils.weight_norm is deprecated, but models have it
torch.manual_seed(1)
with torch.no_grad():
    tagger = Tagger()
    x = torch.randint(words, (T, n))
    save("tagger", tagger.state_dict() | {"x": x, "o": tagger(x)})

    x = torch.randn(T, n, d)
    tensors = {"x": x}
    for name, cell in {
        "tanh": nn.RNNCell(d, h),
        "relu": nn.RNNCell(d, h, bias=False, nonlinearity="relu"),
        "lstm": nn.LSTMCell(d, h),
        "gru": nn.GRUCell(d, h),
    }.items():
        state, outputs = None, []
        for t in range(T):
            state = cell(x[t], state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        tensors |= weights(name, cell) | {f"h/{name}": torch.stack(outputs)}
    save("cells", tensors)

    tensors = {"x": x}
    # The older weight normalisation, with one norm per row, per column, of all, and of a vector.
    old = nn.LSTM(d, h, bidirectional=True)
    for name, dim in {"weight_ih_l0": 0, "weight_hh_l0": 1, "weight_hh_l0_reverse": None, "bias_ih_l0": 0}.items():
        utils.weight_norm(old, name, dim)
    tensors |= weights("norm", scaled(old)) | {"h/norm": old(x)[0]}
    # The newer one.
    new = nn.GRU(d, h)
    for name, dim in {"weight_ih_l0": None, "weight_hh_l0": 0}.items():
        parametrizations.weight_norm(new, name, dim=dim)
    tensors |= weights("parametrized", scaled(new))
    for name in ("weight_ih_l0", "weight_hh_l0"):  # nn.GRU computes with stale weights unless they are parameters
        parametrize.remove_parametrizations(new, name)
    plain = nn.GRU(d, h)
    plain.load_state_dict(new.state_dict())
    tensors |= {"h/parametrized": plain(x)[0]}

    linear = scaled(utils.weight_norm(nn.Linear(d, q, bias=False)))
    tensors |= weights("linear", linear) | {"h/linear": linear(x)}
    embedding = scaled(parametrizations.weight_norm(nn.Embedding(words, d)))
    tensors |= weights("embedding", embedding) | {"h/embedding": embedding(torch.arange(words))}

    for name, inside, stored in (("awd", True, False), ("fastai1", False, True), ("fastai2", False, False)):
        drop = WeightDrop(nn.LSTM(d, h), inside, stored)
        drop.train()(x)  # stores a weight with dropped entries
        tensors |= weights(name, drop) | {f"h/{name}": drop.eval()(x)[0]}
    save("reparametrized", tensors)
print("written with", torch.__version__, file=sys.stderr)
