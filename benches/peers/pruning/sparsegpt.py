"""sparsegpt.py WHAT WEIGHTS GRAM SIDE: SparseGPT as its authors published it, and Wanda's three lines, on one thread.

`MODELOPS_SPARSEGPT` names the authors' file sparsegpt.py (github.com/IST-DASLab/sparsegpt), read from there and not shipped
here; `MODELOPS_TORCH` a Python with PyTorch where the one this runs under has none. The Gram matrix is given to both sides.
"""

import contextlib
import io
import os
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
what, side = sys.argv[1], int(sys.argv[4])
weights = torch.from_numpy(np.fromfile(sys.argv[2], np.float32).reshape(side, side))
gram = torch.from_numpy(np.fromfile(sys.argv[3], np.float32).reshape(side, side))

if what == "sparsegpt":
    torch.cuda.synchronize = lambda *_: None
    for name, content in [("transformers", {"Conv1D": type("Conv1D", (), {})}), ("quant", {})]:
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__dict__.update(content)
    sys.modules["quant"].quantize = None
    reference = types.ModuleType("sparsegpt")
    exec(compile(open(os.environ["MODELOPS_SPARSEGPT"]).read(), "sparsegpt.py", "exec"), reference.__dict__)

    def before():
        layer = torch.nn.Linear(side, side, bias=False)
        layer.weight.data = weights.clone()
        pruner = reference.SparseGPT(layer)
        pruner.H = gram.clone()
        return (pruner,)

    def run(pruner):
        with contextlib.redirect_stdout(io.StringIO()):
            pruner.fasterprune(0.5)
        return pruner.layer.weight.data
else:
    norms = gram.diagonal().sqrt()

    def before():
        return (weights.clone(),)

    def run(weight):
        metric = weight.abs() * norms
        gone = torch.zeros_like(metric, dtype=torch.bool)
        if what == "wanda24":
            for column in range(0, side, 4):
                gone.scatter_(1, column + torch.topk(metric[:, column : column + 4], 2, dim=1, largest=False)[1], True)
        else:
            gone.scatter_(1, torch.sort(metric, dim=-1, stable=True)[1][:, : side // 2], True)
        weight[gone] = 0
        return weight


serve(run, lambda weight: float((weight == 0).sum()), before)
