// Smooth motion between updates: where every body is at a moment a little before now.
//
// Updates come about ten times a second, late or in bunches; the screen wants sixty pictures. Game time is estimated from
// the updates, the picture runs a little behind it so that it nearly always lies between two of them, and a cubic through
// both positions and velocities gives the place in between. Past the newest update bodies go on for a moment, then hold
// still. Whatever the clock or a late update would make jump is kept as an offset that fades instead.

import { BodyFrame, FrameReader, mapFromNewest } from "./body-frame.js";
import type { GameState } from "./generated/world_generated.js";

const kFrames = 8;
/** The picture runs this many update intervals behind. */
const kDelayIntervals = 1.5;
const kMaxDelayMs = 400;
/** How far bodies go on past the newest update. */
const kMaxExtrapolationMs = 200;
/** Time in which an offset falls to a third. */
const kFadeMs = 110;
/** A clock further off than this is set, not steered. */
const kSetClockMs = 1000;

export class Motion {
  /** The newest version; undefined before the first. */
  newest: BodyFrame | undefined;
  /** [3 * newest.count] where to draw; filled by `sample`. */
  positions = new Float32Array(0);

  private readonly reader = new FrameReader();
  private frames: BodyFrame[] = [];
  private offsets = new Float32Array(0);
  private offsetsFade = 0;
  private kept = new Float32Array(0);

  private intervalMs = 100;
  private receivedAtMs = 0;
  private rate = 1;
  private rateWindow: { received: number; time: number }[] = [];
  /** Game time at local time 0, by estimate. */
  private origin = 0;
  private shownTimeMs = 0;
  private sampledAtMs = 0;

  /** Takes a new version. `receivedAtMs` and the `nowMs` of `sample` are of one clock. */
  push(state: GameState, receivedAtMs: number): void {
    const previous = this.newest;
    const frame = this.frames.length < kFrames ? new BodyFrame() : (this.frames.shift() as BodyFrame);
    this.reader.read(state, frame, previous);
    if (previous !== undefined && frame.timeMs < previous.timeMs) {
      this.restart(state, frame);
    }
    const drawnBefore = this.keepDrawn(frame, this.newest);
    this.frames.push(frame);
    this.newest = frame;
    if (frame.generation !== previous?.generation) {
      for (const older of this.frames) mapFromNewest(older, frame);
    }
    this.learnClock(frame.timeMs, receivedAtMs);
    if (this.positions.length < 3 * frame.count) {
      this.positions = new Float32Array(3 * (frame.count + 64));
      this.offsets = new Float32Array(this.positions.length);
    }
    if (drawnBefore) {
      this.fill(this.shownTimeMs);
      this.bend(frame.count);
    } else {
      this.offsetsFade = 0;
      this.shownTimeMs = frame.timeMs;
    }
  }

  /** Game time now, milliseconds; stands still once updates stay away. */
  gameTimeMs(nowMs: number): number {
    const newest = this.newest;
    if (newest === undefined) return 0;
    return Math.min(this.origin + this.rate * nowMs, newest.timeMs + this.rate * 1500);
  }

  /** Fills `positions` for this moment. Not live: bodies hold still after the newest version. */
  sample(nowMs: number, live: boolean): void {
    const newest = this.newest;
    if (newest === undefined) return;
    const elapsed = Math.min(250, Math.max(0, nowMs - this.sampledAtMs));
    this.sampledAtMs = nowMs;

    const delay = Math.min(kMaxDelayMs, kDelayIntervals * this.intervalMs);
    const ahead = live ? kMaxExtrapolationMs : 0;
    const wanted = Math.min(this.origin + this.rate * (nowMs - delay), newest.timeMs + this.rate * ahead);
    const gap = wanted - this.shownTimeMs;
    if (Math.abs(gap) > kSetClockMs * this.rate) {
      this.fill(this.shownTimeMs);
      this.addOffsets(newest.count);
      this.kept = growTo(this.kept, 3 * newest.count);
      this.kept.set(this.positions.subarray(0, 3 * newest.count));
      this.shownTimeMs = wanted;
      this.fill(this.shownTimeMs);
      this.bend(newest.count);
    } else {
      // Steer: run at the usual rate, a little faster or slower until the gap closes, never backwards.
      const step = this.rate * elapsed;
      const steered = step + (gap - step) * Math.min(1, elapsed / 150);
      this.shownTimeMs = Math.min(
        this.shownTimeMs + Math.max(0, steered),
        Math.max(this.shownTimeMs, wanted + step),
      );
      this.fill(this.shownTimeMs);
    }
    this.offsetsFade *= Math.exp(-elapsed / kFadeMs);
    this.addOffsets(newest.count);
  }

  /** Game time of the picture. */
  get shownAtMs(): number {
    return this.shownTimeMs;
  }

  // Game time went back: another universe, or one restored from an older save.
  private restart(state: GameState, frame: BodyFrame): void {
    this.reader.forget();
    this.reader.read(state, frame, undefined);
    this.frames = [];
    this.newest = undefined;
    this.rateWindow = [];
  }

  // Keeps where the bodies of `frame` were last drawn, by their index in `frame`. Bodies not drawn yet get NaN.
  private keepDrawn(frame: BodyFrame, previous: BodyFrame | undefined): boolean {
    if (previous === undefined || this.positions.length === 0) return false;
    this.kept = growTo(this.kept, 3 * frame.count);
    if (frame.generation === previous.generation) {
      this.kept.set(this.positions.subarray(0, 3 * frame.count));
      return true;
    }
    mapFromNewest(previous, frame);
    for (let i = 0; i < frame.count; i += 1) {
      const j = previous.fromNewest[i] as number;
      for (let k = 0; k < 3; k += 1)
        this.kept[3 * i + k] = j < 0 ? Number.NaN : (this.positions[3 * j + k] as number);
    }
    return true;
  }

