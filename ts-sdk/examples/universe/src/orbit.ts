// The two-body ellipse that a position and a velocity describe, and what a new body would circle.
// Formulas: Bate, Mueller, White, Fundamentals of Astrodynamics, 1971, section 2.4.

import type { BodyFrame } from "./body-frame.js";
import { BodyType } from "./generated/world_generated.js";

/**
 * Numbers per ellipse: centre, major and minor half axis, each x, y, z, and the cosine and sine of the eccentric anomaly.
 * A point of it is centre + cos(E) * major + sin(E) * minor, relative to the body it goes around.
 */
export const kEllipseSize = 11;

/** Writes the ellipse to `out[at]`. False where the path is none: unbound, or falling straight. */
export function writeEllipse(
  out: Float64Array,
  at: number,
  px: number,
  py: number,
  pz: number,
  vx: number,
  vy: number,
  vz: number,
  mu: number,
): boolean {
  const r = Math.hypot(px, py, pz);
  const v2 = vx * vx + vy * vy + vz * vz;
  const energy = v2 / 2 - mu / r;
  if (!(r > 0) || !(mu > 0) || !(energy < 0)) return false;
  const hx = py * vz - pz * vy;
  const hy = pz * vx - px * vz;
  const hz = px * vy - py * vx;
  const h = Math.hypot(hx, hy, hz);
  if (h < 1e-9) return false;

  const a = -mu / (2 * energy);
  const along = (v2 - mu / r) / mu;
  const across = (px * vx + py * vy + pz * vz) / mu;
  let ex = along * px - across * vx;
  let ey = along * py - across * vy;
  let ez = along * pz - across * vz;
  let e = Math.hypot(ex, ey, ez);
  if (e >= 0.995) return false;
  if (e < 1e-4) {
    // A circle has no direction of its own: let it begin where the body is.
    ex = px / r;
    ey = py / r;
    ez = pz / r;
    e = 0;
  } else {
    ex /= e;
    ey /= e;
    ez /= e;
  }
  const b = a * Math.sqrt(1 - e * e);
  // (h x e) / |h|
  const fx = (hy * ez - hz * ey) / h;
  const fy = (hz * ex - hx * ez) / h;
  const fz = (hx * ey - hy * ex) / h;
  out[at] = -a * e * ex;
  out[at + 1] = -a * e * ey;
  out[at + 2] = -a * e * ez;
  out[at + 3] = a * ex;
  out[at + 4] = a * ey;
  out[at + 5] = a * ez;
  out[at + 6] = b * fx;
  out[at + 7] = b * fy;
  out[at + 8] = b * fz;
  out[at + 9] = (px * ex + py * ey + pz * ez) / a + e;
  out[at + 10] = (px * fx + py * fy + pz * fz) / b;
  return true;
}

/**
 * Index of the body that one created at a point would go around, -1 in an empty world: the planet that pulls most among
 * those whose Hill sphere holds the point, else the star. The same rule as the game's `Bodies::attractor_of`.
 */
export function findAttractor(
  frame: BodyFrame,
  positions: Float32Array,
  x: number,
  y: number,
  z: number,
): number {
  const distance = (i: number, px: number, py: number, pz: number): number =>
    Math.hypot(
      (positions[3 * i] as number) - px,
      (positions[3 * i + 1] as number) - py,
      (positions[3 * i + 2] as number) - pz,
    );
  let best = -1;
  let bestPull = 0;
  for (let i = 0; i < frame.count; i += 1) {
    if (best < 0 && frame.types[i] === BodyType.kStar) best = i;
    if (frame.types[i] !== BodyType.kPlanet) continue;
    const parent = frame.find(frame.parents[i] as number);
    if (parent < 0) continue;
    const at = 3 * parent;
    const mass = frame.masses[i] as number;
    const r = distance(i, x, y, z);
    const a = distance(i, positions[at] as number, positions[at + 1] as number, positions[at + 2] as number);
    // Hill sphere: r^3 < a^3 m / 3M.
    if (r ** 3 >= (a ** 3 * mass) / (3 * (frame.masses[parent] as number))) continue;
    const pull = mass / (r * r);
    if (pull > bestPull) {
      bestPull = pull;
      best = i;
    }
  }
  return best;
}
