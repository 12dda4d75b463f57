// The steps that lead to an arrangement. Format: docs/WIRE_FORMAT.md section 3.4. C++: arrangement_coder.h.

import type { Arrangement } from "./arrangement.js";
import type { EntropyDecoder } from "./entropy-decoder.js";
import { kNibbleCells, kNumberCells } from "./entropy-decoder.js";
import { countsOf, kModels, kSteps } from "./model-layout.js";
import type { Models } from "./models.js";
import { Overrides } from "./overrides.js";
import { Placer } from "./placer.js";
import { Kind, kNone, type Type } from "./schema.js";
import { readShape, type Shape } from "./shape.js";
import { lowerBound } from "./structure.js";
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

export class ArrangementDecoder {
  readonly #models: Models;
  readonly #decoder: EntropyDecoder;
  readonly #out: Arrangement;
  readonly #placer: Placer;
  readonly #bytes: Uint8Array;
  readonly #characters: TextReader;
  readonly #overrides = new Overrides();
  #cursor: number;
  /** Next object of a jump or of what is fresh. */
  #from = kNone;
  #nPlacedShapes = 0;
  /** How many more may be fresh, raw or splices. */
  #newLeft: number;

  /** `bytes`: the target. Raw bytes are written to it. */
  constructor(models: Models, arrangement: Arrangement, bytes: Uint8Array, characters: TextReader) {
    this.#models = models;
    this.#decoder = models.decoder;
    this.#out = arrangement;
    this.#placer = new Placer(arrangement);
    this.#bytes = bytes;
    this.#characters = characters;
    this.#cursor = arrangement.base.count;
    const sizes = arrangement.baseline.length + arrangement.targetSize;
    this.#newLeft = Math.floor(sizes / 16) + 1024;
  }

