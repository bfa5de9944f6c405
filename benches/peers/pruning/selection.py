"""selection.py HOW X Y COLUMNS: selectors that look at features together, on one thread."""

import os
import sys

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
import numpy as np
from harness import serve

how, columns = sys.argv[1], int(sys.argv[4])
x = np.fromfile(sys.argv[2], np.float64).reshape(-1, columns)
y = np.fromfile(sys.argv[3], np.float64)
classes = (y > 0).astype(int)

if how == "mrmr":
    import pandas
    from mrmr import mrmr_regression

    table, target = pandas.DataFrame(x), pandas.Series(y)
    run = lambda: [float(i) for i in mrmr_regression(table, target, 20, show_progress=False, n_jobs=1)]
elif how == "sequential":
    from sklearn.feature_selection import SequentialFeatureSelector
    from sklearn.linear_model import LinearRegression

    run = lambda: np.nonzero(SequentialFeatureSelector(LinearRegression(), n_features_to_select=6, cv=5).fit(x, y).support_)[0].tolist()
elif how == "relieff":
    from skrebate import ReliefF

    run = lambda: sorted(np.argsort(-ReliefF(n_neighbors=10, n_jobs=1).fit(x, classes).feature_importances_)[:3].tolist())
else:
    from boruta import BorutaPy
    from sklearn.ensemble import ExtraTreesClassifier

    run = lambda: np.nonzero(BorutaPy(ExtraTreesClassifier(n_jobs=1), n_estimators=100, max_iter=20, random_state=1).fit(x, classes).support_)[0].tolist()
serve(run)
