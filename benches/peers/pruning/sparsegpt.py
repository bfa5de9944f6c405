"""sparsegpt.py WHAT WEIGHTS GRAM SIDE: SparseGPT as its authors published it, and Wanda's three lines, on one thread.

The Gram matrix is given to both sides.
"""

import published  # first: it may start another Python

import contextlib
import io
import sys

import numpy as np
import torch
from harness import serve

what, side = sys.argv[1], int(sys.argv[4])
weights = torch.from_numpy(np.fromfile(sys.argv[2], np.float32).reshape(side, side))
gram = torch.from_numpy(np.fromfile(sys.argv[3], np.float32).reshape(side, side))

if what == "sparsegpt":
    reference = published.load("sparsegpt")

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
