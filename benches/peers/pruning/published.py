"""The PyTorch programs that authors published, run as they stand, on one thread of the processor.

Import it first: where this Python has no PyTorch, the script starts anew in the one that `MODELOPS_TORCH` names. `MODELOPS_ALPS`
names the authors' file alps.py (github.com/mazumder-lab/ALPS), `MODELOPS_SPARSEGPT` sparsegpt.py (github.com/IST-DASLab/sparsegpt):
they are read from there and not shipped here. Nothing is changed but the name of the device.
"""

import os
import sys
import types

torch_python = os.environ.get("MODELOPS_TORCH")
if torch_python and os.environ.get("MODELOPS_TORCH_RUNS") is None:
    os.environ["MODELOPS_TORCH_RUNS"] = "1"
    os.execv(torch_python, [torch_python, *sys.argv])

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
import torch

torch.set_num_threads(1)
torch.set_grad_enabled(False)


def load(method):
    """The module of `alps` or `sparsegpt`; what it imports and does not need here is empty."""
    torch.cuda.synchronize = lambda *_: None
    for name, content in [("transformers", {"Conv1D": type("Conv1D", (), {})}), ("quant", {"quantize": None})]:
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__dict__.update(content)
    source = open(os.environ["MODELOPS_" + method.upper()]).read().replace("cuda:0", "cpu")
    module = types.ModuleType(method)
    exec(compile(source, method + ".py", "exec"), module.__dict__)
    return module
