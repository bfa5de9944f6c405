"""Those invariants of docs/ARCHITECTURE.md that a text check can hold. Exits 1 and names every breach."""

import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOMAIN = ["allocation", "monitoring", "security", "optimization", "pruning", "cleaning"]
LONGEST_FILE = 800
FACADE_LINES = 60
breaches = []


def tracked(*patterns):
    names = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in names.split("\n") if name]


def code_lines(text):
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("//")]


# 1. No domain crate depends on another domain crate.
for crate in DOMAIN:
    manifest = tomllib.loads((ROOT / f"crates/modelops-{crate}/Cargo.toml").read_text())
    for name in manifest.get("dependencies", {}):
        if name.removeprefix("modelops-") in DOMAIN:
            breaches.append(f"modelops-{crate} depends on {name}")

# 2. The facade holds no logic.
facade = code_lines((ROOT / "crates/modelops/src/lib.rs").read_text())
if len(facade) > FACADE_LINES:
    breaches.append(f"the facade has {len(facade)} lines of code, more than {FACADE_LINES}")
for line in facade:
    if not re.match(r"#!?\[|pub use ", line):
        breaches.append(f"the facade holds more than renames: {line}")

# 7. `unsafe` only in a module that a decision record names.
records = "\n".join(path.read_text() for path in tracked("docs/decisions/*.md"))
for path in tracked("crates/*.rs"):
    text = path.read_text()
    if re.search(r"\bunsafe\s*(\{|fn|impl)", text):
        name = str(path.relative_to(ROOT))
        if "/src/" in name and name not in records:
            breaches.append(f"{name} uses unsafe and no decision record names it")

# The default build of security has one AEAD, that of ring (docs/decisions/0305).
command = ["cargo", "tree", "-p", "modelops-security", "-e", "normal,build", "--prefix", "none"]
tree = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
crates = {line.split(" ")[0] for line in tree.splitlines()}
if "ring" not in crates:
    breaches.append("modelops-security no longer depends on ring: look at what this check looks for")
for name in sorted(crates):
    if re.search(r"^aead|aes|chacha|salsa|gcm|ccm|ascon|aegis|aws-lc|openssl|sodium", name):
        breaches.append(f"modelops-security depends on a second cipher: {name}")

# One file, one subject.
for path in tracked("crates/*.rs", "examples/*.rs", "benches/*.rs"):
    count = len(path.read_text().splitlines())
    if count > LONGEST_FILE:
        breaches.append(f"{path.relative_to(ROOT)} has {count} lines, more than {LONGEST_FILE}")

# Five laws, reference values, errors, benches and a front page in every domain crate.
for crate in DOMAIN:
    folder = ROOT / f"crates/modelops-{crate}"
    for name in ["README.md", "src/error.rs", "tests/it/main.rs", "tests/it/properties.rs", "tests/it/reference.rs",
                 "tests/it/errors.rs", "benches/kernels.rs", "tests/data/README.md"]:
        if not (folder / name).exists():
            breaches.append(f"modelops-{crate} lacks {name}")

for breach in breaches:
    print(f"BREACH: {breach}")
print(f"invariants: {len(breaches)} breaches")
sys.exit(1 if breaches else 0)
