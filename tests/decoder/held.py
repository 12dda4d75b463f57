"""Section 5: what a client names of the bytes it holds."""

import struct

MASK32 = (1 << 32) - 1


def resume_chunk_size(size):
    chunk = 256
    while chunk * 4096 < size:
        chunk *= 2
    return chunk


def rolling_fingerprint(chunk):
    a = b = 0
    # The sums of powers, from the first number on: each step multiplies all before by the factor once more.
    for (x,) in struct.iter_unpack("<I", chunk):
        y = (x ^ x >> 15) * 2246822507 & MASK32
        m = y ^ y >> 13
        a = a * 2654435761 + m & MASK32
        b = b * 2246822519 + m & MASK32
    return a.to_bytes(4, "little") + (b >> 16).to_bytes(2, "little")


def held_fingerprints(data):
    chunk = resume_chunk_size(len(data))
    whole = len(data) - len(data) % chunk
    return b"".join(rolling_fingerprint(data[at:at + chunk]) for at in range(0, whole, chunk))
