"""Section 4: fingerprints and the digest. XXH3-64 without a seed is written from the specification of xxHash."""

from basics import u32, u64

MASK = (1 << 64) - 1
PRIME32 = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
PRIME64 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb"
    "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e")


def avalanche(h):
    h = (h ^ h >> 37) * 0x165667919E3779F9 & MASK
    return h ^ h >> 32


def avalanche_short(h):
    h = (h ^ h >> 33) * PRIME64[1] & MASK
    h = (h ^ h >> 29) * PRIME64[2] & MASK
    return h ^ h >> 32


def rotated(h, n):
    return (h << n | h >> 64 - n) & MASK


def reversed_bytes(h):
    return int.from_bytes(h.to_bytes(8, "little"), "big")


def folded(a, b):
    """The halves of the 128-bit product, exclusive or."""
    return (a * b ^ a * b >> 64) & MASK


def mixed(data, at, secret_at):
    return folded(u64(data, at) ^ u64(SECRET, secret_at), u64(data, at + 8) ^ u64(SECRET, secret_at + 8))


def xxh3_to_16(data):
    n = len(data)
    if n == 0:
        return avalanche_short(u64(SECRET, 56) ^ u64(SECRET, 64))
    if n < 4:
        combined = data[0] << 16 | data[n >> 1] << 24 | data[-1] | n << 8
        return avalanche_short(combined ^ u32(SECRET, 0) ^ u32(SECRET, 4))
    if n <= 8:
        h = u32(data, n - 4) + (u32(data, 0) << 32) ^ u64(SECRET, 8) ^ u64(SECRET, 16)
        h = (h ^ rotated(h, 49) ^ rotated(h, 24)) * 0x9FB21C651E98DF25 & MASK
        h = (h ^ (h >> 35) + n) * 0x9FB21C651E98DF25 & MASK
        return h ^ h >> 28
    low = u64(data, 0) ^ u64(SECRET, 24) ^ u64(SECRET, 32)
    high = u64(data, n - 8) ^ u64(SECRET, 40) ^ u64(SECRET, 48)
    return avalanche((n + reversed_bytes(low) + high + folded(low, high)) & MASK)


def xxh3_to_240(data):
    n = len(data)
    h = n * PRIME64[0]
    if n <= 128:
        for i in range((n - 1) // 32 + 1):
            h += mixed(data, 16 * i, 32 * i) + mixed(data, n - 16 - 16 * i, 32 * i + 16)
        return avalanche(h & MASK)
    h = avalanche((h + sum(mixed(data, 16 * i, 16 * i) for i in range(8))) & MASK)
    h += sum(mixed(data, 16 * i, 16 * (i - 8) + 3) for i in range(8, n // 16))
    return avalanche((h + mixed(data, n - 16, 119)) & MASK)


def accumulate(lanes, data, at, secret_at):
    for i in range(8):
        value = u64(data, at + 8 * i)
        key = value ^ u64(SECRET, secret_at + 8 * i)
        lanes[i ^ 1] = (lanes[i ^ 1] + value) & MASK
        lanes[i] = (lanes[i] + (key & 0xFFFFFFFF) * (key >> 32)) & MASK


def xxh3_long(data):
    n = len(data)
    lanes = [PRIME32[2], *PRIME64[:4], PRIME32[1], PRIME64[4], PRIME32[0]]
    for stripe in range((n - 1) // 64):
        accumulate(lanes, data, 64 * stripe, 8 * (stripe % 16))
        if stripe % 16 == 15:
            lanes = [(h ^ h >> 47 ^ u64(SECRET, 128 + 8 * i)) * PRIME32[0] & MASK for i, h in enumerate(lanes)]
    accumulate(lanes, data, n - 64, 121)
    pairs = (folded(lanes[i] ^ u64(SECRET, 11 + 8 * i), lanes[i + 1] ^ u64(SECRET, 19 + 8 * i)) for i in (0, 2, 4, 6))
    return avalanche((n * PRIME64[0] + sum(pairs)) & MASK)


def xxh3(data):
    if len(data) <= 16:
        return xxh3_to_16(data)
    return xxh3_to_240(data) if len(data) <= 240 else xxh3_long(data)


def chunk_size(size):
    chunk = 1024
    while chunk * 16384 < size:
        chunk *= 2
    return chunk


def digest(data):
    chunk = chunk_size(len(data))
    fingerprints = [xxh3(data[at:at + chunk]) for at in range(0, len(data), chunk)]
    groups = (fingerprints[at:at + 64] for at in range(0, len(fingerprints), 64))
    hashes = [xxh3(b"".join(f.to_bytes(8, "little") for f in group)) for group in groups]
    return xxh3(b"".join(value.to_bytes(8, "little") for value in (len(data), *hashes)))
