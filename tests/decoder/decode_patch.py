"""A decoder for patches, written from docs/WIRE_FORMAT.md section 3 alone, without a look at any other decoder.

It shows that the document is enough, and gives a slow, plain model to compare the real decoders with. It does not
compute digests: whoever calls `decode_patch` compares the target's bytes.

    python3 tests/decoder/decode_patch.py tests/vectors/patches.json

runs every vector, prints a line for each that fails and last `N passed, M failed`; exit code 1 if M > 0.
Python 3.11, standard library only. The names are those of the document.
"""

from bisect import bisect_left, bisect_right
import json
import sys

TARGET_LIMIT = 64 << 20


class Refused(Exception):
    """The patch is in error; the text is the name of the error, then the reason."""


def require(condition, reason, error="kMalformed"):
    if not condition:
        raise Refused(f"{error}: {reason}")


def u16(data, at):
    return data[at] | data[at + 1] << 8


def u32(data, at):
    return int.from_bytes(data[at:at + 4], "little")


def put(out, at, value, width=4):
    out[at:at + width] = (value % (1 << 8 * width)).to_bytes(width, "little")


# 3: the header, and kind 1.


class Reader:
    """A cursor over the bytes of a patch."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def bytes(self, n):
        require(n <= len(self.data) - self.at, "cut short")
        self.at += n
        return self.data[self.at - n:self.at]

    def varint(self):
        value = 0
        for i in range(10):
            byte = self.bytes(1)[0]
            value |= (byte & 127) << 7 * i
            if byte < 128:
                require(byte or i == 0, "varint longer than needed")
                require(value < 1 << 64, "varint beyond 64 bits")
                return value
        raise Refused("kMalformed: varint beyond ten bytes")


def unzigzag(z):
    return ~(z >> 1) if z & 1 else z >> 1


COPY, ADD, SEEK, LANES = range(4)


def decode_ops(reader, baseline, target_size):
    """Section 3.1."""
    target = bytearray()
    cursor = 0
    before = None
    while reader.at < len(reader.data):
        v = reader.varint()
        op, n = v & 3, v >> 2
        require(n, "op of nothing")
        require(op != before or op == LANES, "the same op again")
        require(before != SEEK or op in (COPY, LANES), "seek before neither copy nor lanes")
        if op == SEEK:
            cursor += unzigzag(n)
            require(0 <= cursor <= len(baseline), "seek outside the baseline")
        else:
            size = 4 * n if op == LANES else n
            require(size <= target_size - len(target), "past the target")
            if op == ADD:
                target += reader.bytes(n)
            else:
                require(size <= len(baseline) - cursor, "past the baseline")
                if op == COPY:
                    target += baseline[cursor:cursor + n]
                else:
                    for at in range(cursor, cursor + size, 4):
                        z = reader.varint()
                        require(z < 1 << 32, "lane beyond 32 bits")
                        target += ((u32(baseline, at) + unzigzag(z)) % (1 << 32)).to_bytes(4, "little")
                cursor += size
        before = op
    require(before != SEEK, "seek at the end")
    require(len(target) == target_size, "target not full")
    return bytes(target)


# 3.6: weights.

A = (60, 8, 6, 6, 5, 4, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1)
B = (500,) + (2,) * 15
C = (40, 20, 15, 10, 8, 4, 2) + (1,) * 9
D = (178, 147, 121, 99, 82, 67, 55, 45, 37, 31, 25, 21, 17, 14, 12, 60)
E = (30, 25, 20, 12, 12, 10, 6, 4) + (0,) * 8
F = (1,) * 8 + (0,) * 8


# 3.2: the stream and its models.


class Nibble:
    """An adaptive model of 16 symbols."""

    def __init__(self, weights=None):
        self.seen = 0
        if weights is None:
            self.low = [2048 * i for i in range(17)]
        else:
            total = sum(weights)
            self.low = [sum(weights[:i]) * 32640 // total + 8 * i for i in range(17)]

    def copy(self):
        """What a column starts with."""
        model = Nibble()
        model.low = list(self.low)
        model.seen = min(self.seen, 1)
        return model

    def learn(self, s):
        step = 65536 // (2 * self.seen + 5)
        low = self.low
        for i in range(1, 16):
            aim = 4 * i if i <= s else 32768 - 4 * (16 - i)
            low[i] += (aim - low[i]) * step >> 16
        self.seen = min(14, self.seen + 1)


class Bit:
    """An adaptive model of a bit."""

    def __init__(self):
        self.no = 16384
        self.seen = 0


class Number:
    """An adaptive model of numbers; the weights are those of its first nibble."""

    def __init__(self, weights=None):
        self.first = Nibble(weights)
        self.second = Nibble()


class Stream:
    """The state of the rANS decoder, and what it reads."""

    def __init__(self, data):
        size = len(data)
        k = size if size <= 2 else 4 - size % 2
        require(size == 0 or data[0], "stream starts with a zero byte")
        self.x = int.from_bytes(data[:k], "big")
        self.words = [u16(data, at) for at in range(k, size, 2)]
        self.words.reverse()
        self.upper = [Nibble() for _ in range(16)]  # Z1
        self.lower = [Nibble() for _ in range(16)]  # Z2

    def refill(self):
        if self.x < 65536 and self.words:
            self.x = self.x << 16 | self.words.pop()

    def raw(self, n):
        if n > 16:
            low = self.raw(16)
            return low | self.raw(n - 16) << 16
        value = self.x & (1 << n) - 1
        self.x >>= n
        self.refill()
        return value

    def nibble(self, model):
        slot = self.x & 32767
        low = model.low
        s = bisect_right(low, slot) - 1
        self.x = (low[s + 1] - low[s]) * (self.x >> 15) + slot - low[s]
        self.refill()
        model.learn(s)
        return s

    def bit(self, model):
        slot = self.x & 32767
        no = model.no
        is_one = slot >= no
        if is_one:
            self.x = (32768 - no) * (self.x >> 15) + slot - no
        else:
            self.x = no * (self.x >> 15) + slot
        self.refill()
        step = 131072 // (2 * model.seen + 5)
        model.no += ((32 if is_one else 32736) - no) * step >> 16
        model.seen = min(30, model.seen + 1)
        return int(is_one)

    def number(self, model):
        n = self.nibble(model.first)
        if n == 15:
            n += self.nibble(model.second)
        return (1 << n) + self.raw(n) - 1

    def step(self, model):
        return unzigzag(self.number(model))

    def character(self, before):
        h = self.nibble(self.upper[before >> 4])
        return 16 * h + self.nibble(self.lower[h])

    def characters(self, n, before=0):
        text = bytearray()
        for _ in range(n):
            before = self.character(before)
            text.append(before)
        return text

    def finish(self):
        require(self.x == 0 and not self.words, "something left in the stream")


# 3.3: the structure of a baseline.

SCALAR, PENDING, UNDECIDED = "scalar", "pending", "undecided"
OTHER, VTABLES, TABLE, STRING, DATA = "other", "vtables", "table", "string", "data"
TABLE_REFERENCES, STRING_REFERENCES = "references to tables", "references to strings"
REFERENCES = (TABLE_REFERENCES, STRING_REFERENCES)


class OverBudget(Exception):
    """The baseline costs too much to understand."""


class Slot:
    """The type that a field or references lead to, once it exists."""

    def __init__(self):
        self.type = None


class Field(Slot):
    def __init__(self):
        super().__init__()
        self.kind = UNDECIDED


class Vtable:
    """Entries and t, wherever they come from; `position` only in a baseline."""

    def __init__(self, t, entries, position=None):
        self.t = t
        self.entries = entries
        self.position = position
        self.z = 4 + 2 * len(entries)
        self.type = None
        self.layout = None
        self.is_valid = t >= 4 and all(e == 0 or 4 <= e < t for e in entries)
        self.ends = sorted(e for e in entries if e) + [t]
        self.is_valid = self.is_valid and all(a < b for a, b in zip(self.ends, self.ends[1:]))

    def present(self):
        return [f for f, e in enumerate(self.entries) if e]

    def width(self, field):
        entry = self.entries[field]
        return self.ends[bisect_right(self.ends, entry)] - entry

    def bytes(self):
        return b"".join(v.to_bytes(2, "little") for v in (self.z, self.t, *self.entries))


class Type:
    def __init__(self, number, kind):
        self.number = number
        self.kind = kind
        self.objects = []
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

    def field(self, f):
        return self.fields.setdefault(f, Field())

    def number_columns(self, vtable):
        """Gives the vtable its (column, offset, width), in the order of columns."""
        layout = [(0, 0, 4)]
        for f in vtable.present():
            entry, width = vtable.entries[f], vtable.width(f)
            for at in range(0, width, 4):
                column = self.columns.setdefault((f, at // 4), len(self.columns) + 1)
                layout.append((column, entry + at, min(4, width - at)))
        for at in range(4, vtable.ends[0], 4):
            layout.append((65536 + at // 4, at, min(4, vtable.ends[0] - at)))
        vtable.layout = sorted(layout)


class Object:
    """A piece of the baseline or of the target. `source` is an index into the baseline's objects."""

    def __init__(self, type_, start, end, vtable=None, source=None, is_fresh=False):
        self.type = type_
        self.start = start
        self.end = end
        self.vtable = vtable
        self.source = source
        self.is_fresh = is_fresh
        self.count = 0
        self.splices = None

    @property
    def size(self):
        return self.end - self.start


