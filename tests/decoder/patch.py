"""Section 3: a whole patch, from its first byte to the digest of what it makes."""

from arrangement import Arrangement
from basics import require
from changes import change_in_place, change_moved
from context import Context
from digest import digest
from entropy import Stream
from ops import Reader, decode_ops
from prediction import Prediction
from structure import Structure

OPS, IN_PLACE, MOVED = 1, 2, 3
KIND_BITS, CONTINUES = 3, 4


def decode_patch(baseline, patch, target_limit, context=None):
    """Returns the target and the context it leaves, which is None after kind 1. Changes `context`: it is spent if the
    patch is refused."""
    reader = Reader(patch)
    first = reader.bytes(1)[0]
    kind, continues = first & KIND_BITS, bool(first & CONTINUES)
    require(kind and first <= KIND_BITS | CONTINUES, "unknown kind")
    require(kind != OPS or not continues, "ops that continue")
    if kind == OPS:
        baseline_size, target_size = reader.varint(), reader.varint()
        require(max(baseline_size, target_size) < 1 << 32, "sizes")
        require(baseline_size == len(baseline), "another size", "kWrongBaseline")
    else:
        require(0 < len(baseline) < 1 << 31, "size of the baseline")
        target_size = len(baseline) if kind == IN_PLACE else reader.varint()
        require(target_size < 1 << 31, "size of the target")
    require(target_size <= target_limit, "target above the limit", "kSnapshotTooBig")
    expected_digest = int.from_bytes(reader.bytes(8), "little")
    if kind == OPS:
        target, context = decode_ops(reader, baseline, target_size), None
    else:
        require(not continues or context and context.structure.data == baseline, "no context", "kWrongBaseline")
        if not continues:
            context = Context(baseline)
        target = decode_stream(reader.rest(), context, target_size, kind == MOVED)
    require(digest(target) == expected_digest, "another target", "kDigestMismatch")
    return target, context


def decode_stream(data, context, target_size, is_moved):
    """Returns the target, which is the bytes of the context's structure afterwards."""
    stream = Stream(data)
    structure = context.structure
    if is_moved:
        objects = Arrangement(stream, context.steps, structure, target_size).objects
        out = Prediction(stream, context.elements, structure, objects, target_size).target
        change_moved(stream, context, objects, out)
    else:
        objects = structure.objects
        out = bytearray(structure.data)
        change_in_place(stream, context, out)
    stream.finish()
    context.structure = Structure(bytes(out), structure.types, objects)
    return context.structure.data
