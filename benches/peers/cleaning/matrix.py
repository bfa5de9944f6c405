"""`matrix.py CLASS FILE COLUMNS`: reads doubles row by row; for a class that over-samples the last column is the label."""

import sys

import numpy
from harness import serve

what, path, columns = sys.argv[1], sys.argv[2], int(sys.argv[3])
data = numpy.fromfile(path).reshape(-1, columns)

if what.endswith("Imputer"):
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer, KNNImputer

    missing = numpy.isnan(data)
    imputer = {
        "KnnImputer": lambda: KNNImputer(n_neighbors=5),
        "IterativeImputer": lambda: IterativeImputer(max_iter=10, random_state=0),
    }[what]
    serve(lambda: imputer().fit_transform(data), lambda filled: filled[missing].tolist())
else:
    from imblearn import over_sampling

    x, y = numpy.ascontiguousarray(data[:, :-1]), data[:, -1].astype(int)
    serve(
        lambda: getattr(over_sampling, what)(random_state=0).fit_resample(x, y),
        lambda result: [float((result[1] == label).sum()) for label in (0, 1)],
    )
