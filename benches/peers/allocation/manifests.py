"""manifests.py FILE.yaml: every manifest of a plan against the published schemas of Kubernetes 1.37, strictly.

`cargo run --example place_models` writes the file to `target/place_models/manifests.yaml`. Needs kubernetes-validate==1.37.0.
Then each manifest is broken in one place, and the schemas must refuse it: a check that accepts everything says nothing.
"""

import copy
import sys

import kubernetes_validate
import yaml

VERSION = "1.37"


def refused(document):
    try:
        kubernetes_validate.validate(document, VERSION, strict=True)
    except kubernetes_validate.ValidationError:
        return True
    return False


with open(sys.argv[1]) as file:
    documents = list(yaml.safe_load_all(file))
invalid = [document["metadata"]["name"] for document in documents if refused(document)]
accepted = []
for document in documents:
    broken = copy.deepcopy(document)
    broken["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]["requiredDuringScheduling"] = {}
    if not refused(broken):
        accepted.append(document["metadata"]["name"])
print(f"{len(documents)} manifests, {len(invalid)} refused {invalid}, {len(accepted)} of them accepted when broken")
sys.exit(bool(invalid or accepted or not documents))
