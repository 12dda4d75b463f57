// Where each body of the newest version stands on the screen, and what is worked out once for all who draw it.

import type { BodyFrame } from "./body-frame.js";
import { BodyType } from "./generated/world_generated.js";
import { kEllipseSize, writeEllipse } from "./orbit.js";
import type { Scene } from "./scene.js";
import { hashOf } from "./sprites.js";

/** Asteroids are drawn in bulk, in this many shades. */
export const kAsteroidShadeCount = 4;

export class Stage {
  /** Indices of the bodies that are drawn one by one, lowest first. */
  order: number[] = [];
  /** [kAsteroidShadeCount] indices of the others. */
  asteroids: number[][] = [];
  /** [count] index of the body it orbits; -1: none. */
  parents = new Int32Array(0);
  biggestPlanet = 1;
  /** [count * kEllipseSize] and whether it is one. */
  ellipses = new Float64Array(0);
  isEllipse = new Uint8Array(0);

  /** [2 * count] CSS pixels. */
  screen = new Float32Array(0);
  /** [count] radius in CSS pixels; 0: not drawn. */
  sizes = new Float32Array(0);
  /** How much bigger than from far small bodies are drawn. */
  sizeBoost = 1;

  private generation = -1;
  private ellipsesOf = -1;

  /** Brings all of it up to date. `fitScale`: pixels per unit at which the universe fits the window. */
  update(frame: BodyFrame, scene: Scene, fitScale: number): void {
    this.prepare(frame);
    this.sizeBoost = Math.min(5, Math.max(0.75, (scene.camera.pixelsPerUnit / fitScale) ** 0.4));
    this.projectAll(frame, scene);
  }

  /** Id of the body under a pixel; 0: none. */
  pick(scene: Scene, px: number, py: number): number {
    const { frame } = scene;
    if (frame === undefined || frame.generation !== this.generation) return 0;
    let best = 0;
    let bestScore = 18;
    for (let i = 0; i < frame.count; i += 1) {
      const dx = (this.screen[2 * i] as number) - px;
      const dy = (this.screen[2 * i + 1] as number) - py;
      const size = this.sizes[i] as number;
      if (size === 0) continue;
      // Small bodies lie on top of big ones, asteroids below all others.
      const bias = frame.types[i] === BodyType.kAsteroid ? 8 : 0;
      const score = Math.max(0, Math.hypot(dx, dy) - size) + bias + 0.02 * size;
      if (score < bestScore) {
        bestScore = score;
        best = frame.ids[i] as number;
      }
    }
    return best;
  }

  /** Index of the star that lights a body; -1: none. */
  starOf(frame: BodyFrame, i: number): number {
    let at = this.parents[i] as number;
    for (let hops = 0; hops < 4 && at >= 0; hops += 1) {
      if (frame.types[at] === BodyType.kStar) return at;
      at = this.parents[at] as number;
    }
    return -1;
  }

  /** Asteroids' ellipses are worked out only where one asks for them. */
  updateEllipse(frame: BodyFrame, i: number): void {
    const p = this.parents[i] as number;
    this.isEllipse[i] = 0;
    if (p < 0) return;
    const { positions, velocities } = frame;
    const a = 3 * i;
    const b = 3 * p;
    const found = writeEllipse(
      this.ellipses,
      kEllipseSize * i,
      (positions[a] as number) - (positions[b] as number),
      (positions[a + 1] as number) - (positions[b + 1] as number),
      (positions[a + 2] as number) - (positions[b + 2] as number),
      (velocities[a] as number) - (velocities[b] as number),
      (velocities[a + 1] as number) - (velocities[b + 1] as number),
      (velocities[a + 2] as number) - (velocities[b + 2] as number),
      frame.gravity * ((frame.masses[p] as number) + (frame.masses[i] as number)),
    );
    this.isEllipse[i] = found ? 1 : 0;
  }

