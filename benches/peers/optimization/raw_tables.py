"""Real tables in their own units, from scikit-learn and statsmodels: writes them for the other side, then fits them by descent.

`raw_tables.py FILE textbook` takes 1,000 steps at a rate of 0.01 on the first three as they are and counts answers that are not finite;
`raw_tables.py FILE sag` fits every standardised table by stochastic average gradients and counts those at the least loss.
"""

import importlib
import json
import sys
import warnings

import numpy as np
from harness import serve
from sklearn import datasets
from sklearn.linear_model import Ridge

warnings.filterwarnings("ignore")
np.seterr(all="ignore")
path, task = sys.argv[1:]
# Those of statsmodels that have numeric columns to explain a number by, without gaps.
NAMES = (
    "anes96 cancer ccard committee copper cpunish engel fair longley modechoice randhie scotland spector stackloss star98 "
    "statecrime strikes"
).split()


def load():
    yield "diabetes", datasets.load_diabetes(return_X_y=True, scaled=False)
    for name in ("breast_cancer", "wine", "iris", "digits", "linnerud"):
        yield name, getattr(datasets, f"load_{name}")(return_X_y=True)
    for name in NAMES:
        table = importlib.import_module(f"statsmodels.datasets.{name}").load_pandas()
        yield name, (table.exog, table.endog)


def plain(name, x, y):
    x, y = np.asarray(x, float), np.asarray(y, float)
    return name, x, y[:, 0] if y.ndim > 1 else y


def standardized(x):
    scale = x.std(0)
    return (x - x.mean(0)) / np.where(scale > 0, scale, 1)


def loss(x, y, w):
    residuals = x @ w - (y - y.mean())
    return float(residuals @ residuals / (2 * len(y)))


tables = [plain(name, *table) for name, table in load()]
least = [loss(standardized(x), y, np.linalg.lstsq(standardized(x), y - y.mean())[0]) for _, x, y in tables]
with open(path, "w") as file:
    rows = [
        {"name": name, "columns": x.shape[1], "x": x.ravel().tolist(), "y": y.tolist(), "least": best}
        for (name, x, y), best in zip(tables, least)
    ]
    json.dump(rows, file)


def textbook():
    broken = 0
    for _, x, y in tables[:3]:
        w = np.zeros(x.shape[1])
        for _ in range(1000):
            w = w - 0.01 * x.T @ (x @ w - y) / len(y)
        broken += not np.isfinite(w).all()
    return [float(broken), 0.0]


def sag():
    reached = 0
    for (_, x, y), best in zip(tables, least):
        z = standardized(x)
        w = Ridge(alpha=0, solver="sag", tol=1e-12, max_iter=10_000, random_state=1).fit(z, y - y.mean()).coef_
        reached += loss(z, y, w) <= best * (1 + 1e-8)
    return [float(reached)]


serve({"textbook": textbook, "sag": sag}[task])
