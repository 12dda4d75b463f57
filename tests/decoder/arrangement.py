"""Section 3.4, the steps: which objects the target has, where, and what each was in the baseline."""

from bisect import bisect_left

from basics import require
from entropy import Bit, Nibble, Number
from structure import (DATA, MOST_TYPES_AND_VTABLES, OTHER, REFERENCES, STRING, TABLE, VTABLES, Object, Vtable,
                       count_types_and_vtables)

RUN, JUMP, SKIP, FRESH, CONTINUE, RESIZE, RESHAPE, PAD, RAW = range(9)


class Placed(Object):
    """An object of the target. `source` is an index into the baseline's objects, None if the object is `raw` bytes."""

    def __init__(self, type_, end, source, is_fresh=False):
        super().__init__(type_, end, end)
        self.source = source
        self.is_fresh = is_fresh
        self.count = 0
        self.splices = None
        self.raw = None


class StepModels:
    """What a context keeps for the steps."""

    def __init__(self, characters):
        self.characters = characters
        self.kinds = [Nibble() for _ in range(9)]  # S
        self.counts = {}
        self.numbers = {name: Number() for name in "J1 J2 F C M P R I T W E G".split()}
        self.is_spliced = Bit()  # D
        self.new_vtable_bytes = 0


class Change:
    """What steps 5 to 7 said about the next object; None is nothing."""

    def __init__(self):
        self.count = self.splices = self.vtable = self.padding = None

    def is_nothing(self):
        return self.count is self.splices is self.vtable is self.padding is None


