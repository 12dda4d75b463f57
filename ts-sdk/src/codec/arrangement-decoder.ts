// The steps that lead to an arrangement. Format: docs/WIRE_FORMAT.md section 3.4. C++: arrangement_coder.h.

import { type Arrangement, Overrides } from "./arrangement.js";
import type { EntropyDecoder } from "./entropy-decoder.js";
import { kNibbleCells, kNumberCells } from "./entropy-decoder.js";
import { Kind, kNone, readShape, type Shape, type Type } from "./structure.js";
import type { TextReader } from "./text-decoder.js";

const kMaxFields = 0x7ffd;

enum Step {
  /** The next objects of the baseline. */
  kRun = 0,
  /** Some from elsewhere; afterwards it goes on here. */
  kJump = 1,
  /** Objects that do not come next. */
  kSkip = 2,
  /** Objects like the last of their type, but new. */
  kFresh = 3,
  /** More of the last kJump or kFresh. */
  kContinue = 4,
  /** The object that follows has another length. */
  kResize = 5,
  /** The table that follows has another vtable than expected. */
  kReshape = 6,
  /** The object that follows has other padding behind it. */
  kPad = 7,
  /** Bytes like nothing in the baseline. */
  kRaw = 8,
}
const kSteps = 9;

export class ArrangementDecoder {
  readonly #decoder: EntropyDecoder;
  readonly #out: Arrangement;
  readonly #bytes: Uint8Array;
  readonly #characters: TextReader;
  readonly #overrides = new Overrides();
  /** [objects of the baseline] */
  readonly #used: Uint8Array;
  #cursor: number;
  /** The target is placed from here on. */
  #end: number;
  /** Next object of a jump or of what is fresh. */
  #from = kNone;
  /** [types] What was placed last; kNone: nothing. */
  readonly #lastSource: Int32Array;
  #nPlacedShapes = 0;
  #nShapeBytes = 0;
  #nAllSplices = 0;

  readonly #steps: number;
  readonly #counts: number;
  readonly #jump: number;
  readonly #jumpType: number;
  readonly #freshType: number;
  readonly #padding: number;
  readonly #length: number;
  readonly #reshapeType: number;
  readonly #whichShape: number;
  readonly #shapeEntry: number;
  readonly #nSplices: number;
  readonly #spliceNumbers: number;
  readonly #isData: number;

  /** `bytes`: the target. Raw bytes are written to it. */
  constructor(decoder: EntropyDecoder, arrangement: Arrangement, bytes: Uint8Array, characters: TextReader) {
    this.#decoder = decoder;
    this.#out = arrangement;
    this.#bytes = bytes;
    this.#characters = characters;
    this.#cursor = arrangement.base.typeOf.length;
    this.#used = new Uint8Array(this.#cursor);
    this.#end = arrangement.targetSize;
    this.#lastSource = new Int32Array(arrangement.types.length).fill(kNone);
    this.#steps = decoder.nibbles(kSteps);
    this.#counts = decoder.numbers(kSteps * kSteps);
    this.#jump = decoder.numbers(1);
    this.#jumpType = decoder.numbers(1);
    this.#freshType = decoder.numbers(1);
    this.#padding = decoder.numbers(1);
    this.#length = decoder.numbers(1);
    this.#reshapeType = decoder.numbers(1);
    this.#whichShape = decoder.numbers(1);
    this.#shapeEntry = decoder.numbers(1);
    this.#nSplices = decoder.numbers(1);
    this.#spliceNumbers = decoder.numbers(3);
    this.#isData = decoder.bits(1);
  }

