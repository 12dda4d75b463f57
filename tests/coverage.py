"""Sums up what llvm-cov exported: script/coverage runs it.

    python3 -B tests/coverage.py build/coverage/all.json

prints a line for each line and each side of a branch that was never reached, then a table by file.
Standard library only.
"""

import json
import os
import sys

DECODER = [
    "src/byte_reader.h", "src/codec/arrangement.cpp", "src/codec/arrangement.h", "src/codec/arrangement_coder.h",
    "src/codec/byte_tests.cpp", "src/codec/byte_tests.h", "src/codec/codec.cpp", "src/codec/codec.h",
    "src/codec/column_coder.h", "src/codec/contents.h", "src/codec/coverage.h", "src/codec/element_coder.h",
    "src/codec/entropy_coder.cpp", "src/codec/entropy_coder.h", "src/codec/find_structure.cpp",
    "src/codec/finish_structure.cpp", "src/codec/gap_coder.h", "src/codec/last_sources.h", "src/codec/layout.cpp",
    "src/codec/layout.h", "src/codec/models.h", "src/codec/residual.h", "src/codec/row_coder.h",
    "src/codec/row_entries.cpp", "src/codec/row_entries.h", "src/codec/row_work.h", "src/codec/rows.h",
    "src/codec/starts.cpp", "src/codec/starts.h", "src/codec/stride.h", "src/codec/structure.cpp",
    "src/codec/structure.h", "src/codec/table_shapes.h", "src/codec/text_coder.h", "src/codec/value_coder.h",
    "src/patch.cpp", "src/patch_context.cpp", "src/patch_reader.h", "src/replica.cpp",
]


def read_lines(file, text):
    """How often each line that holds code was reached: {line: count}."""
    lines = {}
    # A segment: line, column, count, whether the count is known, whether a region begins here, whether it is a gap.
    segments = file["segments"]
    for (line, _, count, is_known, is_entry, is_gap), (following, column, *_) in zip(segments, segments[1:]):
        if not is_known or is_gap:
            continue
        # What `if constexpr` leaves out of one instance of a template is no code of it.
        if is_entry and count == 0 and any("if constexpr" in each for each in text[line - 1 : line + 1]):
            continue
        for each in range(line, following + (column > 1)):
            # What begins in a line says more of it than what goes on from before.
            if each != line or is_entry or each not in lines:
                lines[each] = max(lines.get(each, 0), count)
    return lines


def read_branches(file, lines, text):
    """How often each condition was true and false, all instances of a template together: {(line, column): [t, f]}."""
    branches = {}
    for line, column, _, _, is_true, is_false, *_ in file.get("branches", []):
        counts = branches.setdefault((line, column), [0, 0])
        counts[0] += is_true
        counts[1] += is_false
    # Never either, in a line that was reached: known at compile time. A switch over all there is has no way past it.
    return {
        (line, column): counts
        for (line, column), counts in branches.items()
        if not (counts == [0, 0] and lines.get(line, 0) > 0) and not text[line].lstrip().startswith("switch")
    }


def read_text(path):
    """The lines of a source file, the first at index 1."""
    with open(path, encoding="utf-8") as file:
        return ["", *file.read().split("\n")]


def show(name, lines, branches, text):
    for line in sorted(line for line, count in lines.items() if count == 0):
        print(f"{name}:{line}: not reached: {text[line].strip()}")
    for (line, column), counts in sorted(branches.items()):
        if lines.get(line, 1) == 0:
            continue
        for side, count in zip(("true", "false"), counts):
            if count == 0:
                print(f"{name}:{line}:{column}: never {side}: {text[line].strip()}")


def main(path):
    with open(path, encoding="utf-8") as file:
        files = json.load(file)["data"][0]["files"]
    rows = {}
    for file in files:
        _, found, name = file["filename"].partition(f"{os.sep}libsync{os.sep}")
        while f"{os.sep}libsync{os.sep}" in name and not name.startswith(("src", "include")):
            name = name.partition(f"{os.sep}libsync{os.sep}")[2]
        if not found or not name.startswith("src"):
            continue
        is_codec = name.startswith("src/codec/") or name in DECODER or name.startswith("src/patch_encoder")
        if not is_codec:
            continue
        text = read_text(file["filename"])
        lines = read_lines(file, text)
        branches = read_branches(file, lines, text)
        if name in DECODER:
            show(f"libsync/{name}", lines, branches, text)
        sides = [count for counts in branches.values() for count in counts]
        rows[name] = (
            len(lines), sum(count > 0 for count in lines.values()),
            len(sides), sum(count > 0 for count in sides),
        )
    print(f"\n{'file':36} {'lines':>12} {'':>7} {'branches':>12}")
    for title, names in (
        ("decoder", sorted(name for name in rows if name in DECODER)),
        ("only encoder", sorted(name for name in rows if name not in DECODER)),
    ):
        total = tuple(sum(rows[name][i] for name in names) for i in range(4))
        for name, (n, reached, m, taken) in [*((name, rows[name]) for name in names), (f"{title}, all", total)]:
            print(f"{name:36} {reached:5} of {n:5} {share(reached, n)} {taken:5} of {m:5} {share(taken, m)}")
        print()


def share(part, whole):
    return f"{100 * part / whole:6.2f} %" if whole else "       -"


if __name__ == "__main__":
    main(sys.argv[1])
