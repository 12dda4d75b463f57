"""Section 3.3, rows and columns: how many rows an object has, and the entries of each."""

from structure import DATA, FIRST_COLUMN_BEHIND, OTHER, TABLE, VTABLES

LAST_FRESH_COLUMN_OF_TABLES = FIRST_COLUMN_BEHIND + 15
LAST_FRESH_COLUMN_OF_WHOLE = 15


def row_width(type_):
    return type_.stride if type_.kind == DATA and type_.stride >= 8 else 32


def row_count(o):
    if o.type.has_one_row():
        return 1
    width = row_width(o.type)
    if o.type.kind in (OTHER, VTABLES):
        return -(-o.size // width)
    return 1 + -(-max(0, o.size - 4) // width)


def rows_of(objects):
    """(object, number of the row in it) of each row."""
    return [(o, k) for o in objects for k in range(row_count(o))]


def entries(o, k):
    """The entries (column, position, width) of row k."""
    if o.type.kind == TABLE:
        return table_entries(o)
    width, column = row_width(o.type), 0
    if o.type.is_whole:
        start, end = o.start, o.end
    elif o.type.kind in (OTHER, VTABLES):
        start, end = o.start + k * width, o.start + (k + 1) * width
    elif k == 0:
        start, end = o.start, o.start + 4
    else:
        start, end, column = o.start + 4 + (k - 1) * width, o.start + 4 + k * width, 1
    end = min(end, o.end)
    return [(column + (at - start) // 4, at, min(4, end - at)) for at in range(start, end, 4)]


def table_entries(o):
    t = o.vtable.t
    behind = [(FIRST_COLUMN_BEHIND + (at - t) // 4, at, 4) for at in range(t, o.size, 4)]
    return [(column, o.start + at, min(width, o.size - at))
            for column, at, width in o.vtable.layout + behind if at < o.size]


def fresh_column(type_, column):
    """The column whose models this one has among fresh rows."""
    if type_.kind == TABLE:
        return min(column, LAST_FRESH_COLUMN_OF_TABLES)
    return min(column, LAST_FRESH_COLUMN_OF_WHOLE) if type_.is_whole else column
