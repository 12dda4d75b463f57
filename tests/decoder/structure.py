"""What a structure is made of: types, vtables, objects. Section 3.3 finds one in bytes, section 3.4 makes the next."""

from bisect import bisect_right

from basics import u32

OTHER, VTABLES, TABLE, STRING, DATA = "other", "vtables", "table", "string", "data"
TABLE_REFERENCES, STRING_REFERENCES = "references to tables", "references to strings"
REFERENCES = (TABLE_REFERENCES, STRING_REFERENCES)

SCALAR, PENDING, UNDECIDED = "scalar", "pending", "undecided"

MOST_TYPES_AND_VTABLES = 65535
FIRST_GAP_COLUMN = 1 << 28
FIRST_COLUMN_BEHIND = 1 << 29


def count_types_and_vtables(types):
    return len(types) + sum(len(type_.vtables) for type_ in types)


class Slot:
    """The type that a field or references lead to, once it exists."""

    def __init__(self):
        self.type = None


class Field(Slot):
    def __init__(self):
        super().__init__()
        self.kind = UNDECIDED


class Vtable:
    """t and entries, wherever they come from; `position` only if it was found in bytes."""

    def __init__(self, t, entries, position=None):
        self.t = t
        self.entries = entries
        self.position = position
        self.z = 4 + 2 * len(entries)
        self.type = None
        self.layout = None
        self.ends = sorted(e for e in entries if e) + [t]
        self.is_valid = (t >= 4 and all(e == 0 or 4 <= e < t for e in entries)
                         and all(a < b for a, b in zip(self.ends, self.ends[1:])))

    def present(self):
        return [f for f, e in enumerate(self.entries) if e]

    def has(self, field):
        return field < len(self.entries) and self.entries[field] > 0

    def width(self, field):
        entry = self.entries[field]
        return self.ends[bisect_right(self.ends, entry)] - entry

    def bytes(self):
        return b"".join(v.to_bytes(2, "little") for v in (self.z, self.t, *self.entries))


class Type:
    def __init__(self, number, kind):
        self.number = number
        self.kind = kind
        self.objects = []  # indices into the structure's
        # Tables only.
        self.vtables = []
        self.tables = []  # starts, as found
        self.looked_at = 0
        self.fields = {}
        self.columns = {}
        # References only.
        self.element = Slot()
        # Data only.
        self.stride = 0
        self.is_aligned = self.is_whole = False

    def has_one_row(self):
        """Whether each object is one row."""
        return self.kind in (TABLE, STRING) or self.is_whole

    def field(self, f):
        return self.fields.setdefault(f, Field())

    def add_vtable(self, vtable):
        vtable.type = self
        self.vtables.append(vtable)

    def number_columns(self, vtable):
        """Gives the vtable its (column, offset, width), in the order of columns."""
        layout = [(0, 0, 4)]
        for f in vtable.present():
            entry, width = vtable.entries[f], vtable.width(f)
            for at in range(0, width, 4):
                column = self.columns.setdefault((f, at // 4), len(self.columns) + 1)
                layout.append((column, entry + at, min(4, width - at)))
        for at in range(4, vtable.ends[0], 4):
            layout.append((FIRST_GAP_COLUMN + at // 4, at, min(4, vtable.ends[0] - at)))
        vtable.layout = sorted(layout)


class Object:
    """A piece of the bytes."""

    def __init__(self, type_, start, end, vtable=None):
        self.type = type_
        self.start = start
        self.end = end
        self.vtable = vtable

    @property
    def size(self):
        return self.end - self.start


class Structure:
    """The bytes, the types, and the objects by position. It takes over the types, which are of one structure at a time."""

    def __init__(self, data, types, objects):
        self.data = data
        self.types = types
        self.objects = objects
        self.starts = [o.start for o in objects]
        for type_ in types:
            type_.objects = []
        for i, o in enumerate(objects):
            o.type.objects.append(i)

    def index_of(self, position):
        """The index of the object that has this byte, or None."""
        return bisect_right(self.starts, position) - 1 if position < len(self.data) else None

    def count_of(self, o):
        """The u32 that the object starts with."""
        return u32(self.data, o.start) if o.size >= 4 else 0

    def text_of(self, o, room):
        """The bytes of a string's text, at most `room`."""
        n = min(self.count_of(o), max(0, room))
        return self.data[o.start + 4:o.start + 4 + n]


def find_stride(vectors):
    """From (count, room) of each vector."""
    stride = min([256] + [room // c for c, room in vectors if c])
    if any(c >= 16 for c, _ in vectors):
        return stride
    return stride - stride % 4 if stride >= 4 else min(stride, 2)
