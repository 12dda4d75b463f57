// findStrings: which of the fields that could refer to a string or to a vector of data do, once all tables are known.
// C++: structure.cpp, decide_pending.

import type { Coverage } from "./coverage.js";
import { type FoundObjects, SmallestStride } from "./found-objects.js";
import { FieldKind, Kind, kNone } from "./schema.js";

interface Candidate {
  readonly type: number;
  readonly field: number;
  readonly targets: readonly number[];
  readonly isText: boolean;
  /** Few and without a mark of their own: only where nothing else is. */
  readonly isWeak: boolean;
}

/** `tablesOf`: [shapes] where their tables begin. */
export function findStrings(found: FoundObjects, covered: Coverage, tablesOf: readonly number[][]): void {
  const candidates: Candidate[] = [];
  const nTypes = found.types.length;
  for (let type = 0; type < nTypes; type += 1) {
    collectCandidates(found, type, tablesOf, candidates);
    if (found.workLeft < 0) return;
  }
  candidates.sort((a, b) => order(a) - order(b) || b.targets.length - a.targets.length);

  // Where the vectors of data of a field begin, field by field.
  const vectors: number[][] = [];
  let isCoveredByData = false;
  for (const candidate of candidates) {
    if (candidate.isWeak && !isCoveredByData) {
      isCoveredByData = true;
      for (const starts of vectors) coverVectors(found, covered, starts);
    }
    if (found.workLeft < 0) return;
    if (!fitAll(found, covered, candidate.targets)) continue;
    const { isText } = candidate;
    const child = found.newType(isText ? Kind.kText : Kind.kData);
    found.type(candidate.type).setField(candidate.field, isText ? FieldKind.kText : FieldKind.kData, child);
    const starts: number[] = [];
    for (const target of candidate.targets) {
      if (isText) {
        found.claimText(target, child, covered);
      } else if (!found.isClaimed(target)) {
        found.claim(target, child, kNone);
        covered.add(target, target + 4);
        starts.push(target);
      }
    }
    if (!isText) vectors.push(starts);
  }
}

const order = (candidate: Candidate) => (candidate.isWeak ? 2 : candidate.isText ? 0 : 1);

/** Adds the pending fields of a type that in none of its tables lead nowhere; all become scalars for now. */
function collectCandidates(
  found: FoundObjects,
  typeIndex: number,
  tablesOf: readonly number[][],
  out: Candidate[],
): void {
  const { fieldKinds, shapes } = found.type(typeIndex);
  if (!fieldKinds.includes(FieldKind.kPending)) return;
  /** [fields] */
  const targetsOf: number[][] = [];
  for (const index of shapes) {
    const shape = found.shape(index);
    const open = [...shape.present].filter((field) => fieldKinds[field] === FieldKind.kPending);
    if (open.length === 0) continue;
    for (const start of tablesOf[index] as number[]) {
      let nOpen = 0;
      for (const field of open) {
        if (fieldKinds[field] !== FieldKind.kPending) continue;
        found.workLeft -= 1;
        const position = start + (shape.offsets[field] as number);
        const isReference = (shape.widths[field] as number) >= 4 && position % 4 === 0;
        const target = isReference ? found.targetOf(position) : kNone;
        if (target === kNone) {
          fieldKinds[field] = FieldKind.kScalar;
          continue;
        }
        const targets = targetsOf[field];
        if (targets === undefined) targetsOf[field] = [target];
        else targets.push(target);
        open[nOpen] = field;
        nOpen += 1;
      }
      if (nOpen < open.length) open.length = nOpen;
      if (nOpen === 0 || found.workLeft < 0) break;
    }
  }
  for (let field = 0; field < fieldKinds.length; field += 1) {
    if (fieldKinds[field] !== FieldKind.kPending) continue;
    fieldKinds[field] = FieldKind.kScalar;
    const targets = targetsOf[field] ?? [];
    let isText = true;
    let longest = 0;
    for (const target of targets) {
      isText &&= found.isText(target);
      longest = Math.max(longest, found.load32(target));
    }
    const isWeak = targets.length < 4 && (!isText || longest < 4);
    out.push({ type: typeIndex, field, targets, isText, isWeak });
  }
}

/** Whether strings or vectors of at least one byte per element can be there. */
function fitAll(found: FoundObjects, covered: Coverage, starts: readonly number[]): boolean {
  for (const start of starts) {
    const count = found.load32(start);
    if (count > found.sizeBytes - start - 4 || covered.has(start)) return false;
    if (count !== 0 && covered.has(start + 3 + count)) return false;
  }
  return true;
}

/** Covers all elements of the vectors, which are as large as nothing else speaks against. */
function coverVectors(found: FoundObjects, covered: Coverage, starts: readonly number[]): void {
  const smallest = new SmallestStride();
  for (const start of starts) {
    const count = found.load32(start);
    if (count === 0) continue;
    const most = Math.min(found.sizeBytes, start + 4 + SmallestStride.most * count);
    let end = start + 4;
    while (end < most && !covered.has(end)) end += 4;
    found.workLeft -= Math.floor((end - start) / 16);
    smallest.add(count, Math.min(end, found.sizeBytes) - start - 4);
  }
  const stride = smallest.stride();
  for (const start of starts) covered.add(start, start + 4 + stride * found.load32(start));
}