  // Sorts the bodies into what is drawn one by one and what is drawn in bulk, once per generation.
  private prepare(frame: BodyFrame): void {
    if (this.screen.length < 2 * frame.count) {
      this.screen = new Float32Array(2 * frame.count + 128);
      this.sizes = new Float32Array(frame.count + 64);
      this.parents = new Int32Array(frame.count + 64);
      this.ellipses = new Float64Array(kEllipseSize * (frame.count + 64));
      this.isEllipse = new Uint8Array(frame.count + 64);
    }
    if (this.generation !== frame.generation) {
      this.generation = frame.generation;
      this.order = [];
      this.asteroids = Array.from({ length: kAsteroidShadeCount }, () => []);
      this.biggestPlanet = 1e-6;
      for (let i = 0; i < frame.count; i += 1) {
        const parent = frame.parents[i] as number;
        this.parents[i] = parent === 0 ? -1 : frame.find(parent);
        const type = frame.types[i];
        if (type === BodyType.kPlanet) {
          this.biggestPlanet = Math.max(this.biggestPlanet, frame.radii[i] as number);
        }
        if (type === BodyType.kAsteroid && (frame.labels[i]?.owner ?? "") === "") {
          const shade = Math.floor(hashOf(frame.ids[i] as number) * kAsteroidShadeCount);
          (this.asteroids[shade] as number[]).push(i);
        } else {
          this.order.push(i);
        }
      }
      const rank = [0, 3, 2, 1, 4, 5];
      this.order.sort(
        (a, b) => (rank[frame.types[a] as number] ?? 0) - (rank[frame.types[b] as number] ?? 0),
      );
      this.ellipsesOf = -1;
    }
    if (this.ellipsesOf !== frame.timeMs) {
      this.ellipsesOf = frame.timeMs;
      for (const i of this.order) this.updateEllipse(frame, i);
    }
  }

  private projectAll(frame: BodyFrame, scene: Scene): void {
    const { camera, positions } = scene;
    const { screen } = this;
    const scale = camera.pixelsPerUnit;
    const up = camera.tiltCos * scale;
    const out = camera.tiltSin * scale;
    const left = camera.centreX - camera.x * scale;
    const top = camera.centreY + camera.y * up + camera.z * out;
    for (let i = 0; i < frame.count; i += 1) {
      screen[2 * i] = left + (positions[3 * i] as number) * scale;
      screen[2 * i + 1] =
        top - (positions[3 * i + 1] as number) * up - (positions[3 * i + 2] as number) * out;
      this.sizes[i] = this.sizeOf(frame, i, scale);
    }
    // A moon that would lie on its planet's disc is not drawn: from this far they are one.
    for (const i of this.order) {
      const p = this.parents[i] as number;
      if (p < 0 || frame.types[p] === BodyType.kStar || frame.types[i] === BodyType.kPlanet) continue;
      if ((frame.labels[i]?.owner ?? "") !== "") continue;
      const dx = (screen[2 * i] as number) - (screen[2 * p] as number);
      const dy = (screen[2 * i + 1] as number) - (screen[2 * p + 1] as number);
      if (Math.hypot(dx, dy) < (this.sizes[p] as number) + 1.5) this.sizes[i] = 0;
    }
  }

  // Radius on the screen. Real sizes would be invisible: each type has a least size, which grows a little with zoom.
  private sizeOf(frame: BodyFrame, i: number, scale: number): number {
    const radius = frame.radii[i] as number;
    const real = Math.min(220, radius * scale);
    switch (frame.types[i]) {
      case BodyType.kStar:
        return Math.max(real, 10 * this.sizeBoost);
      case BodyType.kPlanet:
        return Math.max(
          real,
          (2.6 + 4.6 * Math.sqrt(Math.min(1, radius / this.biggestPlanet))) * this.sizeBoost,
        );
      case BodyType.kMoon:
        return Math.max(real, 1.7 * this.sizeBoost);
      case BodyType.kStation:
        return Math.max(real, 3.4 * this.sizeBoost);
      case BodyType.kComet:
        return Math.max(real, 1.15 * this.sizeBoost);
      default:
        return Math.max(
          real,
          (0.55 + 0.4 * hashOf((frame.ids[i] as number) + 77)) * Math.sqrt(this.sizeBoost),
        );
    }
  }
}
