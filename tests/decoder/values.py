"""Section 3.5: the models of values, counts and gaps."""

from basics import require
from entropy import A, D, E, F, Nibble, Number


class SharedModels:
    """The models of all columns and of all types' counts: others begin as copies of them."""

    def __init__(self):
        self.size = Nibble(E)
        self.details = [Nibble(F) for _ in range(16)]
        self.count = Nibble(A)  # NA


class ValueModels:
    def __init__(self):
        self.size = None
        self.details = [None] * 16


def decode_value(stream, shared, models):
    if models.size is None:
        models.size = shared.size.copy()
    a = decode_shared(stream, models.size, shared.size)
    if models.details[a] is None:
        models.details[a] = shared.details[a].copy()
    b = decode_shared(stream, models.details[a], shared.details[a])
    length = (4 * a | b // 2) % 32
    m = (1 << length) + stream.raw(length)
    return -m if b % 2 else m


def decode_shared(stream, own, shared):
    """A nibble by its own model; the shared one learns it while the own one has seen little."""
    is_young = own.seen < 14
    s = stream.nibble(own)
    if is_young:
        shared.learn(s)
    return s


class Count:
    """N: how many rows of a type changed."""

    def __init__(self):
        self.model = None

    def decode(self, stream, shared):
        if self.model is None:
            self.model = Number()
            self.model.first = shared.count.copy()
        number = stream.number(self.model)
        shared.count.learn(min(15, (number + 1).bit_length() - 1))
        return number


class Gaps:
    def __init__(self):
        self.first = Nibble(D)  # G
        self.more = Number()  # H

    def decode(self, stream, left, more):
        """How many of `left` rows come before the first of the `more` that are told."""
        if left == more:
            return 0
        r = max(0, (left // more).bit_length() - 3)
        h = stream.nibble(self.first)
        if h == 15:
            h += stream.number(self.more)
        gap = (h << r) + stream.raw(r)
        require(gap <= left - more, "past the last row")
        return gap
