// world-compare.ts: whether a state of @colyseus/schema says what a snapshot says.

import { ByteBuffer } from "flatbuffers";
import { World } from "../generated/trace_world_generated.js";

type Fields = { readonly [key: string]: unknown };

/** Where the two differ, the first few places. Goes by what the generated classes have, so no field is forgotten. */
export function differences(state: object, snapshot: Uint8Array): string[] {
  const found: string[] = [];
  compare("world", state, World.getRootAsWorld(new ByteBuffer(snapshot)).unpack(), (place) => {
    if (found.length < 5) found.push(place);
  });
  return found;
}

function compare(place: string, state: unknown, wanted: unknown, differ: (place: string) => void): void {
  if (Array.isArray(wanted)) compareList(place, state, wanted, differ);
  else if (isObject(wanted) && isObject(state)) compareFields(place, state, wanted, differ);
  else if (state !== plain(wanted)) differ(`${place}: ${state}, not ${plain(wanted)}`);
}

/** A 64-bit time is a number there. */
const plain = (value: unknown) => (typeof value === "bigint" ? Number(value) : value);

function compareFields(place: string, state: Fields, wanted: Fields, differ: (place: string) => void): void {
  for (const [name, value] of Object.entries(wanted)) {
    // A vector is three fields, and undefined where there is none.
    if (name in state) compare(`${place}.${name}`, state[name], value, differ);
    else if (value === null) compare(`${place}.${name}X`, state[`${name}X`], undefined, differ);
    else if (isObject(value)) {
      for (const axis of ["x", "y", "z"]) {
        compare(`${place}.${name}.${axis}`, state[name + axis.toUpperCase()], value[axis], differ);
      }
    } else differ(`${place}.${name}: missing`);
  }
}

/** Of a map what has an id is looked for under it; the order is not compared, it is not sent. */
function compareList(
  place: string,
  state: unknown,
  wanted: readonly unknown[],
  differ: (place: string) => void,
): void {
  if (!isCollection(state)) {
    differ(`${place}: no collection`);
    return;
  }
  const size = "size" in state ? state.size : state.length;
  if (size !== wanted.length) differ(`${place}: ${size} of ${wanted.length}`);
  wanted.forEach((value, i) => {
    const key = "size" in state ? String((value as Fields)["id"]) : i;
    const found = "size" in state ? state.get(String(key)) : state[i];
    compare(`${place}[${key}]`, found, value, differ);
  });
}

interface Keyed {
  readonly size: number;
  get(key: string): unknown;
}
type Listed = { readonly length: number; readonly [index: number]: unknown };

function isCollection(value: unknown): value is Keyed | Listed {
  return isObject(value) && (typeof value["size"] === "number" || typeof value["length"] === "number");
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}
