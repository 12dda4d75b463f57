"""Section 3.5: corrects the baseline or the prediction where rows changed."""

from basics import put, require
from cells import entries, fresh_column, rows_of
from entropy import C, MOSTLY, SELDOM, Bit, Nibble, Number
from values import Count, Gaps, SharedModels, ValueModels, decode_value


class Column:
    """The models of a known column, and when it was active."""

    def __init__(self):
        self.was_active = 1
        self.order = 0
        self.changed = [Bit() for _ in range(8)]
        self.values = (ValueModels(), ValueModels())


class FreshColumn:
    def __init__(self):
        self.changed = Bit()
        self.values = ValueModels()


class RowModels:
    """What a context keeps for the rows of a type. `motions`: row -> column -> (step, before)."""

    def __init__(self):
        self.any = (Bit(SELDOM), Bit(MOSTLY))  # A
        self.last_any = 0
        self.has_new = Bit(SELDOM)  # NC
        self.again = Bit()  # AG
        self.count = Count()
        self.gaps = Gaps()
        self.columns = {}
        self.fresh_columns = {}
        self.motions = {}


class ColumnModels:
    """What a context keeps for the rows of all types."""

    def __init__(self):
        self.shared = SharedModels()
        self.known = 0  # columns, of all types
        self.active = (Bit(SELDOM), Bit(MOSTLY))  # AC
        self.order = [Nibble() for _ in range(3)]  # O
        self.how_many = Number()  # K
        self.column = Number(C)  # Q


class Rows:
    """The rows of one type."""

    def __init__(self, stream, models, type_models, out):
        self.stream = stream
        self.models = models
        self.own = type_models
        self.out = out

    def decode_any(self):
        self.own.last_any = self.stream.bit(self.own.any[self.own.last_any])
        return self.own.last_any

    def decode(self, objects):
        """Decodes the rows that were there before, and leaves their motions."""
        before, self.own.motions = self.own.motions, {}
        if not self.decode_any():
            return
        rows = rows_of(objects)
        active = self.decode_columns()
        told = self.own.count.decode(self.stream, self.models.shared) + (not before)
        require(told <= len(rows) - len(before), "more rows than there are")
        for row in self.rows_to_look_at(before, len(rows), told):
            motions = before.get(row, {})
            again = not motions or self.stream.bit(self.own.again)
            mine = [entry for entry in entries(*rows[row]) if entry[0] in active]
            if again:
                steps = self.decode_row(mine, motions)
            else:
                steps = [self.expected(column, motions) for column, _, _ in mine]
            self.move(row, mine, steps, motions)

    def decode_columns(self):
        """Returns the columns that are active."""
        own, models, stream = self.own, self.models, self.stream
        active = set()
        for number in sorted(own.columns):
            column = own.columns[number]
            column.was_active = stream.bit(models.active[column.was_active])
            if column.was_active:
                active.add(number)
                column.order = stream.nibble(models.order[column.order])
                require(column.order <= 2, "unknown order")
        if not own.columns or stream.bit(own.has_new):
            n = stream.number(models.how_many) + 1
            models.known += n
            require(models.known <= min(65536, len(self.out) // 3 + 64), "too many columns")
            number = -1
            for _ in range(n):
                number += 1 + stream.number(models.column)
                require(number < 1 << 30 and number not in own.columns, "no new column")
                own.columns[number] = Column()
                active.add(number)
        require(active, "no active column")
        return active

    def rows_to_look_at(self, motions, total, told):
        """The rows that have motions or are told, ascending."""
        row, left = 0, total - len(motions)
        for more in range(told, 0, -1):
            gap = self.own.gaps.decode(self.stream, left, more)
            left -= gap + 1
            while gap or row in motions:
                if row in motions:
                    yield row
                else:
                    gap -= 1
                row += 1
            yield row
            row += 1
        yield from (moved for moved in sorted(motions) if moved >= row)

    def decode_strings(self, objects):
        """Returns those that changed."""
        if not self.decode_any():
            return []
        told = self.own.count.decode(self.stream, self.models.shared) + 1
        require(told <= len(objects), "more strings than there are")
        return [objects[row] for row in self.rows_to_look_at({}, len(objects), told)]

    # One row.

    def expected(self, column, motions):
        step, before = motions.get(column, (0, 0))
        return (0, step, 2 * step - before)[self.own.columns[column].order]

    def decode_row(self, mine, motions):
        """By how much each entry changes."""
        require(mine, "a row without an active column")
        was, any_changed = 1, 0
        steps = []
        for i, (number, _, _) in enumerate(mine):
            column = self.own.columns[number]
            has_motion = number in motions
            if i == len(mine) - 1 and not any_changed:
                was = 1
            else:
                was = self.stream.bit(column.changed[was + 2 * any_changed + 4 * has_motion])
            steps.append(self.expected(number, motions))
            if was:
                any_changed = 1
                models = column.values[has_motion and column.order > 0]
                steps[-1] += decode_value(self.stream, self.models.shared, models)
        return steps

    def move(self, row, mine, steps, motions):
        for (column, at, width), step in zip(mine, steps):
            step = int.from_bytes((step % (1 << 8 * width)).to_bytes(width, "little"), "little", signed=True)
            if step:
                self.add(at, width, step)
                before = motions[column][0] if column in motions else 0
                self.own.motions.setdefault(row, {})[column] = (step, before)

    def add(self, at, width, step):
        put(self.out, at, int.from_bytes(self.out[at:at + width], "little") + step, width)

    def decode_fresh(self, objects):
        for o, k in rows_of(objects):
            for column, at, width in entries(o, k):
                models = self.own.fresh_columns.setdefault(fresh_column(o.type, column), FreshColumn())
                if self.stream.bit(models.changed):
                    self.add(at, width, decode_value(self.stream, self.models.shared, models.values))
