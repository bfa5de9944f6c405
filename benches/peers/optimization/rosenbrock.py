"""L-BFGS-B on the chained Rosenbrock function."""

import sys

import numpy as np
from harness import serve
from scipy.optimize import minimize

n = int(sys.argv[1])
start = np.where(np.arange(n) % 2 == 0, -1.2, 1.0)


def chain(x):
    a, b = 1 - x[:-1], x[1:] - x[:-1] ** 2
    g = np.zeros_like(x)
    g[:-1] = -2 * a - 400 * x[:-1] * b
    g[1:] += 200 * b
    return a @ a + 100 * b @ b, g


def run():
    options = {"maxiter": 100_000, "maxfun": 200_000, "gtol": 1e-6, "ftol": 1e-20}
    return minimize(chain, start, jac=True, method="L-BFGS-B", options=options)


serve(run, output=lambda s: [float(s.fun), float(s.nfev)])
