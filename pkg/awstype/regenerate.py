#!/usr/bin/env python3
"""Writes schemas.zip from the resource schemas of an installed cfn-lint.

    python3 pkg/awstype/regenerate.py

Reads types.txt (one resource type a line). Keeps the schemas as they are but
for what the Go side cannot use: regular expressions are rewritten for RE2, or
left out where they look around; examples, links and $schema go.
Equal input gives equal bytes.
"""

import importlib.metadata
import json
import pathlib
import re
import zipfile

import cfnlint.data.schemas.providers.us_east_1 as region
from cfnlint.data.schemas import resources

HERE = pathlib.Path(__file__).parent
SCHEMAS = pathlib.Path(resources.__path__[0])
STATEFUL = SCHEMAS.parent.parent / "AdditionalSpecs" / "StatefulResources.json"
DROP = {"$schema", "$comment", "sourceUrl", "documentationUrl", "resourceLink", "examples", "typeName"}
LOOKAROUND = re.compile(r"\(\?(=|!|<=|<!)")


def pattern(text):
    """The pattern in RE2's syntax, or None."""
    if LOOKAROUND.search(text):
        return None
    text = re.sub(r"\\u([0-9a-fA-F]{4})", r"\\x{\1}", text)
    text = text.replace(r"\Z", r"\z").replace(r"\p{Print}", r"[[:print:]]")
    # RE2 refuses a repeat count above 1000; the length is in maxLength.
    return re.sub(r"\{(\d+),(\d+)\}", lambda m: m[0] if int(m[2]) <= 1000 else "{%s,}" % m[1], text)


def distill(node, names=False):
    """names: the keys of node are property names, not keywords."""
    if isinstance(node, list):
        return [distill(n) for n in node]
    if not isinstance(node, dict):
        return node
    out = {}
    for key, value in node.items():
        if not names and key in DROP:
            continue
        if not names and key == "pattern" and isinstance(value, str):
            value = pattern(value)
            if value is None:
                continue
        if not names and key == "patternProperties":
            out[key] = {pattern(k) or ".*": distill(v) for k, v in value.items()}
            continue
        out[key] = distill(value, not names and key in ("properties", "definitions"))
    return out


def main():
    types = (HERE / "types.txt").read_text().split()
    # One file a type: a run reads those that it needs.
    with zipfile.ZipFile(HERE / "schemas.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:

        def write(name, data):
            body = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(info, body)

        write("about", {
            "source": "cfn-lint " + importlib.metadata.version("cfn-lint") + ", us-east-1",
            "stateful": sorted(json.loads(STATEFUL.read_text())["ResourceTypes"]),
        })
        for t in sorted(types):
            write(t, distill(json.loads((SCHEMAS / (region.types[t] + ".json")).read_text())))
    print(len(types), "types")


if __name__ == "__main__":
    main()
