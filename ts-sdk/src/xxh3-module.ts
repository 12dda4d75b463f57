// A WebAssembly module that computes XXH3-64 of many inputs in one call; crossing over for each costs more than the hash.
// The algorithm: "XXH3 algorithm overview" in xxHash's doc/xxhash_spec.md, with seed 0.

/** The default secret of XXH3. */
const kSecret =
  "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b808" +
  "4674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763f" +
  "e39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0" +
  "da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e";

const kPrime32_1 = 0x9e3779b1n;
const kPrime32_2 = 0x85ebca77n;
const kPrime32_3 = 0xc2b2ae3dn;
const kPrime64_1 = 0x9e3779b185ebca87n;
const kPrime64_2 = 0xc2b2ae3d27d4eb4fn;
const kPrime64_3 = 0x165667b19e3779f9n;
const kPrime64_4 = 0x85ebca77c2b2ae63n;
const kPrime64_5 = 0x27d4eb2f165667c5n;
const kMixer = 0x165667919e3779f9n;
const kMixer2 = 0x9fb21c651e98df25n;
const kStart = [
  kPrime32_3,
  kPrime64_1,
  kPrime64_2,
  kPrime64_3,
  kPrime64_4,
  kPrime32_2,
  kPrime64_5,
  kPrime32_1,
];

/** Where in the module's memory things are: the secret, the hashes, the inputs. */
const kSecretAt = 0;
export const kHashesAt = 512;
export const kChunksAt = 1024;
/** Hashes of 8 bytes that there is room for. */
export const kMostHashes = 64;
/** Bytes of inputs that there is room for; more where the memory has grown. */
export const kChunkRoom = 5 * 65536 - kChunksAt;
const kPages = 5;

type Code = readonly number[];

// --- the encoding of WebAssembly: https://webassembly.github.io/spec/core/binary/ ---------------------------------

const kI32 = 0x7f;
const kI64 = 0x7e;

function signed(value: bigint): Code {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    const byte = Number(rest & 0x7fn);
    const isLast = (rest >> 7n === 0n && byte < 0x40) || (rest >> 7n === -1n && byte >= 0x40);
    bytes.push(isLast ? byte : byte | 0x80);
    if (isLast) return bytes;
  }
}
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}
const vector = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
const sized = (code: Code): Code => [...unsigned(code.length), ...code];
const section = (id: number, items: readonly Code[]): Code => [id, ...sized(vector(items))];
const name = (text: string): Code => sized(Array.from(text, (c) => c.charCodeAt(0)));

const get = (local: number): Code => [0x20, ...unsigned(local)];
const set = (local: number): Code => [0x21, ...unsigned(local)];
const i32 = (value: number): Code => [0x41, ...signed(BigInt(value))];
const i64 = (value: bigint): Code => [0x42, ...signed(BigInt.asIntN(64, value))];
const load = (address: Code, offset: number): Code => [...address, 0x29, 0, ...unsigned(offset)];
const load32 = (address: Code, offset: number): Code => [...address, 0x35, 0, ...unsigned(offset)];
const load8 = (address: Code): Code => [...address, 0x2d, 0, 0];
const store = (address: Code, value: Code): Code => [...address, ...value, 0x37, 0, 0];
const loop = (body: Code): Code => [0x03, 0x40, ...body, 0x0b];
const block = (body: Code): Code => [0x02, 0x40, ...body, 0x0b];
const branch = (depth: number): Code => [0x0c, depth];
const branchIf = (condition: Code, depth: number): Code => [...condition, 0x0d, depth];
const when = (condition: Code, body: Code): Code => [...condition, 0x04, 0x40, ...body, 0x0b];
const whenElse = (condition: Code, body: Code, other: Code): Code => [
  ...condition,
  ...[0x04, 0x40],
  ...body,
  0x05,
  ...other,
  0x0b,
];
const giveBack = (value: Code): Code => [...value, 0x0f];
const call = (index: number): Code => [0x10, index];
const isZero = (value: Code): Code => [...value, 0x45];
const less = (a: Code, b: Code): Code => [...a, ...b, 0x49];
const add32 = (a: Code, b: Code): Code => [...a, ...b, 0x6a];
const sub32 = (a: Code, b: Code): Code => [...a, ...b, 0x6b];
const or32 = (a: Code, b: Code): Code => [...a, ...b, 0x72];
const shiftUp32 = (a: Code, n: number): Code => [...a, ...i32(n), 0x74];
const shiftDown32 = (a: Code, n: number): Code => [...a, ...i32(n), 0x76];
const widen = (a: Code): Code => [...a, 0xad];
const add = (a: Code, b: Code): Code => [...a, ...b, 0x7c];
const multiply = (a: Code, b: Code): Code => [...a, ...b, 0x7e];
const and = (a: Code, b: Code): Code => [...a, ...b, 0x83];
const or = (a: Code, b: Code): Code => [...a, ...b, 0x84];
const xor = (a: Code, b: Code): Code => [...a, ...b, 0x85];
const shiftUp = (a: Code, n: bigint): Code => [...a, ...i64(n), 0x86];
const shiftDown = (a: Code, n: bigint): Code => [...a, ...i64(n), 0x88];
const rotate = (a: Code, n: bigint): Code => [...a, ...i64(n), 0x89];
const low = (a: Code): Code => and(a, i64(0xffff_ffffn));
const high = (a: Code): Code => shiftDown(a, 32n);

