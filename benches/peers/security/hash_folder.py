"""Hashes the files of a folder as model-signing 1.1.1 does; the output is the sum of the first bytes of the digests."""

import pathlib
import sys

from model_signing import hashing

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from harness import serve  # noqa: E402

folder = pathlib.Path(sys.argv[1])


def run():
    return hashing.Config().hash(folder)


def output(manifest):
    return sum(descriptor.digest.digest_value[0] for descriptor in manifest.resource_descriptors())


serve(run, output)
