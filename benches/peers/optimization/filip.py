"""Filippelli's polynomial of degree 10 by NumPy's and scikit-learn's least squares, from the powers of x."""

import sys

import numpy as np
from harness import serve

y, x = np.loadtxt(sys.argv[1], delimiter=",", skiprows=1).T
powers = np.stack([x**k for k in range(11)], 1)


def numpy():
    return np.linalg.lstsq(powers, y, rcond=None)[0]


def scikit():
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(powers[:, 1:], y)
    return np.r_[model.intercept_, model.coef_]


serve(numpy if sys.argv[2] == "numpy" else scikit, output=lambda w: w.tolist())