/** `locals`: types of those behind the parameters. */
function body(locals: readonly number[], code: Code): Code {
  return sized([...vector(locals.map((type) => [1, type])), ...code, 0x0b]);
}

// --- the functions ------------------------------------------------------------------------------------------------

const kLanes = [0, 1, 2, 3, 4, 5, 6, 7];

/** fold(a, b): the 128 bits of the product, one half xor the other. */
function foldBody(): Code {
  const [a, b, ll, hl, cross] = [get(0), get(1), 2, 3, 4];
  return body(
    [kI64, kI64, kI64],
    [
      ...multiply(low(a), low(b)),
      ...set(ll),
      ...multiply(high(a), low(b)),
      ...set(hl),
      ...add(add(high(get(ll)), low(get(hl))), multiply(low(a), high(b))),
      ...set(cross),
      ...xor(
        add(add(high(get(hl)), high(get(cross))), multiply(high(a), high(b))),
        or(shiftUp(get(cross), 32n), low(get(ll))),
      ),
    ],
  );
}

/** The value in `local`, its bits mixed; `local` is written over. */
const avalanche = (local: number): Code => [
  ...multiply(xor(get(local), shiftDown(get(local), 37n)), i64(kMixer)),
  ...set(local),
  ...xor(get(local), high(get(local))),
];

/** mix(at, secret): of 16 bytes and as many of the secret. */
function mixBody(fold: number): Code {
  const [at, secret] = [0, 1];
  return body(
    [],
    [
      ...xor(load(get(at), 0), load(get(secret), 0)),
      ...xor(load(get(at), 8), load(get(secret), 8)),
      ...call(fold),
    ],
  );
}

