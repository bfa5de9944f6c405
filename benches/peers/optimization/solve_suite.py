"""SciPy's solvers on the problems of More, Garbow and Hillstrom: evaluations, and how many of them are solved."""

import sys
import warnings

import numpy as np
from harness import serve
from scipy.optimize import least_squares, minimize
from suite import PROBLEMS, bounds, is_solved, jacobian

warnings.filterwarnings("ignore")
np.seterr(all="ignore")
method = sys.argv[1]
OPTIONS = {
    "L-BFGS-B": {"ftol": 1e-20, "gtol": 1e-8, "maxiter": 20_000, "maxfun": 200_000},
    "BFGS": {"gtol": 1e-8, "maxiter": 20_000},
    "CG": {"gtol": 1e-8, "maxiter": 50_000},
}


def smooth(residuals, start, box=None):
    calls = 0

    def value_and_gradient(x):
        nonlocal calls
        calls += 1
        r = residuals(x)
        return r @ r, 2 * jacobian(residuals, x).T @ r

    name = "L-BFGS-B" if box else method
    s = minimize(value_and_gradient, start, jac=True, method=name, bounds=box, options=OPTIONS[name])
    return s.fun, calls


def squares(residuals, start):
    tolerances = {"ftol": 1e-12, "xtol": 1e-12, "gtol": 1e-12, "max_nfev": 20_000}
    s = least_squares(residuals, start, jac=lambda x: jacobian(residuals, x), method=method, **tolerances)
    return 2 * s.cost, s.nfev


def run():
    evaluations, solved, values = 0, 0, []
    for residuals, start, minima in PROBLEMS:
        start = np.array(start, float)
        if method == "bounded":
            value, calls = smooth(residuals, start, list(zip(*bounds(start, 0.3))))
        else:
            value, calls = (smooth if method in OPTIONS else squares)(residuals, start)
        evaluations += calls
        solved += is_solved(value, minima)
        values.append(float(value))
    return [float(evaluations), float(solved), *values]


serve(run)