  /** Everything from the end of the target to its start. False: malformed. */
  run(): boolean {
    const decoder = this.#decoder;
    const overrides = this.#overrides;
    let previous = 0;
    let last = Step.kRun;
    while (this.#end > 0) {
      const step: Step = decoder.nibble(this.#steps + previous * kNibbleCells);
      if (step >= kSteps) return false;
      const counts = this.#counts + (previous * kSteps + step) * kNumberCells;
      previous = step;
      switch (step) {
        case Step.kRun:
          last = step;
          if (!this.#run(decoder.number(counts) + 1)) return false;
          break;
        case Step.kJump:
        case Step.kFresh:
          last = step;
          if (!(step === Step.kJump ? this.#startJump() : this.#startFresh())) return false;
          if (!this.#continue(decoder.number(counts) + 1, step === Step.kFresh)) return false;
          break;
        case Step.kContinue:
          if (last === Step.kRun) return false;
          if (!this.#continue(decoder.number(counts) + 1, last === Step.kFresh)) return false;
          break;
        case Step.kSkip:
          for (let count = decoder.number(counts) + 1; count > 0; count -= 1) {
            this.#cursor = this.#nextInOrder();
            if (this.#cursor === kNone) return false;
          }
          break;
        case Step.kResize:
          if (overrides.resizes || !this.#resize()) return false;
          break;
        case Step.kReshape:
          if (overrides.reshapes || !this.#reshape()) return false;
          break;
        case Step.kPad:
          if (overrides.pads) return false;
          overrides.pads = true;
          overrides.padding = decoder.number(this.#padding);
          break;
        case Step.kRaw: {
          if (overrides.any) return false;
          const begin = this.#end - decoder.number(counts) - 1;
          if (begin < 0) return false;
          this.#characters.characters(this.#bytes, begin, this.#end, 0);
          this.#out.placeRaw(begin, this.#end);
          this.#end = begin;
          break;
        }
        default:
          step satisfies never;
      }
    }
    return !overrides.any;
  }

  // --- sources --------------------------------------------------------------------------------------------

  #run(count: number): boolean {
    for (let left = count; left > 0; left -= 1) {
      const source = this.#nextInOrder();
      if (source === kNone || !this.#put(source, false)) return false;
      this.#cursor = source;
    }
    return true;
  }
  #continue(count: number, isFresh: boolean): boolean {
    for (let left = count; left > 0; left -= 1) {
      if (this.#from === kNone || !this.#put(this.#from, isFresh)) return false;
      this.#from -= 1;
    }
    return true;
  }
  #startJump(): boolean {
    const type = this.#decoder.number(this.#jumpType);
    if (type >= this.#out.types.length) return false;
    const { objects } = this.#out.types[type] as Type;
    const code = this.#decoder.number(this.#jump);
    const rank = (this.#rankAtCursor(objects) - 1 - unzigzag(code)) >>> 0;
    if (rank >= objects.length) return false;
    this.#from = objects[rank] as number;
    return true;
  }
  /** What new objects of a type are like: the one placed last. */
  #startFresh(): boolean {
    const type = this.#decoder.number(this.#freshType);
    if (type >= this.#out.types.length) return false;
    const { objects } = this.#out.types[type] as Type;
    this.#from = this.#lastSource[type] as number;
    if (this.#from === kNone && objects.length > 0) this.#from = objects[objects.length - 1] as number;
    return this.#from !== kNone;
  }
  #nextInOrder(): number {
    let source = this.#cursor - 1;
    while (source >= 0 && this.#used[source] === 1) source -= 1;
    return source;
  }
  /** How many of these objects come before the cursor. */
  #rankAtCursor(objects: Int32Array): number {
    let low = 0;
    let high = objects.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((objects[middle] as number) < this.#cursor) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #put(source: number, isFresh: boolean): boolean {
    if (this.#end === 0 || (!isFresh && this.#used[source] === 1)) return false;
    const start = this.#out.place(source, isFresh, this.#overrides, this.#end);
    if (start < 0) return false;
    if (!isFresh) this.#used[source] = 1;
    this.#lastSource[this.#out.base.typeOf[source] as number] = source;
    this.#end = start;
    if (this.#overrides.any) this.#overrides.clear();
    return true;
  }

  // --- overrides ------------------------------------------------------------------------------------------

  #resize(): boolean {
    const decoder = this.#decoder;
    const overrides = this.#overrides;
    overrides.resizes = true;
    if (!decoder.bit(this.#isData)) {
      overrides.count = decoder.number(this.#length);
      return true;
    }
    const n = decoder.number(this.#nSplices);
    // Each is of use for at least one byte.
    if (n > this.#out.targetSize - this.#nAllSplices) return false;
    this.#nAllSplices += n;
    const splices: number[] = [];
    for (let i = 0; i < n; i += 1) {
      splices.push(decoder.number(this.#spliceNumbers));
      splices.push(decoder.number(this.#spliceNumbers + kNumberCells));
      splices.push(decoder.number(this.#spliceNumbers + 2 * kNumberCells));
    }
    overrides.splices = splices;
    return true;
  }

  #reshape(): boolean {
    const out = this.#out;
    const overrides = this.#overrides;
    overrides.reshapes = true;
    const typeIndex = this.#decoder.number(this.#reshapeType);
    if (typeIndex >= out.types.length) return false;
    const type = out.types[typeIndex] as Type;
    if (type.kind === Kind.kVTable) {
      // One of the new ones, which follow in their order.
      if (this.#nPlacedShapes >= out.freshShapes.length) return false;
      overrides.shape = out.freshShapes[this.#nPlacedShapes] as number;
      this.#nPlacedShapes += 1;
      return true;
    }
    const nKnown = type.shapes.length;
    if (nKnown === 0) return false;
    const which = this.#decoder.number(this.#whichShape);
    if (which > nKnown) return false;
    if (which < nKnown) {
      overrides.shape = type.shapes[which] as number;
      return true;
    }
    const shape = this.#newShape(out.shapes[type.shapes[0] as number] as Shape);
    if (shape === undefined) return false;
    overrides.shape = out.addShape(typeIndex, shape);
    return true;
  }

  /** A vtable, as it differs from the first of its type. Undefined: malformed. */
  #newShape(like: Shape): Shape | undefined {
    const nFields = (like.offsets.length + unzigzag(this.#decoder.number(this.#shapeEntry))) >>> 0;
    if (nFields > kMaxFields) return undefined;
    // Every new shape is of use for one vtable of its own and for at least one table of its size.
    this.#nShapeBytes += 4 + 2 * nFields;
    if (this.#nShapeBytes > 2 * this.#out.targetSize + 65536) return undefined;
    const vtable = new DataView(new ArrayBuffer(4 + 2 * nFields));
    vtable.setUint16(0, 4 + 2 * nFields, true);
    vtable.setUint16(2, like.tableSize + unzigzag(this.#decoder.number(this.#shapeEntry)), true);
    for (let i = 0; i < nFields; i += 1) {
      const offset = (like.offsets[i] ?? 0) + unzigzag(this.#decoder.number(this.#shapeEntry));
      vtable.setUint16(4 + 2 * i, offset, true);
    }
    const shape = readShape(vtable, 0, vtable.byteLength, { nRead: 0 });
    if (shape === undefined || shape.tableSize > this.#out.targetSize) return undefined;
    this.#nShapeBytes += shape.tableSize;
    return this.#nShapeBytes > 2 * this.#out.targetSize + 65536 ? undefined : shape;
  }
}

export function unzigzag(code: number): number {
  return (code >>> 1) ^ -(code & 1);
}
