"""Section 3.1: kind 1, ops between any bytes; and the varint that every kind's header uses."""

from basics import Refused, require, u32, unzigzag

COPY, ADD, SEEK, LANES = range(4)


class Reader:
    """A cursor over the bytes of a patch."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def bytes(self, n):
        require(n <= len(self.data) - self.at, "cut short")
        self.at += n
        return self.data[self.at - n:self.at]

    def rest(self):
        return self.bytes(len(self.data) - self.at)

    def varint(self):
        value = 0
        for i in range(10):
            byte = self.bytes(1)[0]
            value |= (byte & 127) << 7 * i
            if byte < 128:
                require(byte or i == 0, "varint longer than needed")
                require(value < 1 << 64, "varint beyond 64 bits")
                return value
        raise Refused("kMalformed", "varint beyond ten bytes")


def decode_ops(reader, baseline, target_size):
    target = bytearray()
    cursor = 0
    before = None
    while reader.at < len(reader.data):
        v = reader.varint()
        op, n = v & 3, v >> 2
        require(n, "op of nothing")
        require(op not in (COPY, ADD) or op != before, "the same op again")
        require(before != SEEK or op in (COPY, LANES), "seek before neither copy nor lanes")
        size = 4 * n if op == LANES else n
        if op == SEEK:
            cursor += unzigzag(n)
            require(0 <= cursor <= len(baseline), "seek outside the baseline")
        else:
            require(size <= target_size - len(target), "past the target")
            require(op == ADD or size <= len(baseline) - cursor, "past the baseline")
        if op == ADD:
            target += reader.bytes(n)
        elif op == COPY:
            target += baseline[cursor:cursor + n]
        elif op == LANES:
            for at in range(cursor, cursor + size, 4):
                target += decode_lane(reader, u32(baseline, at))
        if op in (COPY, LANES):
            cursor += size
        before = op
    require(before != SEEK, "seek at the end")
    require(len(target) == target_size, "target not full")
    return bytes(target)


def decode_lane(reader, value):
    z = reader.varint()
    require(z < 1 << 32, "lane beyond 32 bits")
    return ((value + unzigzag(z)) % (1 << 32)).to_bytes(4, "little")
