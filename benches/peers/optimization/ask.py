"""Trials of the sphere by TPE on a study that holds many already."""

import random
import sys

import optuna
from harness import serve
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial

optuna.logging.set_verbosity(optuna.logging.ERROR)
known, trials = int(sys.argv[1]), int(sys.argv[2])
names = [f"x{j}" for j in range(10)]
ranges = {name: FloatDistribution(-1, 1) for name in names}
draw = random.Random(1)


def point():
    params = {name: draw.uniform(-1, 1) for name in names}
    value = sum(x * x for x in params.values())
    return create_trial(params=params, distributions=ranges, value=value)


study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
study.add_trials([point() for _ in range(known)])


def objective(trial):
    return sum(trial.suggest_float(name, -1, 1) ** 2 for name in names)


def run():
    study.optimize(objective, n_trials=trials)


serve(run)
