"""Sections 3.2 and 3.6: the stream, its models and the weights some of them begin with."""

from bisect import bisect_right

from basics import require, u16, unzigzag

A = (60, 8, 6, 6, 5, 4, 3, 2) + (1,) * 8
C = (40, 20, 15, 10, 8, 4, 2) + (1,) * 9
D = (178, 147, 121, 99, 82, 67, 55, 45, 37, 31, 25, 21, 17, 14, 12, 60)
E = (30, 25, 20, 12, 12, 10, 6, 4) + (0,) * 8
F = (1,) * 8 + (0,) * 8
EVEN = 16384
SELDOM = 28672
MOSTLY = 4096


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
        """What another model begins with."""
        model = Nibble()
        model.low = list(self.low)
        model.seen = min(self.seen, 1)
        return model

    def learn(self, s):
        if self.seen >= 15:
            self.seen = 14 if self.seen == 21 else self.seen + 1
            return
        step = 65536 // (2 * self.seen + 5)
        low = self.low
        for i in range(1, 16):
            aim = 4 * i if i <= s else 32768 - 4 * (16 - i)
            low[i] += (aim - low[i]) * step >> 16
        self.seen += 1


class Bit:
    """An adaptive model of a bit."""

    def __init__(self, no=EVEN):
        self.no = no
        self.seen = 0

    def learn(self, bit):
        step = 131072 // (2 * self.seen + 5)
        self.no += ((32 if bit else 32736) - self.no) * step >> 16
        self.seen = min(30, self.seen + 1)


class Number:
    """An adaptive model of numbers; the weights are those of its first nibble."""

    def __init__(self, weights=None):
        self.first = Nibble(weights)
        self.second = Nibble()


class Characters:
    """The models of characters: Z1 and Z2."""

    def __init__(self):
        self.upper = [Nibble() for _ in range(16)]
        self.lower = [Nibble() for _ in range(16)]


class Stream:
    """The state of the rANS decoder, and what it reads."""

    def __init__(self, data):
        size = len(data)
        k = size if size <= 2 else 4 - size % 2
        require(size == 0 or data[0], "stream starts with a zero byte")
        self.x = int.from_bytes(data[:k], "big")
        self.words = [u16(data, at) for at in range(k, size, 2)]
        self.words.reverse()

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
        bit = int(slot >= model.no)
        if bit:
            self.x = (32768 - model.no) * (self.x >> 15) + slot - model.no
        else:
            self.x = model.no * (self.x >> 15) + slot
        self.refill()
        model.learn(bit)
        return bit

    def number(self, model):
        n = self.nibble(model.first)
        if n == 15:
            n += self.nibble(model.second)
        return (1 << n) + self.raw(n) - 1

    def step(self, model):
        return unzigzag(self.number(model))

    def characters(self, models, n, before=0):
        """n bytes, the first of them after the byte `before`."""
        text = bytearray()
        for _ in range(n):
            h = self.nibble(models.upper[before >> 4])
            before = 16 * h + self.nibble(models.lower[h])
            text.append(before)
        return text

    def finish(self):
        require(self.x == 0 and not self.words, "something left in the stream")
