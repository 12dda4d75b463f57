"""Section 3: a whole patch, from its first byte to the digest of what it makes."""

from arrangement import Arrangement
from basics import require
from changes import change_in_place, change_moved
from context import Context
from digest import digest
from entropy import Characters, Stream
from ops import Reader, decode_ops
from prediction import Prediction
from structure import Structure

WHOLE, OPS, IN_PLACE, MOVED = range(4)
KIND_BITS, CONTINUES = 3, 4


def decode_patch(baseline, patch, target_limit, context=None):
    """Returns the target and the context it leaves, which is None after kinds 0 and 1. Changes `context`: it is spent if
    the patch is refused."""
    reader = Reader(patch)
    first = reader.bytes(1)[0]
    kind, continues = first & KIND_BITS, bool(first & CONTINUES)
    require(first <= KIND_BITS | CONTINUES, "unknown kind")
    require(kind in (IN_PLACE, MOVED) or not continues, "a kind that continues nothing")
    baseline_size = reader.varint() if kind == OPS else len(baseline)
    target_size = len(baseline) if kind == IN_PLACE else reader.varint()
    require(target_size < (1 << 32 if kind == OPS else 1 << 31), "size of the target")
    require(kind != OPS or baseline_size < 1 << 32, "size of the baseline")
    expected_digest = int.from_bytes(reader.bytes(8), "little")
    if kind == WHOLE:
        excerpt_size = reader.varint()
        require(1 <= excerpt_size <= min(target_size, target_size // 4 + 4096), "size of the excerpt")
    require(baseline_size == len(baseline), "another size", "kWrongBaseline")
    require(target_size <= target_limit, "target above the limit", "kSnapshotTooBig")
    if kind == WHOLE:
        target, context = decode_whole(Stream(reader.rest()), excerpt_size, target_size), None
    elif kind == OPS:
        target, context = decode_ops(reader, baseline, target_size), None
    else:
        require(0 < len(baseline) < 1 << 31, "size of the baseline")
        require(not continues or context and context.structure.data == baseline, "no context", "kWrongBaseline")
        if not continues:
            context = Context(baseline)
        target = decode_stream(Stream(reader.rest()), context, target_size, kind == MOVED)
    require(digest(target) == expected_digest, "another target", "kDigestMismatch")
    return target, context


def decode_whole(stream, excerpt_size, target_size):
    """Section 3.8."""
    excerpt = stream.characters(Characters(), excerpt_size)
    return decode_stream(stream, Context(bytes(excerpt)), target_size, True)


def decode_stream(stream, context, target_size, is_moved):
    """Returns the target, which is the bytes of the context's structure afterwards."""
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
