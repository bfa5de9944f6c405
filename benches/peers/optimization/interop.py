"""Opens a study that another library wrote, prints every trial, and may add some: `interop.py FILE look|add|dashboard`.

With `dashboard` the trials are those that the pages of Optuna's dashboard are drawn from.
"""

import json
import struct
import sys

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
path, task = sys.argv[1:]
if path.endswith(".db"):
    storage = f"sqlite:///{path}"
else:
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(path))
study = optuna.load_study(study_name="shared", storage=storage, sampler=optuna.samplers.TPESampler(seed=1))


def bits(value):
    return struct.pack(">d", value).hex()


def objective(trial):
    x = trial.suggest_float("x", -1, 1)
    width = trial.suggest_int("width", 1, 64, log=True)
    kind = trial.suggest_categorical("kind", ["a", "b"])
    trial.report(x, 1)
    if trial.number % 4 == 1:
        raise optuna.TrialPruned()
    return x * x + width + (kind == "b")


if task == "add":
    study.optimize(objective, n_trials=10)
    study.enqueue_trial({"x": 0.25, "width": 3, "kind": "b"})



def shown():
    """What the dashboard answers its own pages with, as the trials below."""
    from wsgiref.util import setup_testing_defaults

    import optuna_dashboard

    app = optuna_dashboard.wsgi(study._storage)

    def page(path, query=""):
        request, status = {"PATH_INFO": path, "QUERY_STRING": query}, []
        setup_testing_defaults(request)
        body = b"".join(app(request, lambda code, *rest: status.append(code)))
        assert status == ["200 OK"], status
        return json.loads(body)

    (summary,) = page("/api/studies")["study_summaries"]
    number = {"FloatDistribution", "IntDistribution"}
    for trial in page(f"/api/studies/{summary['study_id']}", "after=0")["trials"]:
        params = {
            p["name"]: bits(float(p["param_external_value"])) if p["distribution"]["type"] in number else p["param_external_value"]
            for p in trial["params"]
        }
        yield {
            "state": trial["state"].upper(),
            "values": [bits(float(value)) for value in trial.get("values", [])] if trial["state"] == "Complete" else [],
            "params": params,
            "steps": [[step["step"], bits(float(step["value"]))] for step in trial["intermediate_values"]],
            "constraints": [bits(float(value)) for value in trial["constraints"]],
        }


if task == "dashboard":
    print(json.dumps(list(shown())))
    sys.exit()

trials = []
for trial in study.get_trials(deepcopy=False):
    complete = trial.state == optuna.trial.TrialState.COMPLETE
    params = {name: value if isinstance(value, str) else bits(value) for name, value in trial.params.items()}
    trials.append({
        "state": trial.state.name,
        "values": [bits(value) for value in trial.values] if complete else [],
        "params": params,
        "steps": [[step, bits(value)] for step, value in sorted(trial.intermediate_values.items())],
        "constraints": [bits(value) for value in trial.system_attrs.get("constraints", [])],
    })
print(json.dumps(trials))
