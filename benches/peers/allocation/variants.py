"""variants.py FILE SECONDS: HiGHS on a multiple-choice knapsack as a mixed-integer programme, one thread, no gap allowed;
making the model is not timed."""

import json
import sys

import highspy
import numpy as np
from harness import serve

with open(sys.argv[1]) as file:
    instance = json.load(file)
classes, capacity = instance["classes"], instance["capacity"]
items = [item for items in classes for item in items]
starts = np.cumsum([0] + [len(items) for items in classes]).astype(np.int32)


def model():
    """One column an item; one row a class that says exactly one, and the budget as the last row."""
    lp, columns, rows = highspy.HighsLp(), len(items), len(classes)
    lp.num_col_, lp.num_row_ = columns, rows + 1
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.col_cost_ = np.array([v for v, _ in items], np.float64)
    lp.col_lower_, lp.col_upper_ = np.zeros(columns), np.ones(columns)
    lp.row_lower_ = np.append(np.ones(rows), -highspy.kHighsInf)
    lp.row_upper_ = np.append(np.ones(rows), capacity)
    lp.integrality_ = [highspy.HighsVarType.kInteger] * columns
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.append(starts, 2 * columns).astype(np.int32)
    lp.a_matrix_.index_ = np.tile(np.arange(columns, dtype=np.int32), 2)
    lp.a_matrix_.value_ = np.append(np.ones(columns), [w for _, w in items])
    return lp


def before():
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.setOptionValue("time_limit", float(sys.argv[2]))
    assert solver.passModel(model()) == highspy.HighsStatus.kOk
    return (solver,)


def run(solver):
    solver.run()
    return solver


def output(solver):
    solution = solver.getSolution()
    if not solution.value_valid:
        return {"value": 0, "weight": 0, "proven": False}  # stopped before it had found any
    taken = np.array(solution.col_value) > 0.5
    assert all(taken[a:b].sum() == 1 for a, b in zip(starts[:-1], starts[1:]))
    chosen = [item for item, take in zip(items, taken) if take]
    return {
        "value": sum(v for v, _ in chosen),
        "weight": sum(w for _, w in chosen),
        "proven": solver.getModelStatus() == highspy.HighsModelStatus.kOptimal,
    }


serve(run, output, before)