class Arrangement:
    """Decodes the steps; then `objects` has the target's, front to back."""

    def __init__(self, stream, models, structure, target_size):
        self.stream = stream
        self.models = models
        self.structure = structure
        self.target_size = target_size
        self.end = target_size
        self.objects = []
        self.cursor = len(structure.objects)
        self.used = bytearray(len(structure.objects))
        self.below = list(range(-1, len(structure.objects)))  # links over used objects, see next_in_order
        self.new_vtables = []  # of placed tables; no object of the baseline is one
        self.old_vtables = {id(o.vtable) for o in structure.objects if o.type.kind == VTABLES}
        self.new_vtables_named = 0
        self.left_new = (len(structure.data) + target_size) // 16 + 1024  # fresh and raw objects, splices
        self.placed = {}  # type -> how many
        self.last_source = {}  # type -> source of the last placed
        self.source = None  # of a continue
        self.is_fresh = False
        self.change = Change()
        self.decode()
        self.objects.reverse()

    def number(self, name):
        return self.stream.number(self.models.numbers[name])

    def step(self, name):
        return self.stream.step(self.models.numbers[name])

    def decode(self):
        before = RUN
        while self.end:
            kind = self.stream.nibble(self.models.kinds[before])
            require(kind <= RAW, "unknown step")
            counts = self.models.counts.setdefault((before, kind), Number())
            before = kind
            if kind == RUN:
                self.source = None
                for _ in range(self.stream.number(counts) + 1):
                    self.cursor = self.next_in_order()
                    self.used[self.cursor] = 1
                    self.place(self.cursor, False)
            elif kind == SKIP:
                for _ in range(self.stream.number(counts) + 1):
                    self.cursor = self.next_in_order()
            elif kind in (JUMP, FRESH, CONTINUE):
                self.find_source(kind)
                self.place_sources(self.stream.number(counts) + 1)
            elif kind == RESIZE:
                self.decode_resize()
            elif kind == RESHAPE:
                self.decode_reshape()
            elif kind == PAD:
                require(self.change.padding is None, "padded twice")
                self.change.padding = self.number("G")
            else:
                self.decode_raw(self.stream.number(counts) + 1)
        require(self.change.is_nothing(), "a change of no object")

    # Which source is next.

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
            else:
                self.make_new(1)
            self.place(self.source, self.is_fresh)
            self.source -= 1

    def make_new(self, n):
        self.left_new -= n
        require(self.left_new >= 0, "too much that is new")

    # What changes about it.

    def decode_resize(self):
        change = self.change
        require(change.count is None and change.splices is None, "resized twice")
        if not self.stream.bit(self.models.is_spliced):
            change.count = self.number("C")
            return
        m = self.number("M")
        self.make_new(m)
        change.splices = [(self.number("P"), self.number("R"), self.number("I")) for _ in range(m)]

    def decode_reshape(self):
        require(self.change.vtable is None, "reshaped twice")
        number = self.number("T")
        require(number < len(self.structure.types), "unknown type")
        type_ = self.structure.types[number]
        if number == 1:
            require(self.new_vtables_named < len(self.new_vtables), "no new vtable")
            self.change.vtable = self.new_vtables[self.new_vtables_named]
            self.new_vtables_named += 1
            return
        w = self.number("W")
        require(type_.vtables and w <= len(type_.vtables), "no such vtable")
        if w == len(type_.vtables):
            self.decode_vtable(type_)
        self.change.vtable = type_.vtables[w]

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
        self.models.new_vtable_bytes += vtable.z + t
        require(vtable.is_valid and t <= self.target_size, "no vtable")
        require(self.models.new_vtable_bytes <= 2 * self.target_size + 65536, "too many vtables")
        require(count_types_and_vtables(self.structure.types) < MOST_TYPES_AND_VTABLES, "too many vtables")
        type_.add_vtable(vtable)
        type_.number_columns(vtable)

    # Where it goes.

    def decode_raw(self, n):
        require(self.change.is_nothing(), "a change of raw bytes")
        require(n <= self.end, "past the start")
        self.make_new(1)
        o = Placed(self.structure.types[0], self.end, None)
        o.raw = self.stream.characters(self.models.characters, n)
        self.put_in_front(o, self.end - n)

    def place(self, source, is_fresh):
        s = self.structure.objects[source]
        change, kind = self.change, s.type.kind
        o = Placed(s.type, self.end, source, is_fresh)
        require(change.vtable is None or kind in (TABLE, VTABLES), "reshape of neither table nor vtable")
        require(change.vtable is None or kind == VTABLES or change.vtable.type is s.type, "a vtable of another type")
        require(change.count is None or kind in (STRING, *REFERENCES), "a count for what has none")
        require(change.splices is None or kind == DATA, "splices of no data")
        size = self.bytes_needed(s, o) + (change.padding or 0)
        require(0 < size <= self.end, "does not fit")
        start = self.end - size
        if o.type.is_aligned and change.padding is None:
            start = max(0, start - (start - 4) % 8)
        elif kind != VTABLES and (kind != OTHER or s.start == 0):
            start -= start % 4
        self.put_in_front(o, start)
        if kind == TABLE and id(o.vtable) not in self.old_vtables:
            self.old_vtables.add(id(o.vtable))
            self.new_vtables.append(o.vtable)
        self.change = Change()
        self.placed[o.type] = self.placed.get(o.type, 0) + 1
        self.last_source[o.type.number] = source

    def put_in_front(self, o, start):
        require(start % 2 == 0, "starts at an odd place")
        o.start = self.end = start
        self.objects.append(o)

    def bytes_needed(self, s, o):
        """Settles vtable, count and splices of o as well."""
        kind, change = o.type.kind, self.change
        if kind == OTHER:
            return s.size if s.start else self.end
        if kind == VTABLES:
            o.vtable = change.vtable or s.vtable
            return o.vtable.z
        if kind == TABLE:
            o.vtable = change.vtable or self.expected_vtable(s)
            return o.vtable.t
        o.count = self.structure.count_of(s)
        if kind == DATA:
            self.splice(o)
            return 4 + o.type.stride * o.count
        if change.count is not None:
            o.count = change.count
        elif kind in REFERENCES:
            element = o.type.element.type
            if element and o.count == len(element.objects):
                o.count = self.placed.get(element, 0)
        return 5 + o.count if kind == STRING else 4 + 4 * o.count

    def splice(self, o):
        o.splices = self.change.splices
        left = o.count
        for copy, remove, insert in o.splices or ():
            require(copy + remove <= left, "splices past the end")
            left -= copy + remove
            o.count += insert - remove
        require(o.count <= self.end, "too many elements")

    def expected_vtable(self, s):
        parity = self.end // 4 % 2
        if s.end // 4 % 2 != parity:
            fields = s.vtable.present()
            for other in self.structure.objects:
                if (other.type.kind == TABLE and other.end // 4 % 2 == parity
                        and other.vtable.type is s.vtable.type and other.vtable.present() == fields):
                    return other.vtable
        return s.vtable
