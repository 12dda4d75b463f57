"""Section 3.3, tests: what could be a vtable, table, string or references at a place, within a budget of work."""

from basics import u16, u32
from structure import TABLE, TABLE_REFERENCES, Vtable


class OverBudget(Exception):
    """The bytes cost too much to understand."""


class Recognition:
    def __init__(self, data):
        self.data = data
        self.n = len(data)
        self.budget = self.n + 4096
        self.vtables = {}
        self.good_references = set()

    def charge(self, work):
        self.budget -= work
        if self.budget < 0:
            raise OverBudget

    def target(self, p):
        if p + 4 > self.n:
            return None
        o = u32(self.data, p)
        return p + o if 4 <= o <= self.n - p - 4 and (p + o) % 4 == 0 else None

    def vtable_at(self, v):
        if v % 2 or v + 4 > self.n:
            return None
        if v not in self.vtables:
            self.vtables[v] = self.read_vtable(v)
        return self.vtables[v]

    def read_vtable(self, v):
        z, t = u16(self.data, v), u16(self.data, v + 2)
        if z < 4 or z % 2 or v + z > self.n or t < 4:
            return None
        entries = []
        for at in range(v + 4, v + z, 2):
            self.charge(1)
            entries.append(u16(self.data, at))
            if entries[-1] and not 4 <= entries[-1] < t:
                return None
        vtable = Vtable(t, entries, v)
        return vtable if vtable.is_valid else None

    def table_vtable(self, p):
        """The vtable of the table at p, or None."""
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
        return self.is_table(p) if kind == TABLE else self.is_references(p, kind)
