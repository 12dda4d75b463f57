"""What every part uses: how a patch is refused, and little-endian numbers in bytes."""


class Refused(Exception):
    """The patch is in error: `error` is its name, the text says why."""

    def __init__(self, error, reason):
        super().__init__(f"{error}: {reason}")
        self.error = error


def require(condition, reason, error="kMalformed"):
    if not condition:
        raise Refused(error, reason)


def u16(data, at):
    return data[at] | data[at + 1] << 8


def u32(data, at):
    return int.from_bytes(data[at:at + 4], "little")


def u64(data, at):
    return int.from_bytes(data[at:at + 8], "little")


def put(out, at, value, width=4):
    """Writes the lowest `width` bytes of a value that may be negative."""
    out[at:at + width] = (value % (1 << 8 * width)).to_bytes(width, "little")


def unzigzag(z):
    return ~(z >> 1) if z & 1 else z >> 1
