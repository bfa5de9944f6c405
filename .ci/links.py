"""Every relative link of every page leads to a file, every `#fragment` to a heading, and no crate's page links out of its
crate: on a registry there is nothing else. Exits 1 and names every dead link."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINK = re.compile(r"(?<!\\)!?\[[^\]\[]*(?:\[[^\]]*\][^\]\[]*)?\]\(<?([^)>\s]+)>?\)|^\[[^\]]+\]: +(\S+)$", re.MULTILINE)
dead = []


def plain(text):
    """The text without code, where a bracket is no link."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "code", text)


def fragments(path):
    """The fragments that a page's headings give, as code hosts make them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^#+ +(.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


names = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
for name in names:
    page = ROOT / name
    crate = next((parent for parent in page.parents if parent.parent == ROOT / "crates"), None)
    for match in LINK.finditer(plain(page.read_text())):
        target = match[1] or match[2]
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        # What a crate's own page calls by its Rust path is checked by rustdoc.
        if crate and (re.fullmatch(r"[\w:!]+", path) and not (page.parent / path).exists()):
            continue
        found = (page.parent / path).resolve() if path else page
        if not found.exists():
            dead.append(f"{name}: {target} leads nowhere")
        elif fragment and found.suffix == ".md" and fragment not in fragments(found):
            dead.append(f"{name}: {target} is no heading")
        elif crate and not found.is_relative_to(crate):
            dead.append(f"{name}: {target} leads out of the crate")

for link in dead:
    print(f"DEAD: {link}")
print(f"links: {len(names)} pages, {len(dead)} dead links")
sys.exit(bool(dead))
