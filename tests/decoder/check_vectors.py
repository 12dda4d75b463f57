"""Decodes vectors of patches: a third decoder, written from docs/WIRE_FORMAT.md sections 3 and 4 alone, without a look
at any other. It shows that the document is enough, and is a slow, plain model to compare the real decoders with.

    python3 -B tests/decoder/check_vectors.py tests/vectors/patches.json

prints a line for each vector that fails and last `N passed, M failed`; exit code 1 if M > 0 or N = 0.
Standard library only. The names are those of the document. Read basics, ops, digest; entropy; structure, recognition,
discovery; arrangement, prediction; cells, values, rows, text, changes; context, patch.
"""

import json
import sys

from basics import Refused
from patch import decode_patch

TARGET_LIMIT_BYTES = 64 << 20


def check(vector, context):
    """Returns what is wrong with the outcome, or nothing, and the context that the vector leaves."""
    baseline, patch, target = (bytes.fromhex(vector[key]) for key in ("baseline", "patch", "target"))
    try:
        decoded, context = decode_patch(baseline, patch, TARGET_LIMIT_BYTES, context)
    except Refused as refused:
        is_expected = refused.error == vector["error"]
        return "" if is_expected else f"expected {vector['error'] or 'a target'}, got {refused}", None
    if vector["error"]:
        return f"expected {vector['error']}, but it decoded", context
    return "" if decoded == target else "decoded to other bytes", context


def check_file(path):
    """Returns how many vectors passed and failed."""
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    passed = failed = 0
    context, name_before = None, ""
    for vector in vectors:
        if vector["after"] not in ("", name_before):
            problem, context = f"does not follow {vector['after']}", None
        else:
            problem, context = check(vector, context if vector["after"] else None)
        name_before = vector["name"]
        if problem:
            print(f"{path}: {vector['name']}: {problem}")
        failed += bool(problem)
        passed += not problem
    return passed, failed


def main(paths):
    counts = [check_file(path) for path in paths]
    passed, failed = sum(p for p, _ in counts), sum(f for _, f in counts)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
