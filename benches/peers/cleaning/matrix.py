"""`matrix.py KnnImputer|SMOTE FILE COLUMNS`: reads doubles row by row; the last column of SMOTE's is the label."""

import sys

import numpy
from harness import serve

what, path, columns = sys.argv[1], sys.argv[2], int(sys.argv[3])
data = numpy.fromfile(path).reshape(-1, columns)

if what == "KnnImputer":
    from sklearn.impute import KNNImputer

    missing = numpy.isnan(data)
    serve(lambda: KNNImputer(n_neighbors=5).fit_transform(data), lambda filled: filled[missing].tolist())
else:
    from imblearn.over_sampling import SMOTE

    x, y = numpy.ascontiguousarray(data[:, :-1]), data[:, -1].astype(int)
    serve(
        lambda: SMOTE(random_state=0).fit_resample(x, y),
        lambda result: [float((result[1] == label).sum()) for label in (0, 1)],
    )
