"""masks.py HOW WEIGHTS SIDE: which half of the weights to drop, by NumPy."""

import os
import sys

os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy as np
from harness import serve

how, path, side = sys.argv[1], sys.argv[2], int(sys.argv[3])
weights = np.fromfile(path, np.float32).reshape(side, side)


def run():
    size = np.abs(weights)
    if how == "tensor":
        return size < np.partition(size.ravel(), size.size // 2)[size.size // 2]
    if how == "row":
        return size < np.partition(size, side // 2, axis=1)[:, side // 2 : side // 2 + 1]
    groups = size.reshape(-1, 4)
    gone = np.zeros(groups.shape, bool)
    np.put_along_axis(gone, np.argpartition(groups, 1, axis=1)[:, :2], True, axis=1)
    return gone


serve(run, lambda gone: float(gone.sum()))
