"""OpenSSF bundles both ways with model-signing 1.1.1: P-256 and P-384, whole files and pieces.

At the start it makes the keys and signs the model; each round it verifies the bundles that we signed, against the model and against
a changed one. The output is the number of right answers: 8.
"""

import pathlib
import sys

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from model_signing import hashing, signing, verifying

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from harness import serve  # noqa: E402

folder = pathlib.Path(sys.argv[1])
CURVES = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}
METHODS = {
    "files": lambda: hashing.Config(),
    "shards": lambda: hashing.Config().use_shard_serialization(shard_size=30_000),
}


def path(name):
    return folder / name


for curve, parameters in CURVES.items():
    key = ec.generate_private_key(parameters)
    path(f"{curve}.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    public = key.public_key()
    path(f"{curve}-pub.pem").write_bytes(
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    for method, config in METHODS.items():
        signer = signing.Config().use_elliptic_key_signer(private_key=path(f"{curve}.pem"))
        signer.set_hashing_config(config()).sign(folder / "good" / "model", path(f"theirs-{curve}-{method}.sig"))


def accepts(curve, method, model):
    verifier = verifying.Config().use_elliptic_key_verifier(public_key=path(f"{curve}-pub.pem"))
    try:
        verifier.verify(folder / model / "model", path(f"ours-{curve}-{method}.sig"))
    except ValueError:
        return False
    return True


def run():
    return sum(
        accepts(curve, method, "good") + (not accepts(curve, method, "changed"))
        for curve in CURVES
        for method in METHODS
    )


serve(run)
