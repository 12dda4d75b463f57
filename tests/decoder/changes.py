"""Section 3.5 for all types: corrects `out`, which is the baseline or the prediction."""

from rows import Rows
from structure import STRING
from text import decode_text


def change_in_place(stream, context, out):
    """Kind 2."""
    structure = context.structure
    for type_, models in zip(structure.types, context.rows):
        objects = [structure.objects[i] for i in type_.objects]
        rows = Rows(stream, context.columns, models, out)
        if type_.kind == STRING:
            for o in rows.decode_strings(objects):
                source = structure.text_of(o, o.size - 5)
                out[o.start:o.end] = decode_text(stream, context.texts, o, source, len(source))
        else:
            rows.decode(objects)


def change_moved(stream, context, placed, out):
    """Kind 3."""
    structure = context.structure
    for type_, models in zip(structure.types, context.rows):
        mine = [o for o in placed if o.type is type_]
        fresh = [o for o in mine if o.is_fresh]
        old = [o for o in mine if o.source is not None and not o.is_fresh]
        rows = Rows(stream, context.columns, models, out)
        if type_.kind == STRING:
            for o in rows.decode_strings(old) + fresh:
                was = structure.objects[o.source]
                source = structure.text_of(was, was.size - 4)
                out[o.start:o.end] = decode_text(stream, context.texts, o, source, o.count)
            continue
        renumber_motions(models, type_, type_.objects, [o.source for o in old])
        rows.decode(old)
        renumber_motions(models, type_, old, mine)
        rows.decode_fresh(fresh)


def renumber_motions(models, type_, before, after):
    """Row numbers were positions in `before` and become those in `after`; what is not in it has no motions."""
    if not type_.has_one_row():
        models.motions = {}
    row_of = {key: row for row, key in enumerate(after)}
    moved = ((row_of.get(before[row]), motions) for row, motions in models.motions.items())
    models.motions = {row: motions for row, motions in moved if row is not None}
