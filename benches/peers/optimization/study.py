"""A study of the ten-dimensional sphere, in memory; the library is Optuna or Rustuna, which has its names."""

import importlib
import sys

from harness import serve

library = importlib.import_module(sys.argv[1])
if hasattr(library, "logging"):
    library.logging.set_verbosity(library.logging.ERROR)
kind, trials = sys.argv[2], int(sys.argv[3])


def objective(trial):
    return sum(trial.suggest_float(f"x{j}", -1, 1) ** 2 for j in range(10))


def run():
    sampler = {"random": library.samplers.RandomSampler, "tpe": library.samplers.TPESampler}[kind](seed=1)
    study = library.create_study(sampler=sampler)
    study.optimize(objective, n_trials=trials)
    return study.best_trial.value


serve(run)