/** hashTiny(at, size): of at most 16 bytes. */
function hashTinyBody(fold: number): Code {
  const [at, size, value, low64, high64] = [0, 1, 2, 3, 4];
  const secret = (a: number, b: number) => xor(load(i32(kSecretAt), a), load(i32(kSecretAt), b));
  const lastBytes = (n: number) => sub32(add32(get(at), get(size)), i32(n));
  const swapParts = (mask: bigint, n: bigint): Code => [
    ...or(shiftUp(and(get(value), i64(mask)), n), and(shiftDown(get(value), n), i64(mask))),
    ...set(value),
  ];
  const above8: Code = [
    ...xor(load(get(at), 0), secret(24, 32)),
    ...set(low64),
    ...xor(load(lastBytes(8), 0), secret(40, 48)),
    ...set(high64),
    ...rotate(get(low64), 32n),
    ...set(value),
    ...swapParts(0x0000_ffff_0000_ffffn, 16n),
    ...swapParts(0x00ff_00ff_00ff_00ffn, 8n),
    ...add(
      add(get(value), widen(get(size))),
      add(get(high64), [...get(low64), ...get(high64), ...call(fold)]),
    ),
    ...set(value),
    ...giveBack(avalanche(value)),
  ];
  const above3: Code = [
    ...xor(add(load32(lastBytes(4), 0), shiftUp(load32(get(at), 0), 32n)), secret(8, 16)),
    ...set(value),
    ...multiply(xor(get(value), xor(rotate(get(value), 49n), rotate(get(value), 24n))), i64(kMixer2)),
    ...set(value),
    ...multiply(xor(get(value), add(shiftDown(get(value), 35n), widen(get(size)))), i64(kMixer2)),
    ...set(value),
    ...giveBack(xor(get(value), shiftDown(get(value), 28n))),
  ];
  const upTo3: Code = [
    ...or32(
      or32(shiftUp32(load8(get(at)), 16), shiftUp32(load8(add32(get(at), shiftDown32(get(size), 1))), 24)),
      or32(load8(lastBytes(1)), shiftUp32(get(size), 8)),
    ),
    0xad,
    ...xor(load32(i32(kSecretAt), 0), load32(i32(kSecretAt), 4)),
    0x85,
    ...set(value),
  ];
  return body(
    [kI64, kI64, kI64],
    [
      ...when(less(i32(8), get(size)), above8),
      ...when(less(i32(3), get(size)), above3),
      ...secret(56, 64),
      ...set(value),
      ...when(get(size), upTo3),
      ...multiply(xor(get(value), shiftDown(get(value), 33n)), i64(kPrime64_2)),
      ...set(value),
      ...multiply(xor(get(value), shiftDown(get(value), 29n)), i64(kPrime64_3)),
      ...set(value),
      ...xor(get(value), high(get(value))),
    ],
  );
}

/** hashShort(at, size): of 17 to 240 bytes. */
function hashShortBody(mix: number): Code {
  const [at, size, from, last, secret, value] = [0, 1, 2, 3, 4, 5];
  const addMix = (input: number, key: Code): Code => [
    ...add(get(value), [...get(input), ...key, ...call(mix)]),
    ...set(value),
  ];
  const move = (local: number, n: number): Code => [...add32(get(local), i32(n)), ...set(local)];
  /** Pairs, from the outside in. */
  const upTo128 = loop([
    ...addMix(from, get(secret)),
    ...addMix(last, add32(get(secret), i32(16))),
    ...move(from, 16),
    ...move(last, -16),
    ...move(secret, 32),
    ...branchIf(less(get(secret), add32(get(size), i32(kSecretAt))), 0),
  ]);
  const above128 = [
    ...loop([
      ...addMix(from, get(secret)),
      ...move(from, 16),
      ...move(secret, 16),
      ...branchIf(less(get(secret), i32(kSecretAt + 128)), 0),
    ]),
    ...avalanche(value),
    ...set(value),
    ...i32(kSecretAt + 3),
    ...set(secret),
    ...block(
      loop([
        ...branchIf(less(get(last), get(from)), 1),
        ...addMix(from, get(secret)),
        ...move(from, 16),
        ...move(secret, 16),
        ...branch(0),
      ]),
    ),
    ...addMix(last, i32(kSecretAt + 119)),
  ];
  return body(
    [kI32, kI32, kI32, kI64],
    [
      ...get(at),
      ...set(from),
      ...sub32(add32(get(at), get(size)), i32(16)),
      ...set(last),
      ...i32(kSecretAt),
      ...set(secret),
      ...multiply(widen(get(size)), i64(kPrime64_1)),
      ...set(value),
      ...whenElse(less(i32(128), get(size)), above128, upTo128),
      ...avalanche(value),
    ],
  );
}

