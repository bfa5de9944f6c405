"""A study of the ten-dimensional sphere, in memory."""

import sys

import optuna
from harness import serve

optuna.logging.set_verbosity(optuna.logging.ERROR)
kind, trials = sys.argv[1], int(sys.argv[2])


def objective(trial):
    return sum(trial.suggest_float(f"x{j}", -1, 1) ** 2 for j in range(10))


def run():
    sampler = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}[kind](seed=1)
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=trials)
    return study.best_value


serve(run)
