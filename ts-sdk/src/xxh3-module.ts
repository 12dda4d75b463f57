// A WebAssembly module that computes XXH3-64 of many chunks in one call; crossing over for each costs more than the hash.
// The algorithm: "XXH3 algorithm overview" in xxHash's doc/xxhash_spec.md, inputs above 240 bytes, seed 0.

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
/** Bytes of inputs that there is room for. */
export const kChunkRoom = 65536;
const kPages = 2;

/** The shortest input that the module can hash. */
export const kLeastBytes = 241;

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
const store = (address: Code, value: Code): Code => [...address, ...value, 0x37, 0, 0];
const loop = (body: Code): Code => [0x03, 0x40, ...body, 0x0b];
const block = (body: Code): Code => [0x02, 0x40, ...body, 0x0b];
const branch = (depth: number): Code => [0x0c, depth];
const branchIf = (condition: Code, depth: number): Code => [...condition, 0x0d, depth];
const call = (index: number): Code => [0x10, index];
const isZero = (value: Code): Code => [...value, 0x45];
const less = (a: Code, b: Code): Code => [...a, ...b, 0x49];
const add32 = (a: Code, b: Code): Code => [...a, ...b, 0x6a];
const sub32 = (a: Code, b: Code): Code => [...a, ...b, 0x6b];
const shiftDown32 = (a: Code, b: Code): Code => [...a, ...b, 0x76];
const widen = (a: Code): Code => [...a, 0xad];
const add = (a: Code, b: Code): Code => [...a, ...b, 0x7c];
const multiply = (a: Code, b: Code): Code => [...a, ...b, 0x7e];
const and = (a: Code, b: Code): Code => [...a, ...b, 0x83];
const or = (a: Code, b: Code): Code => [...a, ...b, 0x84];
const xor = (a: Code, b: Code): Code => [...a, ...b, 0x85];
const shiftUp = (a: Code, n: bigint): Code => [...a, ...i64(n), 0x86];
const shiftDown = (a: Code, n: bigint): Code => [...a, ...i64(n), 0x88];
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

/** hash(at, size, out): of the bytes at `at`, stored at `out`. */
function hashBody(fold: number): Code {
  const [at, size, out, left, secret, last, value, key] = [0, 1, 2, 3, 4, 5, 6, 7];
  const lane = (i: number) => 8 + i;
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
      ...shiftDown32(sub32(get(size), i32(1)), i32(6)),
      ...set(left),
      ...block(blocks),
      ...stripe(get(last), i32(kSecretAt), 121),
      ...merged,
      ...set(value),
      ...multiply(xor(get(value), shiftDown(get(value), 37n)), i64(0x165667919e3779f9n)),
      ...set(value),
      ...store(get(out), xor(get(value), high(get(value)))),
    ],
  );
}

/** hashAll(count, size): of `count` > 0 inputs of `size` bytes each, side by side at kChunksAt, to kHashesAt. */
function hashAllBody(hash: number): Code {
  const [count, size, at, out] = [0, 1, 2, 3];
  return body(
    [kI32, kI32],
    [
      ...i32(kChunksAt),
      ...set(at),
      ...i32(kHashesAt),
      ...set(out),
      ...loop([
        ...get(at),
        ...get(size),
        ...get(out),
        ...call(hash),
        ...add32(get(at), get(size)),
        ...set(at),
        ...add32(get(out), i32(8)),
        ...set(out),
        ...sub32(get(count), i32(1)),
        ...set(count),
        ...branchIf(get(count), 0),
      ]),
    ],
  );
}

/** The module: it exports `memory` and `hashAll`. */
export function makeXxh3Module(): Uint8Array {
  const [fold, hash, hashAll] = [0, 1, 2];
  const types = [
    [0x60, 2, kI64, kI64, 1, kI64],
    [0x60, 3, kI32, kI32, kI32, 0],
    [0x60, 2, kI32, kI32, 0],
  ];
  const secret = Array.from({ length: kSecret.length / 2 }, (_, i) =>
    Number.parseInt(kSecret.slice(2 * i, 2 * i + 2), 16),
  );
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, types),
    ...section(3, [[fold], [hash], [hashAll]]),
    ...section(5, [[1, kPages, kPages]]),
    ...section(7, [
      [...name("memory"), 2, 0],
      [...name("hashAll"), 0, hashAll],
    ]),
    ...section(10, [foldBody(), hashBody(fold), hashAllBody(hash)]),
    ...section(11, [[0, ...i32(kSecretAt), 0x0b, ...sized(secret)]]),
  ]);
}
