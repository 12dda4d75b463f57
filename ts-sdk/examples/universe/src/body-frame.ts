// One version of the world as flat arrays, read once through the generated accessors and then drawn many times.

import { type BodyType, CelestialBody, type GameState, Vec3 } from "./generated/world_generated.js";

/** What a body is called and whose it is. Strings never change during a body's life, so they are decoded once. */
export interface BodyLabel {
  readonly name: string;
  readonly owner: string;
}

export class BodyFrame {
  count = 0;
  timeMs = 0;
  gravity = 0;
  /** Frames with the same generation hold the same bodies at the same places. */
  generation = 0;
  ids = new Uint32Array(0);
  types = new Uint8Array(0);
  parents = new Uint32Array(0);
  masses = new Float32Array(0);
  radii = new Float32Array(0);
  /** [3 * count] x, y, z */
  positions = new Float32Array(0);
  /** [3 * count] per second of game time */
  velocities = new Float32Array(0);
  labels: BodyLabel[] = [];
  /** Index into this frame of each body of the newest frame; -1: not there. Empty while the generations agree. */
  fromNewest = new Int32Array(0);

  typeOf(index: number): BodyType {
    return this.types[index] as BodyType;
  }

  /** Bodies are sorted by id. -1: not there. */
  find(id: number): number {
    let low = 0;
    let high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const here = this.ids[middle] as number;
      if (here === id) return middle;
      if (here < id) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}

const kNoLabel: BodyLabel = { name: "", owner: "" };

/** Fills frames from snapshots, reusing one accessor of each kind for all bodies. */
export class FrameReader {
  private readonly body = new CelestialBody();
  private readonly vector = new Vec3();
  private labels = new Map<number, BodyLabel>();
  private generation = 0;

  /** Reads `state` into `out`. `previous` is the frame read before it, if any. */
  read(state: GameState, out: BodyFrame, previous: BodyFrame | undefined): void {
    const { body, vector } = this;
    const count = state.bodiesLength();
    if (out.ids.length < count) grow(out, count + 64);
    out.count = count;
    out.timeMs = Number(state.timeMs());
    out.gravity = state.gravity();
    out.fromNewest = out.fromNewest.length === 0 ? out.fromNewest : new Int32Array(0);

    let same = previous !== undefined && previous.count === count;
    for (let i = 0; i < count; i += 1) {
      state.bodies(i, body);
      const id = body.id();
      if (same && (previous as BodyFrame).ids[i] !== id) same = false;
      out.ids[i] = id;
      out.types[i] = body.bodyType();
      out.parents[i] = body.parent();
      out.masses[i] = body.mass();
      out.radii[i] = body.radius();
      const at = 3 * i;
      if (body.position(vector) !== null) {
        out.positions[at] = vector.x();
        out.positions[at + 1] = vector.y();
        out.positions[at + 2] = vector.z();
      } else {
        out.positions.fill(0, at, at + 3);
      }
      if (body.velocity(vector) !== null) {
        out.velocities[at] = vector.x();
        out.velocities[at + 1] = vector.y();
        out.velocities[at + 2] = vector.z();
      } else {
        out.velocities.fill(0, at, at + 3);
      }
    }

    if (same && previous !== undefined) {
      out.generation = previous.generation;
      out.labels = previous.labels;
      return;
    }
    this.generation += 1;
    out.generation = this.generation;
    this.readLabels(state, out);
  }

  /** Forgets the labels: the ids of another epoch may mean other bodies. */
  forget(): void {
    this.labels = new Map();
  }

  private readLabels(state: GameState, out: BodyFrame): void {
    const known = this.labels;
    const kept = new Map<number, BodyLabel>();
    out.labels = new Array<BodyLabel>(out.count);
    for (let i = 0; i < out.count; i += 1) {
      const id = out.ids[i] as number;
      let label = known.get(id);
      if (label === undefined) {
        state.bodies(i, this.body);
        const name = this.body.name();
        const owner = this.body.owner();
        label = name === null && owner === null ? kNoLabel : { name: name ?? "", owner: owner ?? "" };
      }
      kept.set(id, label);
      out.labels[i] = label;
    }
    this.labels = kept;
  }
}

/** Sets `older.fromNewest`. Both are sorted by id, so this is one merge. */
export function mapFromNewest(older: BodyFrame, newest: BodyFrame): void {
  if (older.generation === newest.generation) {
    older.fromNewest = older.fromNewest.length === 0 ? older.fromNewest : new Int32Array(0);
    return;
  }
  const map = new Int32Array(newest.count);
  let j = 0;
  for (let i = 0; i < newest.count; i += 1) {
    const id = newest.ids[i] as number;
    while (j < older.count && (older.ids[j] as number) < id) j += 1;
    map[i] = j < older.count && older.ids[j] === id ? j : -1;
  }
  older.fromNewest = map;
}

function grow(frame: BodyFrame, capacity: number): void {
  frame.ids = new Uint32Array(capacity);
  frame.types = new Uint8Array(capacity);
  frame.parents = new Uint32Array(capacity);
  frame.masses = new Float32Array(capacity);
  frame.radii = new Float32Array(capacity);
  frame.positions = new Float32Array(3 * capacity);
  frame.velocities = new Float32Array(3 * capacity);
}
