"""Trials of the sphere by TPE on a study that holds many already; the library is Optuna or Rustuna, which has its names."""

import importlib
import random
import sys

from harness import serve

library = importlib.import_module(sys.argv[1])
if hasattr(library, "logging"):
    library.logging.set_verbosity(library.logging.ERROR)
known, trials = int(sys.argv[2]), int(sys.argv[3])
names = [f"x{j}" for j in range(10)]
ranges = {name: library.distributions.FloatDistribution(-1, 1) for name in names}
draw = random.Random(1)


def point():
    params = {name: draw.uniform(-1, 1) for name in names}
    value = sum(x * x for x in params.values())
    return library.create_trial(params=params, distributions=ranges, value=value)


study = library.create_study(sampler=library.samplers.TPESampler(seed=1))
for _ in range(known):
    study.add_trial(point())


def objective(trial):
    return sum(trial.suggest_float(name, -1, 1) ** 2 for name in names)


def run():
    study.optimize(objective, n_trials=trials)


serve(run)
