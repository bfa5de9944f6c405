"""graphs.py LIBRARY WHAT EDGES NODES CUT: node pruning, core numbers and disparity on one thread."""

import sys

import numpy as np
from harness import serve

library, what, path, nodes, cut = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5])
edges = np.fromfile(path, np.float64).reshape(-1, 3)
u, v, w = edges[:, 0].astype(np.int64), edges[:, 1].astype(np.int64), edges[:, 2].copy()

if library == "networkx":
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(range(nodes))
    graph.add_weighted_edges_from(zip(u.tolist(), v.tolist(), w.tolist()))

    def run():
        pruned = graph.copy()
        while True:
            weak = [n for n, s in pruned.degree(weight="weight") if s < cut]
            pruned.remove_nodes_from(weak)
            if not weak or what == "snapshot":
                return pruned

    serve(run, lambda g: [g.number_of_nodes(), g.number_of_edges()])
else:
    import networkit as nk

    nk.setNumberOfThreads(1)
    graph = nk.GraphFromCoo((w, (u, v)), n=nodes, weighted=True)
    if what == "snapshot":

        def run():
            strength = np.array([graph.weightedDegree(i) for i in range(nodes)])
            pruned = nk.Graph(graph)
            for node in np.nonzero(strength < cut)[0].tolist():
                pruned.removeNode(node)
            return pruned

        serve(run, lambda g: [g.numberOfNodes(), g.numberOfEdges()])
    elif what == "cores":

        def run():
            cores = nk.centrality.CoreDecomposition(graph)
            cores.run()
            return cores.scores()

        serve(run, lambda scores: [sum(scores), max(scores)])
    else:
        graph.indexEdges()
        # Its score is one less alpha.
        serve(
            lambda: nk.sparsification.MultiscaleSparsifier().scores(graph),
            lambda scores: [len(scores) - sum(scores)],
        )
