"""Decodes vectors of patches and digests: a third decoder, written from docs/WIRE_FORMAT.md sections 3 to 5 alone, without
a look at any other. It shows that the document is enough, and is a slow, plain model to compare the real decoders with.

    python3 -B tests/decoder/check_vectors.py tests/vectors/patches.json tests/vectors/digests.json

prints a line for each vector that fails and last `N passed, M failed`; exit code 1 if M > 0 or N = 0.
Standard library only. The names are those of the document. Read basics, ops, digest, held; entropy; structure, recognition,
discovery; arrangement, prediction; cells, values, rows, text, changes; context, patch.
"""

import json
import sys

from basics import Refused
from digest import chunk_size, digest, xxh3
from held import held_fingerprints, resume_chunk_size
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


def check_patches(vectors):
    """Yields the name of each vector and what is wrong with it, or nothing."""
    context, name_before = None, ""
    for vector in vectors:
        if vector["after"] not in ("", name_before):
            problem, context = f"does not follow {vector['after']}", None
        else:
            problem, context = check(vector, context if vector["after"] else None)
        name_before = vector["name"]
        yield name_before, problem


def check_digests(vectors):
    for vector in vectors:
        size = int(vector["size"])
        period = bytes((i * 31 + size) % 251 for i in range(251))
        data = (period * (size // 251 + 1))[:size]
        held = held_fingerprints(data)
        computed = {
            "size": vector["size"],
            "chunk_size": str(chunk_size(size)),
            "first_fingerprint": f"{xxh3(data[:chunk_size(size)]):016x}" if data else "",
            "digest": f"{digest(data):016x}",
            "held_chunk_size": str(resume_chunk_size(size)),
            "held_fingerprints": f"{xxh3(held):016x}",
            "first_held_fingerprint": held[:6].hex(),
        }
        wrong = [key for key in computed if computed[key] != vector.get(key)]
        yield f"{size} bytes", f"another {', '.join(wrong)}" if wrong else ""


def check_file(path):
    """Returns how many vectors passed and failed."""
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    passed = failed = 0
    for name, problem in (check_patches if "patch" in vectors[0] else check_digests)(vectors):
        if problem:
            print(f"{path}: {name}: {problem}")
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
