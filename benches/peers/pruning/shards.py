"""shards.py FOLDER: a made-up checkpoint of 8.6 GB in FOLDER/shards, four files of 64 bf16 tensors of 4096 × 4096."""

import json
import os
import struct
import sys

import numpy as np

folder = os.path.join(sys.argv[1], "shards")
os.makedirs(folder, exist_ok=True)
random = np.random.default_rng(0)
# A few distinct tensors, in another order of rows each time: what counts are bytes and ties, not secrets.
SIDE, KINDS = 4096, 4
kinds = [(random.standard_normal((SIDE, SIDE), np.float32).view(np.uint32) >> 16).astype(np.uint16) for _ in range(KINDS)]
places = {}
for shard in range(4):
    name = f"model-{shard + 1:05}-of-00004.safetensors"
    header, offset = {}, 0
    for tensor in range(64):
        label = f"layers.{shard * 64 + tensor}.weight"
        header[label] = {"dtype": "BF16", "shape": [SIDE, SIDE], "data_offsets": [offset, offset + SIDE * SIDE * 2]}
        offset += SIDE * SIDE * 2
        places[label] = name
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in range(64):
            file.write(np.roll(kinds[(shard + tensor) % KINDS], 37 * (64 * shard + tensor), axis=0).tobytes())
with open(os.path.join(folder, "model.safetensors.index.json"), "w") as file:
    json.dump({"metadata": {"total_size": 4 * 64 * SIDE * SIDE * 2}, "weight_map": places}, file)
