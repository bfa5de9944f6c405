"""Eight worker processes on one study in PostgreSQL, one of them killed; then the same study in our crate.

Usage: postgresql.py URL JOURNAL [TRIALS]. Needs `pip install -r benches/scaling/requirements.txt`. The study lies in the
schema of Optuna's storage; what the workers found is copied to a journal file, which both sides read.
"""

import os
import signal
import sys
import time
import warnings
from multiprocessing import get_context

import optuna

WORKERS = 8
NAME = "shared"


def objective(trial):
    values = [trial.suggest_float(f"x{i}", 0.0, 1.0) for i in range(10)]
    time.sleep(0.02)
    return sum((value - 0.3) ** 2 for value in values)


def work(url, trials):
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(url, heartbeat_interval=1, grace_period=3)
    study = optuna.load_study(study_name=NAME, storage=storage, sampler=optuna.samplers.RandomSampler(os.getpid()))
    while sum(t.state.is_finished() for t in study.get_trials(deepcopy=False)) < trials:
        study.optimize(objective, n_trials=1)


def main():
    url, journal = sys.argv[1:3]
    trials = int(sys.argv[3]) if len(sys.argv) > 3 else 400
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.create_study(study_name=NAME, storage=url, direction="minimize")
    context = get_context("spawn")
    workers = [context.Process(target=work, args=(url, trials)) for _ in range(WORKERS)]
    begin = time.monotonic()
    for worker in workers:
        worker.start()
    study = optuna.load_study(study_name=NAME, storage=url)
    while sum(t.state.is_finished() for t in study.get_trials(deepcopy=False)) < trials // 4:
        time.sleep(0.2)
    os.kill(workers[0].pid, signal.SIGKILL)
    for worker in workers:
        worker.join()
    took = time.monotonic() - begin
    exits = [worker.exitcode for worker in workers]
    assert exits == [-signal.SIGKILL] + [0] * (WORKERS - 1), exits

    found = study.get_trials(deepcopy=False)
    done = [t for t in found if t.state == optuna.trial.TrialState.COMPLETE]
    assert [t.number for t in found] == list(range(len(found))), "numbers without gap"
    assert len(done) >= trials
    rest = [t.state.name for t in found if t.state != optuna.trial.TrialState.COMPLETE]
    assert len(rest) <= 1, rest
    assert all(t.value == sum((x - 0.3) ** 2 for x in t.params.values()) for t in done), "every value is its own"
    if os.path.exists(journal):
        os.remove(journal)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(journal))
    optuna.copy_study(from_study_name=NAME, from_storage=url, to_storage=storage)
    best = min(t.value for t in done)
    print(f"PostgreSQL: {len(found)} trials, {len(done)} complete, {rest} of the killed worker, "
          f"best {best!r}, {took:.1f} s with {WORKERS} processes")


if __name__ == "__main__":
    main()
