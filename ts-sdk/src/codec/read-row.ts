// readRow: one row of which some entry is other than expected. Format: docs/WIRE_FORMAT.md section 3.5.
// C++: row_coder.h, code_row(), and value_coder.h.
//
// Where much changes most of the time of a patch is spent here, so readBit(), readNibble() and readRaw() of the decoder
// are written out, with its state at hand: a third less than with calls (npm run bench, chains c and c2).

import { kColumnValues } from "./columns.js";
import {
  type EntropyDecoder,
  findSymbol,
  kBitCells,
  kBitSteps,
  kGrown,
  kNibbleCells,
  kOne,
  kPosition,
  kSeen,
  kState,
  seenAfterGrown,
} from "./entropy-decoder.js";
import { kModels } from "./model-layout.js";
import { kBefore, kColumn, kMotionCells, kRow, kStep, type Motions } from "./motions.js";
import { kColumnOf, kEntryCells, kModelsOf, kOffset, kPlace, kWidth } from "./rows.js";
import type { TypeModel } from "./type-model.js";
import { addDelta, kGoesOn, kMostValueCells, kSizeOfValue, makeValue } from "./values.js";
import type { WriteLog } from "./write-log.js";

/**
 * Reads the row that was found last in `type.entries`, number `row`, whose motions are the cells [m, behind) of `motions`.
 * Its new motions are added to those of the next step. False: malformed.
 */
export function readRow(
  decoder: EntropyDecoder,
  type: TypeModel,
  motions: Motions,
  row: number,
  m: number,
  behind: number,
  view: DataView,
  log: WriteLog,
): boolean {
  const { nextMotions } = type;
  const { found, base } = type.entries;
  const entries = found.cells;
  const last = (found.count - 1) * kEntryCells;
  if (last < 0) return false;
  const orders = type.columns.order;
  const old = motions.cells;
  nextMotions.reserve(found.count);
  const next = nextMotions.cells;
  let to = nextMotions.count * kMotionCells;
  // Whatever is made meanwhile, the cells stay where they are.
  decoder.reserve(found.count * kMostValueCells);
  const { cells, input } = decoder;
  const steps = kBitSteps;
  const { size, details } = kModels;
  let state = cells[kState] as number;
  let position = cells[kPosition] as number;
  const { chunkShift } = log;
  let chunk = -1;
  let at = m;
  // Whether the column before changed, or this is the first; whether any did (2).
  let context = 1;
  for (let entry = 0; entry <= last; entry += kEntryCells) {
    const column = entries[entry + kColumnOf] as number;
    // Bits of a number of 32 that the entry does not have.
    const spare = 32 - 8 * (entries[entry + kWidth] as number);
    let bit = (entries[entry + kModelsOf] as number) + context * kBitCells;
    let value = (entries[entry + kModelsOf] as number) + kColumnValues;
    let delta = 0;
    let before = 0;
    while (at < behind && (old[at + kColumn] as number) < column) at += kMotionCells;
    if (at < behind && old[at + kColumn] === column) {
      before = old[at + kStep] as number;
      bit += 4 * kBitCells;
      const order = orders[entries[entry + kPlace] as number] as number;
      if (order !== 0) {
        value += 1;
        delta = order === kGoesOn ? before : ((before << 1) - (old[at + kBefore] as number)) | 0;
        delta = (delta << spare) >> spare;
      }
    }
    // All ones: it changed. A row without a change would not be told of, so the last may be sure to.
    let isChanged = -1;
    if (entry !== last || context > 1) {
      const slot = state & (kOne - 1);
      const no = cells[bit] as number;
      const seen = cells[bit + 1] as number;
      isChanged = (no - slot - 1) >> 31;
      const aim = kOne - 32 + ((64 - kOne) & isChanged);
      cells[bit] = no + (Math.imul(aim - no, steps[seen] as number) >> 16);
      cells[bit + 1] = seen + ((seen - 30) >>> 31);
      state = (Math.imul(no + ((kOne - 2 * no) & isChanged), state >>> 15) + slot - (no & isChanged)) | 0;
      if (state >>> 16 === 0 && position < input.length) {
        state = (state << 16) | (input[position] as number) | ((input[position + 1] as number) << 8);
        position += 2;
      }
    }
    if (isChanged !== 0) {
      let model = cells[value] as number;
      if (model === 0) model = makeValue(decoder, value);

      let nibble = cells[model + kSizeOfValue] as number;
      if (nibble === 0) nibble = decoder.inheritAt(model + kSizeOfValue, size);
      let slot = state & (kOne - 1);
      let symbol = findSymbol(cells, nibble, slot + 1);
      let low = cells[symbol] as number;
      state = (Math.imul((cells[symbol + 1] as number) - low, state >>> 15) + slot - low) | 0;
      if (state >>> 16 === 0 && position < input.length) {
        state = (state << 16) | (input[position] as number) | ((input[position + 1] as number) << 8);
        position += 2;
      }
      const high = symbol - nibble;
      let seen = cells[nibble + kSeen] as number;
      if (seen >= kGrown) cells[nibble + kSeen] = seenAfterGrown(seen);
      else decoder.learnWith(size, nibble, high);

      const parent = details + high * kNibbleCells;
      nibble = cells[model + high] as number;
      if (nibble === 0) nibble = decoder.inheritAt(model + high, parent);
      slot = state & (kOne - 1);
      symbol = findSymbol(cells, nibble, slot + 1);
      low = cells[symbol] as number;
      state = (Math.imul((cells[symbol + 1] as number) - low, state >>> 15) + slot - low) | 0;
      if (state >>> 16 === 0 && position < input.length) {
        state = (state << 16) | (input[position] as number) | ((input[position + 1] as number) << 8);
        position += 2;
      }
      const detail = symbol - nibble;
      seen = cells[nibble + kSeen] as number;
      if (seen >= kGrown) cells[nibble + kSeen] = seenAfterGrown(seen);
      else decoder.learnWith(parent, nibble, detail);

      let rest = ((high << 2) | (detail >> 1)) & 31;
      let magnitude = 1 << rest;
      let shift = 0;
      // At most 16 bits at a time.
      do {
        const n = rest > 16 ? 16 : rest;
        magnitude |= (state & ((1 << n) - 1)) << shift;
        state = (state >>> n) | 0;
        if (state >>> 16 === 0 && position < input.length) {
          state = (state << 16) | (input[position] as number) | ((input[position + 1] as number) << 8);
          position += 2;
        }
        shift += n;
        rest -= n;
      } while (rest > 0);
      const sign = -(detail & 1);
      delta = ((delta + (magnitude ^ sign) - sign) << spare) >> spare;
    }
    // A change is remembered until the end of the row.
    context = (context & 2) | (isChanged & 3);
    if (delta === 0) continue;
    next[to + kRow] = row;
    next[to + kColumn] = column;
    next[to + kStep] = delta;
    next[to + kBefore] = before;
    to += kMotionCells;
    const begin = base + (entries[entry + kOffset] as number);
    const lastByte = begin + (entries[entry + kWidth] as number) - 1;
    if (begin >>> chunkShift !== chunk || lastByte >>> chunkShift !== chunk) {
      log.touch(begin, lastByte + 1 - begin);
      chunk = begin >>> chunkShift;
    }
    if (spare === 0) view.setInt32(begin, (view.getInt32(begin, true) + delta) | 0, true);
    else addDelta(view, begin, lastByte + 1 - begin, delta);
  }
  nextMotions.count = to / kMotionCells;
  cells[kState] = state;
  cells[kPosition] = position;
  return true;
}
