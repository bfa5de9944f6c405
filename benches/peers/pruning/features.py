"""features.py SCORE X Y COLUMNS: scikit-learn's scores on one thread."""

import os
import sys

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
import numpy as np
from harness import serve
from sklearn.feature_selection import RFE, VarianceThreshold, chi2, f_classif, mutual_info_classif, mutual_info_regression
from sklearn.linear_model import LinearRegression

score, columns = sys.argv[1], int(sys.argv[4])
x = np.fromfile(sys.argv[2], np.float64).reshape(-1, columns)
y = np.fromfile(sys.argv[3], np.float64)
classes = (y > 0).astype(int) + (y > 0.8)
positive, one = np.abs(x), x[:, :1] + x[:, 1:2] * 2.0**-20
run = {
    "f_classif": lambda: f_classif(x, classes)[0],
    "chi2": lambda: chi2(positive, classes)[0],
    "variance": lambda: VarianceThreshold().fit(x).variances_,
    "mi_classif": lambda: mutual_info_classif(one, classes, random_state=0),
    "mi_regression": lambda: mutual_info_regression(one, y, random_state=0),
    "rfe": lambda: RFE(LinearRegression(), n_features_to_select=10).fit(x, y).ranking_,
}[score]
serve(run, lambda result: result.tolist())
