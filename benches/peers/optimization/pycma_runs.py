"""pycma: generations on an ellipsoid, and BBOB in five dimensions with restarts on doubled populations."""

import multiprocessing
import sys
import warnings

import cma
import numpy as np
from harness import serve

warnings.filterwarnings("ignore")


def generations(n, count):
    scale = 1e6 ** (np.arange(n) / max(n - 1, 1))
    lam = 4 + int(3 * np.log(n))
    options = {"verbose": -9, "seed": 1, "popsize": lam, "maxfevals": lam * count, "tolfun": 0, "tolfunhist": 0}
    strategy = cma.CMAEvolutionStrategy(n * [1.0], 1.0, options)
    for _ in range(count):
        points = strategy.ask()
        strategy.tell(points, [float(scale @ (x * x)) for x in points])
    return float(strategy.best.f)


def bbob(instances, budget):
    with multiprocessing.Pool(2) as pool:
        jobs = [(function, instances, budget) for function in range(1, 25)]
        return float(sum(pool.starmap(solved, jobs, chunksize=1)))


def solved(function, instances, budget):
    import cocoex

    solved = 0
    for problem in cocoex.Suite("bbob", f"instances: 1-{instances}", f"function_indices: {function} dimensions: 5"):
        rng = np.random.default_rng(problem.id_instance)
        spent, seed, factor = 0, problem.id_instance, 1
        while spent < budget and not problem.final_target_hit:
            options = {"verbose": -9, "seed": seed, "popsize": 8 * factor, "maxfevals": budget - spent, "tolfun": 1e-11, "tolx": 1e-12}
            strategy = cma.CMAEvolutionStrategy(rng.uniform(-4, 4, 5), 2.0, options)
            while not strategy.stop() and not problem.final_target_hit and spent < budget:
                points = strategy.ask()
                strategy.tell(points, [problem(x) for x in points])
                spent += len(points)
            seed, factor = seed + 100, factor * 2
        solved += problem.final_target_hit
        problem.free()
    return solved


if sys.argv[1] == "bbob":
    serve(lambda: bbob(int(sys.argv[2]), int(sys.argv[3])))
else:
    serve(lambda: generations(int(sys.argv[2]), int(sys.argv[3])))