class Structure:
    """What both ends find in a baseline: `types`, and `objects` by position."""

    def __init__(self, data):
        self.data = data
        self.n = len(data)
        self.budget = self.n + 4096
        try:
            self.begin()
            root = u32(data, 0) if self.n >= 8 else 0
            if root < 4 or not self.is_table(root):
                raise OverBudget
            self.claim_table(root, Slot())
            while self.queue:
                self.look_at_tables(self.queue.pop(0))
            self.try_candidates()
        except OverBudget:
            self.begin()
        self.make_objects()

    def begin(self):
        self.types = []
        self.owner = {}
        self.covered = bytearray(self.n // 4 + 1)
        self.vtables = {}
        self.table_vtables = {}
        self.good_references = set()
        self.queue = []
        self.claim(0, self.make_type(OTHER), 4)
        self.make_type(VTABLES)

    def charge(self, work):
        self.budget -= work
        if self.budget < 0:
            raise OverBudget

    # Tests.

    def target(self, p):
        if p + 4 > self.n:
            return None
        o = u32(self.data, p)
        return p + o if 4 <= o <= self.n - p - 4 and (p + o) % 4 == 0 else None

    def vtable_at(self, v):
        if v % 2 or v + 4 > self.n:
            return None
        if v not in self.vtables:
            self.vtables[v] = None
            z = u16(self.data, v)
            t = u16(self.data, v + 2)
            if z >= 4 and z % 2 == 0 and v + z <= self.n and t >= 4:
                entries = []
                for at in range(v + 4, v + z, 2):
                    self.charge(1)
                    entries.append(u16(self.data, at))
                    if entries[-1] and not 4 <= entries[-1] < t:
                        return None
                vtable = Vtable(t, entries, v)
                if vtable.is_valid:
                    self.vtables[v] = vtable
        return self.vtables[v]

    def table_vtable(self, p):
        if p % 4 or p + 4 > self.n:
            return None
        v = (p - u32(self.data, p)) % (1 << 32)
        vtable = self.vtable_at(v) if v < self.n else None
        return vtable if vtable and p + vtable.t <= self.n else None

    def is_table(self, p):
        return self.table_vtable(p) is not None

    def is_string(self, p):
        if p % 4 or p + 5 > self.n:
            return False
        c = u32(self.data, p)
        if p + 5 + c > self.n or self.data[p + 4 + c]:
            return False
        self.charge(c // 8)
        return 0 not in self.data[p + 4:p + 4 + c]

    def is_references(self, p, kind):
        if p % 4 or p + 4 > self.n:
            return False
        c = u32(self.data, p)
        if p + 4 + 4 * c > self.n:
            return False
        if (p, kind) in self.good_references:
            return True
        for at in range(p + 4, p + 4 + 4 * c, 4):
            self.charge(1)
            q = self.target(at)
            if q is None or not (self.is_table(q) if kind == TABLE_REFERENCES else self.is_string(q)):
                return False
        if c:
            self.good_references.add((p, kind))
        return True

    def passes(self, p, kind):
        if kind == TABLE:
            return self.is_table(p)
        return self.is_references(p, kind)

    # Claims.

    def make_type(self, kind):
        self.types.append(Type(len(self.types), kind))
        return self.types[-1]

    def claim(self, start, type_, size):
        if start in self.owner:
            return False
        self.owner[start] = type_
        self.cover(start, size)
        return True

    def cover(self, start, size):
        first, last = (start + 3) // 4, (start + size - 1) // 4
        for word in range(first, min(last + 1, len(self.covered))):
            self.covered[word] = 1

    def claim_table(self, p, slot):
        if p in self.owner:
            return
        vtable = self.table_vtable(p)
        if vtable.type is None:
            if slot.type is None:
                slot.type = self.make_type(TABLE)
            vtable.type = slot.type
            vtable.type.vtables.append(vtable)
            self.claim(vtable.position, self.types[1], vtable.z)
        elif slot.type is None:
            slot.type = vtable.type
        if self.claim(p, vtable.type, vtable.t):
            self.table_vtables[p] = vtable
            vtable.type.tables.append(p)
            self.charge(vtable.t // 4)
            if vtable.type not in self.queue:
                self.queue.append(vtable.type)

    def claim_string(self, p, slot):
        if p in self.owner:
            return
        if slot.type is None:
            slot.type = self.make_type(STRING)
        self.claim(p, slot.type, 5 + u32(self.data, p))

    def claim_references(self, p, slot, kind):
        if p in self.owner:
            return
        if slot.type is None:
            slot.type = self.make_type(kind)
        c = u32(self.data, p)
        if self.claim(p, slot.type, 4 + 4 * c):
            for at in range(p + 4, p + 4 + 4 * c, 4):
                if kind == TABLE_REFERENCES:
                    self.claim_table(self.target(at), slot.type.element)
                else:
                    self.claim_string(self.target(at), slot.type.element)

    # Tables.

    def lanes(self, type_, f, tables):
        """For each lane its target, or None if it fails."""
        for vtable in type_.vtables:
            if f >= len(vtable.entries) or not vtable.entries[f]:
                continue
            is_wide = vtable.width(f) >= 4
            for p in tables:
                if self.table_vtables[p] is vtable:
                    self.charge(1)
                    place = p + vtable.entries[f]
                    yield self.target(place) if is_wide and place % 4 == 0 else None

    def look_at_tables(self, type_):
        tables = type_.tables[type_.looked_at:]
        type_.looked_at = len(type_.tables)
        for f in range(max(len(v.entries) for v in type_.vtables)):
            field = type_.field(f)
            if field.kind in (SCALAR, PENDING):
                continue
            if field.kind == UNDECIDED:
                targets = self.decide(type_, f, field, tables)
                if targets is None:
                    continue
            else:
                targets = [q for q in self.lanes(type_, f, tables) if q is not None and self.passes(q, field.kind)]
            for q in targets:
                if field.kind == TABLE:
                    self.claim_table(q, field)
                else:
                    self.claim_references(q, field, field.kind)

    def decide(self, type_, f, field, tables):
        """Returns the targets to claim, or None."""
        targets = []
        for q in self.lanes(type_, f, tables):
            if q is None:
                field.kind = SCALAR
                return None
            targets.append(q)
        if not targets:
            return None
        for kind in (*REFERENCES, TABLE):
            if all(self.passes(q, kind) for q in targets):
                if kind == TABLE or any(u32(self.data, q) for q in targets):
                    field.kind = kind
                    return targets
        field.kind = PENDING
        return None

    # Strings and data.

    def candidates(self):
        """(order, field, is_text, is_weak, targets) of each."""
        found = []
        for type_ in list(self.types):
            for f in sorted(type_.fields):
                field = type_.fields[f]
                if field.kind != PENDING:
                    continue
                field.kind = SCALAR
                targets = []
                for q in self.lanes(type_, f, type_.tables):
                    targets.append(q)
                    if q is None:
                        break
                if None in targets:
                    continue
                is_text = all(self.is_string(q) for q in targets)
                largest = max(u32(self.data, q) for q in targets)
                is_weak = len(targets) < 4 and (not is_text or largest < 4)
                order = (2 if is_weak else 0 if is_text else 1, -len(targets))
                found.append((order, field, is_text, is_weak, targets))
        return sorted(found, key=lambda candidate: candidate[0])

    def try_candidates(self):
        data_types = []
        were_measured = False
        for _, field, is_text, is_weak, targets in self.candidates():
            if is_weak and not were_measured:
                were_measured = True
                for type_ in data_types:
                    self.measure(type_)
            if not all(self.is_free(q) for q in targets):
                continue
            if is_text:
                for q in targets:
                    self.claim_string(q, field)
            else:
                field.type = self.make_type(DATA)
                data_types.append(field.type)
                for q in targets:
                    self.claim(q, field.type, 4)

    def is_free(self, q):
        c = u32(self.data, q)
        if c > self.n - q - 4 or self.covered[q // 4]:
            return False
        return c == 0 or not self.covered[(q + 3 + c) // 4]

    def measure(self, type_):
        """Finds the stride of a data type from what is covered, then covers its vectors."""
        vectors = []
        starts = [start for start, owner in self.owner.items() if owner is type_]
        for start in starts:
            c = u32(self.data, start)
            end = start + 4
            while end < min(self.n, start + 4 + 256 * c) and not self.covered[end // 4]:
                end += 4
            self.charge((end - start - 4) // 16)
            vectors.append((c, min(end, self.n) - start - 4))
        stride = find_stride(vectors)
        for start in starts:
            self.cover(start, 4 + stride * u32(self.data, start))

    # Objects.

    def make_objects(self):
        self.starts = sorted(self.owner)
        self.objects = []
        for start, end in zip(self.starts, self.starts[1:] + [self.n]):
            type_ = self.owner[start]
            vtable = self.table_vtables.get(start) if type_.kind == TABLE else None
            if type_.kind == VTABLES:
                vtable = self.vtables[start]
            self.objects.append(Object(type_, start, end, vtable, len(self.objects)))
            type_.objects.append(len(self.objects) - 1)
        for type_ in self.types:
            for vtable in type_.vtables:
                type_.number_columns(vtable)
            if type_.kind == DATA:
                mine = [self.objects[i] for i in type_.objects]
                type_.stride = find_stride([(u32(self.data, o.start), max(0, o.size - 4)) for o in mine])
                type_.is_aligned = (type_.stride > 0 and type_.stride % 8 == 0
                                    and all(o.start % 8 == 4 for o in mine))
                type_.is_whole = all(o.size <= 64 for o in mine) and not (type_.stride >= 8 and len(mine) < 8)

    def index_of(self, position):
        """The index of the object that has this byte, or None."""
        return bisect_right(self.starts, position) - 1 if position < self.n else None


def find_stride(vectors):
    """From (count, room) of each vector."""
    stride = min([256] + [room // c for c, room in vectors if c])
    if any(c >= 16 for c, _ in vectors):
        return stride
    return stride - stride % 4 if stride >= 4 else min(stride, 2)


# 3.4: the arrangement.

RUN, JUMP, SKIP, FRESH, CONTINUE, RESIZE, RESHAPE, PAD, RAW = range(9)


class Arrangement:
    """The objects of the target, then the prediction of its bytes."""

    def __init__(self, stream, structure, target_size):
        self.stream = stream
        self.structure = structure
        self.baseline = structure.data
        self.target_size = target_size
        self.end = target_size
        self.objects = []
        self.cursor = len(structure.objects)
        self.used = bytearray(len(structure.objects))
        self.below = list(range(-1, len(structure.objects)))  # links over used objects, see next_in_order
        self.new_vtables = []
        self.new_vtables_named = 0
        self.new_vtable_bytes = 0
        self.splices = 0
        self.placed = {}  # type -> how many
        self.last_source = {}  # type -> source of the last placed
        self.source = None  # of a continue
        self.is_fresh = False
        self.count = self.edits = self.vtable = self.padding = None  # of the next object
        self.models = {name: Number() for name in "J1 J2 F C M P R I T W E G ER ES".split()}
        self.is_spliced = Bit()
        self.decode_steps()
        self.objects.reverse()
        self.predict()
        self.decode_elements()

    def number(self, name):
        return self.stream.number(self.models[name])

    def step(self, name):
        return self.stream.step(self.models[name])

    def decode_steps(self):
        kinds = [Nibble() for _ in range(9)]
        counts = {}
        before = RUN
        while self.end:
            kind = self.stream.nibble(kinds[before])
            require(kind <= RAW, "unknown step")
            model = counts.setdefault((before, kind), Number())
            before = kind
            if kind == RUN:
                self.source = None
                for _ in range(self.stream.number(model) + 1):
                    self.cursor = self.next_in_order()
                    self.used[self.cursor] = 1
                    self.place(self.cursor, False)
            elif kind == SKIP:
                for _ in range(self.stream.number(model) + 1):
                    self.cursor = self.next_in_order()
            elif kind in (JUMP, FRESH, CONTINUE):
                self.find_source(kind)
                self.place_sources(self.stream.number(model) + 1)
            elif kind == RESIZE:
                self.decode_resize()
            elif kind == RESHAPE:
                self.decode_reshape()
            elif kind == PAD:
                require(self.padding is None, "padded twice")
                self.padding = self.number("G")
            else:
                self.decode_raw(self.stream.number(model) + 1)
        self.require_no_change()

    def require_no_change(self):
        require(self.count is self.edits is self.vtable is self.padding is None, "a change of no object")

    def next_in_order(self):
        """The largest unused index below the cursor."""
        i = self.below[self.cursor]
        while i >= 0 and self.used[i]:
            i = self.below[i]
        self.below[self.cursor] = i
        require(i >= 0, "nothing left in order")
        return i

    def find_source(self, kind):
        if kind == CONTINUE:
            require(self.source is not None, "nothing to continue")
            return
        number = self.number("J1" if kind == JUMP else "F")
        require(number < len(self.structure.types), "unknown type")
        mine = self.structure.types[number].objects
        self.is_fresh = kind == FRESH
        if kind == JUMP:
            rank = bisect_left(mine, self.cursor) - 1 - self.step("J2")
            require(0 <= rank < len(mine), "no such object")
            self.source = mine[rank]
        else:
            require(mine, "no object to be like")
            self.source = self.last_source.get(number, mine[-1])

    def place_sources(self, n):
        for _ in range(n):
            require(self.source >= 0, "before the first object")
            if not self.is_fresh:
                require(not self.used[self.source], "used twice")
                self.used[self.source] = 1
            self.place(self.source, self.is_fresh)
            self.source -= 1

    def decode_resize(self):
        require(self.count is None and self.edits is None, "resized twice")
        if not self.stream.bit(self.is_spliced):
            self.count = self.number("C")
            return
        m = self.number("M")
        self.splices += m
        require(self.splices <= self.target_size, "too many splices")
        self.edits = [(self.number("P"), self.number("R"), self.number("I")) for _ in range(m)]

    def decode_reshape(self):
        require(self.vtable is None, "reshaped twice")
        number = self.number("T")
        require(number < len(self.structure.types), "unknown type")
        type_ = self.structure.types[number]
        if number == 1:
            require(self.new_vtables_named < len(self.new_vtables), "no new vtable")
            self.vtable = self.new_vtables[self.new_vtables_named]
            self.new_vtables_named += 1
            return
        w = self.number("W")
        require(type_.vtables and w <= len(type_.vtables), "no such vtable")
        if w == len(type_.vtables):
            self.decode_vtable(type_)
        self.vtable = type_.vtables[w]

    def decode_vtable(self, type_):
        like = type_.vtables[0]
        fields = (len(like.entries) + self.step("E")) % (1 << 32)
        require(fields <= 32765, "too many fields")
        t = (like.t + self.step("E")) % (1 << 16)
        entries = []
        for f in range(fields):
            entry = like.entries[f] if f < len(like.entries) else 0
            entries.append((entry + self.step("E")) % (1 << 16))
        vtable = Vtable(t, entries)
        self.new_vtable_bytes += vtable.z + t
        require(vtable.is_valid and t <= self.target_size, "no vtable")
        require(self.new_vtable_bytes <= 2 * self.target_size + 65536, "too many vtables")
        vtable.type = type_
        type_.vtables.append(vtable)
        type_.number_columns(vtable)
        self.new_vtables.append(vtable)

    def decode_raw(self, n):
        self.require_no_change()
        require(n <= self.end, "past the start")
        placed = Object(self.structure.types[0], self.end - n, self.end)
        placed.raw = self.stream.characters(n)
        self.objects.append(placed)
        self.end -= n

    def place(self, index, is_fresh):
        s = self.structure.objects[index]
        type_ = s.type
        o = Object(type_, 0, self.end, None, index, is_fresh)
        require(self.vtable is None or type_.kind in (TABLE, VTABLES), "reshape of neither table nor vtable")
        require(self.count is None or type_.kind in (STRING, *REFERENCES), "a count for what has none")
        require(self.edits is None or type_.kind == DATA, "splices of no data")
        size = self.bytes_needed(s, o) + (self.padding or 0)
        require(0 < size <= self.end, "does not fit")
        start = self.end - size
        if type_.kind == DATA and type_.is_aligned and self.padding is None:
            start = max(0, start - (start - 4) % 8)
        elif type_.kind != VTABLES:
            start -= start % 4
        o.start = self.end = start
        self.objects.append(o)
        self.count = self.edits = self.vtable = self.padding = None
        self.placed[type_] = self.placed.get(type_, 0) + 1
        self.last_source[type_.number] = index

    def bytes_needed(self, s, o):
        kind = s.type.kind
        if kind == OTHER:
            require(s.start == 0, "not the first object")
            return self.end
        if kind == VTABLES:
            o.vtable = self.vtable or s.vtable
            return o.vtable.z
        if kind == TABLE:
            o.vtable = self.vtable or self.expected_vtable(s)
            return o.vtable.t
        o.count = u32(self.baseline, s.start)
        if kind == DATA:
            if self.edits is not None:
                o.splices = self.edits
                left = o.count
                for copy, remove, insert in self.edits:
                    require(copy + remove <= left, "splices past the end")
                    left -= copy + remove
                    o.count += insert - remove
            require(o.count <= self.end, "too many elements")
            return 4 + s.type.stride * o.count
        if self.count is not None:
            o.count = self.count
        elif kind in REFERENCES:
            element = s.type.element.type
            if element and o.count == len(element.objects):
                o.count = self.placed.get(element, 0)
        return 5 + o.count if kind == STRING else 4 + 4 * o.count

    def expected_vtable(self, s):
        parity = self.end // 4 % 2
        if s.end // 4 % 2 != parity:
            fields = s.vtable.present()
            for i in s.type.objects:
                other = self.structure.objects[i]
                if other.end // 4 % 2 == parity and other.vtable.present() == fields:
                    return other.vtable
        return s.vtable

    # Prediction.

    def where_went(self, source, i):
        """The start of the object that source became as seen from object i, or None."""
        at = bisect_left(self.sources, source)
        if at == len(self.sources):
            return None
        those = self.by_source[self.sources[at]]
        return self.objects[those[min(bisect_right(those, i), len(those) - 1)]].start

    def predict(self):
        self.by_source = {}
        self.vtable_at = {}
        for i, o in enumerate(self.objects):
            if o.source is not None:
                self.by_source.setdefault(o.source, []).append(i)
            if o.type.kind == VTABLES:
                self.vtable_at[o.vtable] = o.start
        self.sources = sorted(self.by_source)
        self.target = bytearray(self.target_size)
        for i, o in enumerate(self.objects):
            if o.source is None:
                self.target[o.start:o.end] = o.raw
                continue
            s = self.structure.objects[o.source]
            if o.type.kind == TABLE:
                self.predict_table(i, o, s)
            elif o.type.kind == VTABLES:
                self.target[o.start:o.start + o.vtable.z] = o.vtable.bytes()
            elif o.type.kind == DATA and o.splices is not None:
                self.predict_spliced(o, s)
            elif o.type.kind == DATA:
                self.copy(o, s, 0, 0, 4 + o.type.stride * o.count)
            elif o.type.kind == OTHER:
                self.predict_other(i, o, s)
            else:
                put(self.target, o.start, o.count)
                if o.type.kind == STRING:
                    n = min(u32(self.baseline, s.start), o.count)
                    self.target[o.start + 4:o.start + 4 + n] = self.baseline[s.start + 4:s.start + 4 + n]

    def copy(self, o, s, to, at, n):
        """Copies n bytes at offset `at` of s to offset `to` of o; what lies outside either is left out."""
        n = min(n, o.size - to, s.size - at)
        if n > 0:
            self.target[o.start + to:o.start + to + n] = self.baseline[s.start + at:s.start + at + n]

    def predict_other(self, i, o, s):
        self.copy(o, s, 0, 0, s.size)
        if o.size >= 4 and s.size >= 4:
            root = self.structure.index_of(u32(self.baseline, 0))
            went = None if root is None else self.where_went(root, i)
            if went is not None:
                put(self.target, o.start, went)

    def predict_table(self, i, o, s):
        is_same = o.vtable is s.vtable
        if is_same:
            self.copy(o, s, 0, 0, o.vtable.t)
        put(self.target, o.start, o.start - self.vtable_at.get(o.vtable, 0))
        for f in o.vtable.present():
            if f >= len(s.vtable.entries) or not s.vtable.entries[f]:
                continue
            to, at = o.vtable.entries[f], s.vtable.entries[f]
            width = min(o.vtable.width(f), s.vtable.width(f))
            if to + width > o.size or at + width > s.size:
                continue
            if not is_same:
                self.copy(o, s, to, at, width)
            field = o.type.fields.get(f)
            if field and field.type and width >= 4:
                place = s.start + at
                index = self.structure.index_of(place + u32(self.baseline, place))
                went = None if index is None else self.where_went(index, i)
                if went is not None:
                    put(self.target, o.start + to, went - (o.start + to))

    def predict_spliced(self, o, s):
        put(self.target, o.start, o.count)
        stride = o.type.stride
        left = u32(self.baseline, s.start)
        to = at = 4
        for copy, remove, insert in o.splices:
            self.copy(o, s, to, at, copy * stride)
            to += copy * stride
            at += (copy + remove) * stride
            left -= copy + remove
            for _ in range(insert):
                if to > 4:
                    n = max(0, min(stride, o.size - to))
                    begin = o.start + to
                    self.target[begin:begin + n] = self.target[begin - stride:begin - stride + n]
                to += stride
        self.copy(o, s, to, at, left * stride)

    # Elements.

    def decode_elements(self):
        starts = {}
        for o in self.objects:
            starts.setdefault(o.type, []).append(o.start)
        for i, o in enumerate(self.objects):
            element = o.type.element.type
            if o.type.kind in REFERENCES and element in starts:
                self.decode_references(i, o, starts[element])

    def decode_references(self, i, o, those):
        s = self.structure.objects[o.source]
        c = u32(self.baseline, s.start)
        before = [at + u32(self.baseline, at) for at in range(s.start + 4, s.start + 4 + 4 * c, 4)]
        up = sum(a < b for a, b in zip(before, before[1:]))
        direction = 1 if 2 * up + 1 >= c else -1
        went = self.where_went(self.structure.index_of(before[0]), i) if before else None
        if went is not None:
            expected = bisect_left(those, went)
        else:
            expected = 0 if direction == 1 else len(those) - 1
        count = min(o.count, (o.size - 4) // 4)

        def cut(rank):
            return max(0, min(len(those) - 1, rank))

        ranks = []
        while len(ranks) < count:
            n = self.number("ER")
            require(n <= count - len(ranks), "too many elements")
            for _ in range(n):
                ranks.append(cut(expected))
                expected += direction
            if len(ranks) < count:
                expected = cut(expected) + self.step("ES")
                require(0 <= expected < len(those), "no such element")
                ranks.append(expected)
                expected += direction
        for k, rank in enumerate(ranks):
            place = o.start + 4 + 4 * k
            put(self.target, place, those[rank] - place)


# 3.5: rows that changed.


class Column:
    """The models of a column."""

    def __init__(self):
        self.changed = [Bit() for _ in range(4)]
        self.size = None
        self.details = [None] * 16


class Rows:
    """Corrects `out`, which is the baseline or the prediction, where rows changed."""

    def __init__(self, stream, structure, objects, out, is_moved):
        self.stream = stream
        self.structure = structure
        self.objects = objects
        self.out = out
        self.is_moved = is_moved
        self.changed = {True: Number(A), False: Number(B)}  # N: of tables and data, of others
        self.changed_strings = Number(A)  # N2
        self.columns = Number()  # K
        self.column = Number(C)  # Q
        self.is_whole_text = Bit()  # X
        self.length, self.prefix, self.suffix = Number(), Number(), Number()  # V, Y1, Y2
        self.size = Nibble(E)
        self.details = [Nibble(F) for _ in range(16)]
        of_type = {}
        for o in objects:
            if o.source is not None:
                of_type.setdefault(o.type, ([], []))[o.is_fresh].append(o)
        for type_ in structure.types:
            old, fresh = of_type.get(type_, ([], []))
            if type_.kind == STRING:
                self.decode_strings(old, fresh)
            else:
                self.decode_type(type_, old, fresh)

    # Where the rows are.

    def row_width(self, type_):
        return type_.stride if type_.kind == DATA and type_.stride >= 8 else 32

    def row_count(self, o):
        if o.type.kind == TABLE or o.type.is_whole:
            return 1
        width = self.row_width(o.type)
        if o.type.kind in (OTHER, VTABLES):
            return -(-o.size // width)
        return 1 + -(-max(0, o.size - 4) // width)

    def row(self, o, k):
        """The entries (column, position, width) of row k."""
        kind = o.type.kind
        if kind == TABLE:
            t = o.vtable.t
            behind = [(131072 + (at - t) // 4, at, 4) for at in range(t, o.size, 4)]
            return [(column, o.start + at, min(width, o.size - at))
                    for column, at, width in o.vtable.layout + behind if at < o.size]
        width, column = self.row_width(o.type), 0
        if o.type.is_whole:
            start, end = o.start, o.end
        elif kind in (OTHER, VTABLES):
            start, end = o.start + k * width, o.start + (k + 1) * width
        elif k == 0:
            start, end = o.start, o.start + 4
        else:
            start, end, column = o.start + 4 + (k - 1) * width, o.start + 4 + k * width, 1
        end = min(end, o.end)
        return [(column + (at - start) // 4, at, min(4, end - at)) for at in range(start, end, 4)]

    # What changed in them.

    def gaps(self, total, changed):
        """The numbers of the rows that changed, one by one."""
        first, more_bits = Nibble(D), Number()  # G, H
        at = 0
        for more in range(changed, 0, -1):
            left = total - at
            if left > more:
                r = max(0, (left // more).bit_length() - 3)
                h = self.stream.nibble(first)
                if h == 15:
                    h += self.stream.number(more_bits)
                gap = (h << r) + self.stream.raw(r)
                require(gap <= left - more, "past the last row")
                at += gap
            yield at
            at += 1

    def decode_type(self, type_, old, fresh):
        counts = [self.row_count(o) for o in old]
        total = sum(counts)
        changed = self.stream.number(self.changed[type_.kind in (TABLE, DATA)])
        require(changed <= total, "more rows than there are")
        if changed:
            columns = self.decode_columns(sum(o.size for o in old))
            which = iter(zip(old, counts))
            o, count = next(which)
            first = 0
            for at in self.gaps(total, changed):
                while at >= first + count:
                    first += count
                    o, count = next(which)
                self.change_row(self.row(o, at - first), columns)
        models = {}
        for o in fresh:
            for k in range(self.row_count(o)):
                for column, at, width in self.row(o, k):
                    if type_.kind == TABLE:
                        column = min(column, 131087)
                    elif type_.is_whole:
                        column = min(column, 15)
                    model = models.setdefault(column, Column())
                    if self.stream.bit(model.changed[0]):
                        self.change(at, width, model)

    def decode_columns(self, size):
        n = self.stream.number(self.columns) + 1
        require(n <= size, "more columns than bytes")
        columns = {}
        column = -1
        for _ in range(n):
            column += 1 + self.stream.number(self.column)
            require(column < 262144, "column out of range")
            columns[column] = Column()
        return columns

    def change_row(self, row, columns):
        mine = [entry for entry in row if entry[0] in columns]
        require(mine, "a row without a column")
        was, any_changed = 1, 0
        for i, (column, at, width) in enumerate(mine):
            model = columns[column]
            if i == len(mine) - 1 and not any_changed:
                was = 1
            else:
                was = self.stream.bit(model.changed[was + 2 * any_changed])
            if was:
                any_changed = 1
                self.change(at, width, model)

    def change(self, at, width, model):
        value = u32(self.out, at) if width == 4 else int.from_bytes(self.out[at:at + width], "little")
        put(self.out, at, value + self.value(model), width)

    def value(self, column):
        if column.size is None:
            column.size = self.size.copy()
        a = self.stream.nibble(column.size)
        self.size.learn(a)
        if column.details[a] is None:
            column.details[a] = self.details[a].copy()
        b = self.stream.nibble(column.details[a])
        self.details[a].learn(b)
        length = (4 * a | b // 2) % 32
        m = (1 << length) + self.stream.raw(length)
        return -m if b % 2 else m

    # Strings.

    def decode_strings(self, old, fresh):
        changed = self.stream.number(self.changed_strings)
        require(changed <= len(old), "more strings than there are")
        for at in list(self.gaps(len(old), changed)):
            self.decode_text(old[at])
        for o in fresh:
            self.decode_text(o)

    def decode_text(self, o):
        s = self.structure.objects[o.source]
        baseline = self.structure.data
        size = u32(baseline, s.start)
        if not self.is_moved:
            size = max(0, min(size, s.size - 5))
        source = baseline[s.start + 4:s.start + 4 + size]
        if self.stream.bit(self.is_whole_text):
            self.out[o.start:o.end] = self.stream.characters(o.size)
            return
        length = (o.count if self.is_moved else size) + self.stream.step(self.length)
        require(0 <= length <= o.size - 5, "text does not fit")
        shorter = min(length, len(source))
        prefix = self.stream.number(self.prefix)
        require(prefix <= shorter, "prefix too long")
        suffix = self.stream.number(self.suffix)
        require(suffix <= shorter - prefix, "suffix too long")
        before = source[prefix - 1] if prefix else 0
        middle = self.stream.characters(length - prefix - suffix, before)
        text = source[:prefix] + middle + source[len(source) - suffix:]
        self.out[o.start:o.end] = (length.to_bytes(4, "little") + text).ljust(o.size, b"\0")


# A whole patch.


def decode_in_place(baseline, data):
    """Kind 2, from its stream."""
    stream = Stream(data)
    structure = Structure(baseline)
    out = bytearray(baseline)
    Rows(stream, structure, structure.objects, out, False)
    stream.finish()
    return bytes(out)


def decode_moved(baseline, data, target_size):
    """Kind 3, from its stream."""
    stream = Stream(data)
    structure = Structure(baseline)
    arrangement = Arrangement(stream, structure, target_size)
    Rows(stream, structure, arrangement.objects, arrangement.target, True)
    stream.finish()
    return bytes(arrangement.target)


def decode_patch(baseline, patch, target_limit=TARGET_LIMIT):
    """Returns the target, whose digest the caller has to check. Raises Refused."""
    reader = Reader(patch)
    kind = reader.bytes(1)[0]
    require(1 <= kind <= 3, "unknown kind")
    if kind == 1:
        baseline_size, target_size = reader.varint(), reader.varint()
        require(max(baseline_size, target_size) < 1 << 32, "sizes")
        require(baseline_size == len(baseline), "another size", "kWrongBaseline")
    else:
        require(0 < len(baseline) < 1 << 31, "size of the baseline")
        target_size = len(baseline) if kind == 2 else reader.varint()
        require(target_size < 1 << 31, "size of the target")
    require(target_size <= target_limit, "target above the limit", "kSnapshotTooBig")
    reader.bytes(8)  # the digest
    if kind == 1:
        return decode_ops(reader, baseline, target_size)
    data = patch[reader.at:]
    return decode_in_place(baseline, data) if kind == 2 else decode_moved(baseline, data, target_size)


def check(vector):
    """What is wrong with a vector's outcome, or nothing."""
    baseline, patch, target = (bytes.fromhex(vector[key]) for key in ("baseline", "patch", "target"))
    error = vector["error"]
    try:
        decoded = decode_patch(baseline, patch)
    except Refused as refused:
        named = str(refused).split(":")[0]
        return "" if named == error else f"expected {error or 'a target'}, got {refused}"
    if error == "kDigestMismatch":
        return ""
    if error:
        return f"expected {error}, but it decoded"
    return "" if decoded == target else "decoded to other bytes"


def main(paths):
    passed = failed = 0
    for path in paths:
        with open(path, encoding="utf-8") as file:
            vectors = json.load(file)
        for vector in vectors:
            problem = check(vector)
            if problem:
                print(f"{path}: {vector['name']}: {problem}")
                failed += 1
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
