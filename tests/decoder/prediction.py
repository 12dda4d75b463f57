"""Section 3.4, prediction and elements: the bytes that the arranged objects are expected to have."""

from bisect import bisect_left, bisect_right

from basics import put, require, u32
from entropy import Number
from structure import DATA, OTHER, REFERENCES, STRING, TABLE, VTABLES


class ElementModels:
    """What a context keeps for elements."""

    def __init__(self):
        self.runs = Number()  # ER
        self.steps = Number()  # ES


class Prediction:
    """`target` has the predicted bytes of the placed objects."""

    def __init__(self, stream, models, structure, objects, target_size):
        self.stream = stream
        self.models = models
        self.structure = structure
        self.baseline = structure.data
        self.objects = objects
        self.by_source = {}
        self.vtable_at = {}
        for i, o in enumerate(objects):
            if o.source is not None:
                self.by_source.setdefault(o.source, []).append(i)
            if o.type.kind == VTABLES:
                self.vtable_at[o.vtable] = o.start
        self.sources = sorted(self.by_source)
        self.target = bytearray(target_size)
        for i, o in enumerate(objects):
            if o.source is None:
                self.target[o.start:o.end] = o.raw
            else:
                self.predict(i, o, structure.objects[o.source])
        self.decode_elements()

    def where_went(self, position, i):
        """Where the baseline's object that has the byte at `position` went as seen from object i, or None."""
        index = self.structure.index_of(position)
        at = len(self.sources) if index is None else bisect_left(self.sources, index)
        if at == len(self.sources):
            return None
        those = self.by_source[self.sources[at]]
        return self.objects[those[min(bisect_right(those, i), len(those) - 1)]].start

    def copy(self, o, s, to, at, n):
        """Copies n bytes at offset `at` of s to offset `to` of o; what lies outside either is left out."""
        n = min(n, o.size - to, s.size - at)
        if n > 0:
            self.target[o.start + to:o.start + to + n] = self.baseline[s.start + at:s.start + at + n]

    def predict(self, i, o, s):
        kind = o.type.kind
        if kind == OTHER:
            self.predict_other(i, o, s)
        elif kind == VTABLES:
            self.target[o.start:o.start + o.vtable.z] = o.vtable.bytes()
        elif kind == TABLE:
            self.predict_table(i, o, s)
        elif kind == DATA and o.splices is None:
            self.copy(o, s, 0, 0, 4 + o.type.stride * o.count)
        else:
            put(self.target, o.start, o.count)
            if kind == DATA:
                self.predict_spliced(o, s)
            elif kind == STRING:
                self.copy(o, s, 4, 4, min(self.structure.count_of(s), o.count))

    def predict_other(self, i, o, s):
        self.copy(o, s, 0, 0, s.size)
        if o.start == s.start == 0 and o.size >= 4 and s.size >= 4:
            went = self.where_went(u32(self.baseline, 0), i)
            if went is not None:
                put(self.target, 0, went)

    def predict_table(self, i, o, s):
        is_same = o.vtable is s.vtable
        if is_same:
            self.copy(o, s, 0, 0, o.vtable.t)
        put(self.target, o.start, o.start - self.vtable_at.get(o.vtable, 0))
        for f in o.vtable.present():
            if not s.vtable.has(f):
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
                went = self.where_went(place + u32(self.baseline, place), i)
                if went is not None:
                    put(self.target, o.start + to, went - (o.start + to))

    def predict_spliced(self, o, s):
        stride = o.type.stride
        left = self.structure.count_of(s)
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
            if o.type.kind in REFERENCES and o.type.element.type in starts:
                self.decode_references(i, o, starts[o.type.element.type])

    def decode_references(self, i, o, those):
        expected, direction = self.expect(i, self.structure.objects[o.source], those)
        count = min(o.count, (o.size - 4) // 4)

        def cut(rank):
            return max(0, min(len(those) - 1, rank))

        ranks = []
        while len(ranks) < count:
            n = self.stream.number(self.models.runs)
            require(n <= count - len(ranks), "too many elements")
            for _ in range(n):
                ranks.append(cut(expected))
                expected += direction
            if len(ranks) < count:
                expected = cut(expected) + self.stream.step(self.models.steps)
                require(0 <= expected < len(those), "no such element")
                ranks.append(expected)
                expected += direction
        for k, rank in enumerate(ranks):
            place = o.start + 4 + 4 * k
            put(self.target, place, those[rank] - place)

    def expect(self, i, s, those):
        """The rank of the first element, and the direction from there."""
        c = min(self.structure.count_of(s), max(0, s.size - 4) // 4)
        before = [u32(self.baseline, at) for at in range(s.start + 4, s.start + 4 + 4 * c, 4)]
        up = sum(a < (b + 4) % (1 << 32) for a, b in zip(before, before[1:]))
        direction = 1 if 2 * up + 1 >= c else -1
        went = self.where_went(s.start + 4 + before[0], i) if before else None
        if went is not None:
            return bisect_left(those, went), direction
        return 0 if direction == 1 else len(those) - 1, direction
