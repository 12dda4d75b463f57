"""Section 3.5, strings: the texts that changed, and those of fresh objects."""

from basics import require
from entropy import Bit, Number


class TextModels:
    """What a context keeps for texts."""

    def __init__(self, characters):
        self.characters = characters
        self.is_whole = Bit()  # X
        self.length, self.prefix, self.suffix = Number(), Number(), Number()  # V, Y1, Y2


def decode_text(stream, models, o, source, predicted):
    """The bytes of string o, from the text it had and the length expected of it now."""
    if stream.bit(models.is_whole):
        return stream.characters(models.characters, o.size)
    length = predicted + stream.step(models.length)
    require(0 <= length <= o.size - 5, "text does not fit")
    shorter = min(length, len(source))
    prefix = stream.number(models.prefix)
    require(prefix <= shorter, "prefix too long")
    suffix = stream.number(models.suffix)
    require(suffix <= shorter - prefix, "suffix too long")
    before = source[prefix - 1] if prefix else 0
    middle = stream.characters(models.characters, length - prefix - suffix, before)
    text = source[:prefix] + middle + source[len(source) - suffix:]
    return (length.to_bytes(4, "little") + text).ljust(o.size, b"\0")