  /** Everything from the end of the target to its start. False: malformed. */
  run(): boolean {
    const decoder = this.#decoder;
    const overrides = this.#overrides;
    let previous = 0;
    let last = Step.kRun;
    const placer = this.#placer;
    while (placer.end > 0) {
      const step: Step = decoder.readNibble(kModels.steps + previous * kNibbleCells);
      if (step >= kSteps) return false;
      const counts = countsOf(previous, step);
      previous = step;
      switch (step) {
        case Step.kRun:
          last = step;
          if (!this.#run(decoder.readNumber(counts) + 1)) return false;
          break;
        case Step.kJump:
        case Step.kFresh:
          last = step;
          if (!(step === Step.kJump ? this.#startJump() : this.#startFresh())) return false;
          if (!this.#continue(decoder.readNumber(counts) + 1, step === Step.kFresh)) return false;
          break;
        case Step.kContinue:
          if (last === Step.kRun) return false;
          if (!this.#continue(decoder.readNumber(counts) + 1, last === Step.kFresh)) return false;
          break;
        case Step.kSkip:
          for (let count = decoder.readNumber(counts) + 1; count > 0; count -= 1) {
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
          overrides.padding = decoder.readNumber(kModels.padding);
          break;
        case Step.kRaw: {
          if (overrides.any) return false;
          const begin = placer.end - decoder.readNumber(counts) - 1;
          if (begin < 0 || begin % 2 !== 0 || !this.#mayBeNew(1)) return false;
          this.#characters.characters(this.#bytes, begin, placer.end, 0);
          placer.placeRaw(begin);
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
    for (let left = count; left > 0; ) {
      const source = this.#nextInOrder();
      if (source === kNone) return false;
      const n = this.#place(source, left, false);
      if (n === 0) return false;
      this.#cursor = source - n + 1;
      left -= n;
    }
    return true;
  }
  #continue(count: number, isFresh: boolean): boolean {
    for (let left = count; left > 0; ) {
      if (this.#from === kNone) return false;
      const n = this.#place(this.#from, left, isFresh);
      if (n === 0) return false;
      this.#from -= n;
      left -= n;
    }
    return true;
  }
  #startJump(): boolean {
    const { base } = this.#out;
    const type = this.#decoder.readNumber(kModels.jumpType);
    if (type >= base.schema.types.length) return false;
    const { members } = base.group(type);
    const code = this.#decoder.readNumber(kModels.jump);
    const rank = (lowerBound(members, this.#cursor) - 1 - unzigzag(code)) >>> 0;
    if (rank >= members.length) return false;
    this.#from = members[rank] as number;
    return true;
  }
  /** What new objects of a type are like: the one placed last. */
  #startFresh(): boolean {
    const { base, lastSource } = this.#out;
    const type = this.#decoder.readNumber(kModels.freshType);
    if (type >= base.schema.types.length) return false;
    const { members } = base.group(type);
    this.#from = lastSource[type] as number;
    if (this.#from === kNone && members.length > 0) this.#from = members[members.length - 1] as number;
    return this.#from !== kNone;
  }
  #nextInOrder(): number {
    let source = this.#cursor - 1;
    while (source >= 0 && this.#out.isUsed(source)) source -= 1;
    return source;
  }

  /** Places `source`, and as many of the `most` objects up to it as is known at once to fit. Returns how many. */
  #place(source: number, most: number, isFresh: boolean): number {
    const overrides = this.#overrides;
    const placer = this.#placer;
    if (placer.end === 0 || (isFresh ? !this.#mayBeNew(1) : this.#out.isUsed(source))) return 0;
    if (!isFresh && !overrides.any) {
      const n = placer.placeRun(source, most);
      if (n > 0) return n;
    }
    if (!placer.place(source, isFresh, overrides)) return 0;
    if (overrides.any) overrides.clear();
    return 1;
  }

  /**
   * Whether so many more may be fresh, raw or splices: what costs a receiver work for next to no bytes of a patch.
   */
  #mayBeNew(n: number): boolean {
    this.#newLeft -= n;
    return this.#newLeft >= 0;
  }

  // --- overrides ------------------------------------------------------------------------------------------

  #resize(): boolean {
    const decoder = this.#decoder;
    const overrides = this.#overrides;
    overrides.resizes = true;
    if (decoder.readBit(kModels.isData) === 0) {
      overrides.count = decoder.readNumber(kModels.length);
      return true;
    }
    overrides.isSpliced = true;
    const n = decoder.readNumber(kModels.nSplices);
    if (!this.#mayBeNew(n)) return false;
    const splices: number[] = [];
    for (let i = 0; i < n; i += 1) {
      splices.push(decoder.readNumber(kModels.spliceNumbers));
      splices.push(decoder.readNumber(kModels.spliceNumbers + kNumberCells));
      splices.push(decoder.readNumber(kModels.spliceNumbers + 2 * kNumberCells));
    }
    overrides.splices = splices;
    return true;
  }

  #reshape(): boolean {
    const out = this.#out;
    const overrides = this.#overrides;
    overrides.reshapes = true;
    const typeIndex = this.#decoder.readNumber(kModels.reshapeType);
    if (typeIndex >= out.schema.types.length) return false;
    const type = out.schema.types[typeIndex] as Type;
    if (type.kind === Kind.kVTable) {
      // One of the new ones, which follow in their order.
      overrides.shape = this.#placer.freshShape(this.#nPlacedShapes);
      this.#nPlacedShapes += 1;
      return overrides.shape !== kNone;
    }
    const nKnown = type.shapes.length;
    if (nKnown === 0) return false;
    const which = this.#decoder.readNumber(kModels.whichShape);
    if (which > nKnown) return false;
    if (which < nKnown) {
      overrides.shape = type.shapes[which] as number;
      return true;
    }
    const shape = this.#newShape(out.schema.shapes[type.shapes[0] as number] as Shape);
    if (shape === undefined || out.schema.isFull) return false;
    if (out.schema === out.base.schema) out.schema = out.schema.copy();
    overrides.shape = out.schema.addShape(shape, typeIndex);
    return true;
  }

  /** A vtable, as it differs from the first of its type. Undefined: malformed. */
  #newShape(like: Shape): Shape | undefined {
    const models = this.#models;
    const nFields = (like.offsets.length + unzigzag(this.#decoder.readNumber(kModels.shapeEntry))) >>> 0;
    if (nFields > kMaxFields) return undefined;
    // Every new shape is of use for one vtable of its own and for at least one table of its size; in all patches of a
    // context together.
    models.nShapeBytes += 4 + 2 * nFields;
    if (models.nShapeBytes > 2 * this.#out.targetSize + 65536) return undefined;
    const vtable = new DataView(new ArrayBuffer(4 + 2 * nFields));
    vtable.setUint16(0, 4 + 2 * nFields, true);
    vtable.setUint16(2, like.tableSize + unzigzag(this.#decoder.readNumber(kModels.shapeEntry)), true);
    for (let i = 0; i < nFields; i += 1) {
      const offset = (like.offsets[i] ?? 0) + unzigzag(this.#decoder.readNumber(kModels.shapeEntry));
      vtable.setUint16(4 + 2 * i, offset, true);
    }
    const shape = readShape(vtable, 0, vtable.byteLength, { nRead: 0 });
    if (shape === undefined || shape.tableSize > this.#out.targetSize) return undefined;
    models.nShapeBytes += shape.tableSize;
    return models.nShapeBytes > 2 * this.#out.targetSize + 65536 ? undefined : shape;
  }
}

export function unzigzag(code: number): number {
  return (code >>> 1) ^ -(code & 1);
}
