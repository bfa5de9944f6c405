"""knapsack.py FILE SECONDS: OR-tools' branch and bound on a 0/1 knapsack.

`init` is timed as well: it fixes items by bounds, most of the work on the easy families, and takes 2 ms to copy 10,000.
"""

import json
import sys

from harness import serve
from ortools.algorithms.python import knapsack_solver

with open(sys.argv[1]) as file:
    instance = json.load(file)
items, capacity = instance["items"], instance["capacity"]
values, weights = [v for v, _ in items], [w for _, w in items]
KIND = knapsack_solver.SolverType.KNAPSACK_MULTIDIMENSION_BRANCH_AND_BOUND_SOLVER


def run():
    solver = knapsack_solver.KnapsackSolver(KIND, "peer")
    solver.set_time_limit(float(sys.argv[2]))
    solver.init(values, [weights], [capacity])
    solver.solve()
    return solver


def output(solver):
    chosen = [item for i, item in enumerate(items) if solver.best_solution_contains(i)]
    return {
        "value": sum(v for v, _ in chosen),
        "weight": sum(w for _, w in chosen),
        "proven": solver.is_solution_optimal(),
    }


serve(run, output)