  // Turns the difference between what was drawn (`kept`) and what would be drawn now into fading offsets.
  private bend(count: number): void {
    for (let i = 0; i < 3 * count; i += 1) {
      const difference = (this.kept[i] as number) - (this.positions[i] as number);
      this.offsets[i] = Number.isNaN(difference) ? 0 : difference;
    }
    this.offsetsFade = 1;
  }

  private addOffsets(count: number): void {
    if (this.offsetsFade < 0.004) return;
    const { positions, offsets, offsetsFade } = this;
    for (let i = 0; i < 3 * count; i += 1) {
      positions[i] = (positions[i] as number) + offsetsFade * (offsets[i] as number);
    }
  }

  private learnClock(timeMs: number, receivedAtMs: number): void {
    const window = this.rateWindow;
    const gap = receivedAtMs - this.receivedAtMs;
    if (window.length > 0 && gap > 0 && gap < 1000) this.intervalMs += 0.1 * (gap - this.intervalMs);
    this.receivedAtMs = receivedAtMs;

    window.push({ received: receivedAtMs, time: timeMs });
    if (window.length > 50) window.shift();
    const first = window[0] as { received: number; time: number };
    const span = receivedAtMs - first.received;
    if (span > 800) {
      const measured = (timeMs - first.time) / span;
      this.rate += 0.2 * (measured - this.rate);
    } else if (window.length === 1) {
      this.rate = 1;
    }

    const error = timeMs - (this.origin + this.rate * receivedAtMs);
    const set = window.length === 1 || Math.abs(error) > kSetClockMs * Math.max(this.rate, 1);
    // An update that seems early shows that the others were late, so it counts for more.
    this.origin += set ? error : error * (error > 0 ? 0.3 : 0.08);
  }

  private fill(timeMs: number): void {
    const newest = this.newest as BodyFrame;
    let from: BodyFrame | undefined;
    let to = this.frames[0] as BodyFrame;
    for (const frame of this.frames) {
      from = to === frame ? undefined : to;
      to = frame;
      if (frame.timeMs >= timeMs) break;
    }
    if (from === undefined || to.timeMs <= from.timeMs) {
      this.fillLinear(newest, to, timeMs);
    } else {
      this.fillCubic(newest, from, to, timeMs);
    }
  }

  private fillLinear(newest: BodyFrame, frame: BodyFrame, timeMs: number): void {
    const seconds = (timeMs - frame.timeMs) / 1000;
    const identity = frame.generation === newest.generation;
    for (let i = 0; i < newest.count; i += 1) {
      const j = identity ? i : (frame.fromNewest[i] as number);
      this.place(newest, i, j < 0 ? newest : frame, j < 0 ? i : j, seconds, timeMs);
    }
  }

  private place(
    newest: BodyFrame,
    i: number,
    frame: BodyFrame,
    j: number,
    seconds: number,
    timeMs: number,
  ): void {
    const dt = frame === newest ? (timeMs - newest.timeMs) / 1000 : seconds;
    for (let k = 0; k < 3; k += 1) {
      this.positions[3 * i + k] =
        (frame.positions[3 * j + k] as number) + dt * (frame.velocities[3 * j + k] as number);
    }
  }

  // Cubic Hermite between two versions; past the second one, its acceleration goes on.
  private fillCubic(newest: BodyFrame, from: BodyFrame, to: BodyFrame, timeMs: number): void {
    const h = (to.timeMs - from.timeMs) / 1000;
    const t = (timeMs - from.timeMs) / 1000 / h;
    const past = Math.max(0, (timeMs - to.timeMs) / 1000);
    const u = Math.min(1, t);
    const u2 = u * u;
    const u3 = u2 * u;
    const p0 = 2 * u3 - 3 * u2 + 1;
    const v0 = (u3 - 2 * u2 + u) * h;
    const p1 = 3 * u2 - 2 * u3;
    // Past the end: p1 + v1 * past + (v1 - v0) / h * past^2 / 2.
    const curve = (0.5 * past * past) / h;
    const v1 = (u3 - u2) * h + past;
    const same = from.generation === newest.generation && to.generation === newest.generation;
    const { positions } = this;
    for (let i = 0; i < newest.count; i += 1) {
      const a = same || from.generation === newest.generation ? i : (from.fromNewest[i] as number);
      const b = same || to.generation === newest.generation ? i : (to.fromNewest[i] as number);
      if (a < 0 || b < 0) {
        this.place(newest, i, newest, i, 0, timeMs);
        continue;
      }
      for (let k = 0; k < 3; k += 1) {
        const speed0 = from.velocities[3 * a + k] as number;
        const speed1 = to.velocities[3 * b + k] as number;
        positions[3 * i + k] =
          p0 * (from.positions[3 * a + k] as number) +
          p1 * (to.positions[3 * b + k] as number) +
          v0 * speed0 +
          v1 * speed1 +
          curve * (speed1 - speed0);
      }
    }
  }
}

function growTo(array: Float32Array<ArrayBuffer>, length: number): Float32Array<ArrayBuffer> {
  return array.length >= length ? array : new Float32Array(length + 192);
}
