"""Descent, ridge, logistic regression and the lasso on the table that compare-optimization.rs makes."""

import sys

import numpy as np
from harness import serve

ROWS, COLUMNS = 100_000, 100


def table():
    # The congruential sequence in closed form, 4096 steps at a time.
    count = ROWS * COLUMNS + ROWS
    block = 4096
    state, multipliers, increments = 0, np.empty(block, np.uint64), np.empty(block, np.uint64)
    a, c = 1, 0
    for k in range(block):
        a, c = a * 1_664_525 % 2**32, (c * 1_664_525 + 1_013_904_223) % 2**32
        multipliers[k], increments[k] = a, c
    state, parts = np.uint64(12_345), []
    for _ in range(-(-count // block)):
        values = (multipliers * state + increments) % np.uint64(2**32)
        parts.append(values)
        state = values[-1]
    draws = np.concatenate(parts)[:count].astype(float) / 2**32 - 0.5
    x = draws[: ROWS * COLUMNS].reshape(ROWS, COLUMNS)
    w = np.array([(j * 7) % 11 / 11 - 0.5 for j in range(COLUMNS)])
    return x, x @ w + 0.1 * draws[ROWS * COLUMNS :]


x, y = table()


def descent():
    w = np.zeros(COLUMNS)
    for _ in range(1000):
        w = w - 0.01 * x.T @ (x @ w - y) / ROWS
    return w


def ridge():
    from sklearn.linear_model import Ridge

    return Ridge(alpha=1e-5 * ROWS, solver="cholesky").fit(x, y).coef_


def logistic():
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1 / (1e-5 * ROWS), tol=1e-9, max_iter=1000).fit(x, y > 0).coef_[0]


def lasso():
    from sklearn.linear_model import Lasso

    return Lasso(alpha=0.005, tol=1e-8, max_iter=10_000, precompute=True).fit(x, y).coef_


def wide():
    from sklearn.linear_model import Lasso

    # The same numbers, read as 500 rows of 20,000 columns.
    table = x.reshape(500, 20_000)
    return Lasso(alpha=0.01, tol=1e-8, max_iter=10_000).fit(table, y[:500]).coef_


run = {"lasso": lasso, "wide": wide, "descent": descent, "ridge": ridge, "logistic": logistic}[sys.argv[1]]
serve(run, output=lambda w: w.tolist())
