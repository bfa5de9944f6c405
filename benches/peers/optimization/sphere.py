"""The best value that TPE finds on the ten-dimensional sphere, the mean over seeds; two seeds at a time."""

import importlib
import multiprocessing
import statistics
import sys

from harness import serve

library = importlib.import_module(sys.argv[1])
if hasattr(library, "logging"):
    library.logging.set_verbosity(library.logging.ERROR)
seeds = int(sys.argv[2])
MARKS = [100, 300, 1000]


def objective(trial):
    return sum(trial.suggest_float(f"x{j}", -1, 1) ** 2 for j in range(10))


def best(seed):
    values = []

    def kept(trial):
        values.append(objective(trial))
        return values[-1]

    study = library.create_study(sampler=library.samplers.TPESampler(seed=seed))
    study.optimize(kept, n_trials=MARKS[-1])
    return [min(values[:mark]) for mark in MARKS]


def run():
    with multiprocessing.Pool(2) as pool:
        return [statistics.fmean(column) for column in zip(*pool.map(best, range(seeds), chunksize=1))]


serve(run)
