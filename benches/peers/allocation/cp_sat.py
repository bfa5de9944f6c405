"""cp_sat.py FILE SECONDS: CP-SAT with one worker on a 0/1 knapsack, a multiple-choice knapsack or an assignment, whichever the file
holds; making the model is not timed."""

import json
import sys

from harness import serve
from ortools.sat.python import cp_model

with open(sys.argv[1]) as file:
    instance = json.load(file)


def before():
    """The model, and for each choice what it is worth and what it takes."""
    model, picks = cp_model.CpModel(), []
    if "offers" in instance:
        offers, rooms = instance["offers"], instance["capacities"]
        taken = [[model.new_bool_var("") for _ in row] for row in offers]
        for row in taken:
            model.add_exactly_one(row)
        for agent, room in enumerate(rooms):
            model.add(sum(row[agent][1] * x[agent] for row, x in zip(offers, taken)) <= room)
        picks = [(x, *pair) for row, xs in zip(offers, taken) for x, pair in zip(xs, row)]
        model.minimize(cp_model.LinearExpr.weighted_sum([x for x, _, _ in picks], [v for _, v, _ in picks]))
        return model, picks
    for items in instance.get("classes", [[item] for item in instance.get("items", [])]):
        taken = [model.new_bool_var("") for _ in items]
        if "classes" in instance:
            model.add_exactly_one(taken)
        picks += [(x, *item) for x, item in zip(taken, items)]
    variables = [x for x, _, _ in picks]
    model.add(cp_model.LinearExpr.weighted_sum(variables, [w for _, _, w in picks]) <= instance["capacity"])
    model.maximize(cp_model.LinearExpr.weighted_sum(variables, [v for _, v, _ in picks]))
    return model, picks


def run(model, picks):
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = float(sys.argv[2])
    return solver, solver.solve(model), picks


def output(result):
    solver, status, picks = result
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    chosen = [(v, w) for x, v, w in picks if found and solver.boolean_value(x)]
    return {
        "value": sum(v for v, _ in chosen),
        "weight": sum(w for _, w in chosen),
        "proven": status == cp_model.OPTIMAL,
    }


serve(run, output, before)
