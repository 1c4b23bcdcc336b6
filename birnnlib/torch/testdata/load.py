"""Lets PyTorch load what the test has exported, and run it.

    python load.py FOLDER     (needs torch and safetensors)

FOLDER/cases.json lists modules, each with its class in torch.nn, the arguments to make it, and the name of a file with
its weights, under "net.", and inputs x [time step, batch, feature]. PyTorch's outputs h and final hidden states final go
into the file NAME.out. Besides, echo.safetensors is read and written again, as echo.safetensors.out.
"""

import json
import os
import sys

import torch
from safetensors.torch import load_file, save_file

folder = sys.argv[1]
with open(os.path.join(folder, "cases.json")) as f:
    cases = json.load(f)
for case in cases:
    path = os.path.join(folder, case["file"])
    tensors = load_file(path)
    net = getattr(torch.nn, case["class"])(**case["arguments"]).to(tensors["x"].dtype)
    net.load_state_dict({k.removeprefix("net."): v for k, v in tensors.items() if k != "x"}, strict=True)
    with torch.no_grad():
        h, final = net(tensors["x"])
    final = final[0] if isinstance(final, tuple) else final
    save_file({"h": h.contiguous(), "final": final.contiguous()}, path + ".out")
path = os.path.join(folder, "echo.safetensors")
save_file(load_file(path), path + ".out")
