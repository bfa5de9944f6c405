"""Verifies one EdDSA token a thousand times with PyJWT; the output is how often it was accepted."""

import pathlib
import sys

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from harness import serve  # noqa: E402

token, pem = sys.argv[1], sys.argv[2]
key = load_pem_public_key(pem.encode())
COUNT = 1000


def run():
    accepted = 0
    for _ in range(COUNT):
        claims = jwt.decode(token, key, algorithms=["EdDSA"], audience="aud", issuer="iss")
        accepted += claims["sub"] == "user"
    return accepted


serve(run)