/** hashLong(at, size): of more than 240 bytes. */
function hashLongBody(fold: number): Code {
  const [at, size, left, secret, last, value, key] = [0, 1, 2, 3, 4, 5, 6];
  const lane = (i: number) => 7 + i;
  const stripe = (from: Code, secretFrom: Code, secretOffset: number): Code =>
    kLanes.flatMap((i) => [
      ...load(from, 8 * i),
      ...set(value),
      ...xor(get(value), load(secretFrom, secretOffset + 8 * i)),
      ...set(key),
      ...add(get(lane(i)), multiply(low(get(key)), high(get(key)))),
      ...set(lane(i)),
      ...add(get(lane(i ^ 1)), get(value)),
      ...set(lane(i ^ 1)),
    ]);
  const scramble = kLanes.flatMap((i) => [
    ...xor(xor(get(lane(i)), shiftDown(get(lane(i)), 47n)), load(i32(kSecretAt), 128 + 8 * i)),
    ...set(lane(i)),
    ...multiply(get(lane(i)), i64(kPrime32_1)),
    ...set(lane(i)),
  ]);
  const blocks = loop([
    ...i32(kSecretAt),
    ...set(secret),
    ...loop([
      ...branchIf(isZero(get(left)), 2),
      ...stripe(get(at), get(secret), 0),
      ...add32(get(at), i32(64)),
      ...set(at),
      ...add32(get(secret), i32(8)),
      ...set(secret),
      ...sub32(get(left), i32(1)),
      ...set(left),
      ...branchIf(less(get(secret), i32(kSecretAt + 128)), 0),
    ]),
    ...scramble,
    ...branch(0),
  ]);
  const merged = [0, 1, 2, 3].reduce<Code>(
    (sum, i) =>
      add(sum, [
        ...xor(get(lane(2 * i)), load(i32(kSecretAt), 11 + 16 * i)),
        ...xor(get(lane(2 * i + 1)), load(i32(kSecretAt), 19 + 16 * i)),
        ...call(fold),
      ]),
    multiply(widen(get(size)), i64(kPrime64_1)),
  );
  return body(
    [kI32, kI32, kI32, kI64, kI64, ...kLanes.map(() => kI64)],
    [
      ...kLanes.flatMap((i) => [...i64(kStart[i] ?? 0n), ...set(lane(i))]),
      ...sub32(add32(get(at), get(size)), i32(64)),
      ...set(last),
      ...shiftDown32(sub32(get(size), i32(1)), 6),
      ...set(left),
      ...block(blocks),
      ...stripe(get(last), i32(kSecretAt), 121),
      ...merged,
      ...set(value),
      ...avalanche(value),
    ],
  );
}

/** hashAll(count, size): of `count` > 0 inputs of `size` bytes each, side by side at kChunksAt, to kHashesAt. */
function hashAllBody(hashTiny: number, hashShort: number, hashLong: number): Code {
  const [count, size, at, out] = [0, 1, 2, 3];
  const each = (hash: number): Code => [
    ...loop([
      ...store(get(out), [...get(at), ...get(size), ...call(hash)]),
      ...add32(get(at), get(size)),
      ...set(at),
      ...add32(get(out), i32(8)),
      ...set(out),
      ...sub32(get(count), i32(1)),
      ...set(count),
      ...branchIf(get(count), 0),
    ]),
  ];
  return body(
    [kI32, kI32],
    [
      ...i32(kChunksAt),
      ...set(at),
      ...i32(kHashesAt),
      ...set(out),
      ...whenElse(
        less(i32(240), get(size)),
        each(hashLong),
        whenElse(less(i32(16), get(size)), each(hashShort), each(hashTiny)),
      ),
    ],
  );
}

/** The module: it exports `memory` and `hashAll`. */
export function makeXxh3Module(): Uint8Array {
  const [fold, mix, hashTiny, hashShort, hashLong, hashAll] = [0, 1, 2, 3, 4, 5];
  const [twoNumbers, twoPlaces, count] = [0, 1, 2];
  const types = [
    [0x60, 2, kI64, kI64, 1, kI64],
    [0x60, 2, kI32, kI32, 1, kI64],
    [0x60, 2, kI32, kI32, 0],
  ];
  const secret = Array.from({ length: kSecret.length / 2 }, (_, i) =>
    Number.parseInt(kSecret.slice(2 * i, 2 * i + 2), 16),
  );
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, types),
    ...section(3, [[twoNumbers], [twoPlaces], [twoPlaces], [twoPlaces], [twoPlaces], [count]]),
    ...section(5, [[0, kPages]]),
    ...section(7, [
      [...name("memory"), 2, 0],
      [...name("hashAll"), 0, hashAll],
    ]),
    ...section(10, [
      foldBody(),
      mixBody(fold),
      hashTinyBody(fold),
      hashShortBody(mix),
      hashLongBody(fold),
      hashAllBody(hashTiny, hashShort, hashLong),
    ]),
    ...section(11, [[0, ...i32(kSecretAt), 0x0b, ...sized(secret)]]),
  ]);
}
