"""`text.py TOOL TEXTS.jsonl [BANDS ROWS]`: one JSON text a line; bands and rows for near duplicates."""

import json
import sys

from harness import serve

tool, path = sys.argv[1:3]
with open(path) as lines:
    texts = [json.loads(line) for line in lines]

WORDS = 5
BANDS, ROWS = (int(argument) for argument in sys.argv[3:5] or ("16", "6"))


def shingles(text):
    words = text.lower().split()
    return {" ".join(words[at : at + WORDS]) for at in range(len(words) - WORDS + 1)}


def removed(candidates):
    """The documents that are not the first of their cluster."""
    roots = list(range(len(texts)))

    def root(at):
        while roots[at] != at:
            roots[at] = roots[roots[at]]
            at = roots[at]
        return at

    for at, others in candidates:
        for other in others:
            a, b = root(at), root(other)
            roots[max(a, b)] = min(a, b)
    return [at for at in range(len(texts)) if root(at) != at]


def with_datasketch():
    from datasketch import MinHash, MinHashLSH

    lsh = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))

    def candidates():
        for at, text in enumerate(texts):
            sketch = MinHash(num_perm=BANDS * ROWS)
            sketch.update_batch([shingle.encode() for shingle in shingles(text)])
            yield at, lsh.query(sketch)
            lsh.insert(at, sketch)

    return removed(candidates())


def with_rensa():
    from rensa import RMinHash, RMinHashLSH

    lsh = RMinHashLSH(threshold=0.8, num_perm=BANDS * ROWS, num_bands=BANDS)

    def candidates():
        for at, text in enumerate(texts):
            sketch = RMinHash(num_perm=BANDS * ROWS, seed=1)
            sketch.update(list(shingles(text)))
            yield at, lsh.query(sketch)
            lsh.insert(at, sketch)

    return removed(candidates())


if tool == "datasketch":
    serve(with_datasketch)
elif tool == "rensa":
    serve(with_rensa)
elif tool == "datatrove":
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature

    step = MinhashDedupSignature(output_folder="/tmp", config=MinhashConfig(num_buckets=BANDS, hashes_per_bucket=ROWS))

    def signatures():
        for text in texts:
            step.get_signature(step.get_shingles(text))
        return []

    serve(signatures)
elif tool == "filters":
    from datatrove.data import Document
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )

    filters = [GopherQualityFilter(), GopherRepetitionFilter(), FineWebQualityFilter(), C4QualityFilter()]

    def said(verdict):
        return "keep" if verdict is True else verdict[1]

    serve(lambda: [[said(f.filter(Document(text=text, id="0"))) for f in filters] for text in texts])
elif tool == "pii":
    from datatrove.pipeline.formatters import PIIFormatter

    # A new one for each text: it begins with the first replacement again.
    serve(lambda: [PIIFormatter().format(text) for text in texts])
elif tool == "simhash":
    from simhash import Simhash

    serve(lambda: len([Simhash(list(shingles(text))).value for text in texts]))
else:
    import ftfy

    serve(lambda: [ftfy.fix_text(text) for text in texts], lambda fixed: [len(text) for text in fixed])
