"""Section 3.3: finds the structure of a baseline in its bytes, without a schema."""

from basics import u32
from recognition import OverBudget, Recognition
from structure import (DATA, MOST_TYPES_AND_VTABLES, OTHER, PENDING, REFERENCES, SCALAR, STRING, TABLE,
                       TABLE_REFERENCES, UNDECIDED, VTABLES, Object, Slot, Structure, Type, count_types_and_vtables,
                       find_stride)


def find_structure(data):
    try:
        discovery = Discovery(data)
        discovery.discover()
    except OverBudget:
        discovery = Discovery(data)
    return discovery.structure()


class Discovery(Recognition):
    """Claims starts for types; nothing but type 0 at first."""

    def __init__(self, data):
        super().__init__(data)
        self.types = []
        self.owner = {}  # start -> type
        self.covered = bytearray(self.n // 4 + 1)
        self.table_vtables = {}  # start -> vtable
        self.queue = []
        self.claim(0, self.make_type(OTHER), 4)
        self.make_type(VTABLES)

    def discover(self):
        root = u32(self.data, 0) if self.n >= 8 else 0
        if root < 4 or not self.is_table(root):
            raise OverBudget
        self.claim_table(root, Slot())
        while self.queue:
            self.look_at_tables(self.queue.pop(0))
        self.try_candidates()
        if count_types_and_vtables(self.types) > MOST_TYPES_AND_VTABLES:
            raise OverBudget

    # Claims.

    def make_type(self, kind):
        if kind not in (OTHER, VTABLES):
            self.charge(64)
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
            slot.type.add_vtable(vtable)
            self.charge(32)
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
            if not vtable.has(f):
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
        behind = []
        for f in range(max(len(v.entries) for v in type_.vtables)):
            field = type_.field(f)
            if field.kind in (SCALAR, PENDING):
                continue
            if field.kind == UNDECIDED:
                targets = self.decide(type_, f, field, tables)
                if field.kind == TABLE:
                    behind.append((field, targets))
                    continue
            else:
                targets = [q for q in self.lanes(type_, f, tables) if q is not None and self.passes(q, field.kind)]
            for q in targets:
                if field.kind == TABLE:
                    self.claim_table(q, field)
                else:
                    self.claim_references(q, field, field.kind)
        for field, targets in behind:
            for q in targets:
                self.claim_table(q, field)

    def decide(self, type_, f, field, tables):
        """Returns the targets to claim."""
        targets = []
        for q in self.lanes(type_, f, tables):
            if q is None:
                field.kind = SCALAR
                return []
            targets.append(q)
        if not targets:
            return []
        for kind in (*REFERENCES, TABLE):
            if all(self.passes(q, kind) for q in targets):
                if kind == TABLE or any(u32(self.data, q) for q in targets):
                    field.kind = kind
                    return targets
        field.kind = PENDING
        return []

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

    def structure(self):
        starts = sorted(self.owner)
        objects = []
        for start, end in zip(starts, starts[1:] + [self.n]):
            type_ = self.owner[start]
            vtable = self.vtables[start] if type_.kind == VTABLES else self.table_vtables.get(start)
            objects.append(Object(type_, start, end, vtable))
        structure = Structure(self.data, self.types, objects)
        for type_ in self.types:
            for vtable in type_.vtables:
                type_.number_columns(vtable)
            if type_.kind == DATA:
                self.describe_data(type_, [objects[i] for i in type_.objects])
        return structure

    def describe_data(self, type_, objects):
        type_.stride = find_stride([(u32(self.data, o.start), max(0, o.size - 4)) for o in objects])
        type_.is_aligned = type_.stride > 0 and type_.stride % 8 == 0 and all(o.start % 8 == 4 for o in objects)
        type_.is_whole = all(o.size <= 64 for o in objects) and not (type_.stride >= 8 and len(objects) < 8)
