// What is drawn: the world at a moment, and what this player points at.

import type { BodyFrame } from "./body-frame.js";
import type { Camera } from "./camera.js";
import { BodyType } from "./generated/world_generated.js";

/** A body that the player is about to place, or placed and that has not shown up yet. */
export interface Ghost {
  readonly type: BodyType;
  readonly x: number;
  readonly y: number;
  readonly z: number;
  /** Milliseconds of the page's clock at which it was placed; undefined: still under the pointer. */
  readonly placedAtMs: number | undefined;
}

export interface Scene {
  readonly frame: BodyFrame | undefined;
  /** [3 * frame.count] */
  readonly positions: Float32Array;
  readonly camera: Camera;
  readonly user: string;
  readonly followed: number;
  readonly hovered: number;
  readonly ghosts: readonly Ghost[];
  /** Bodies that have just come to be, by id, with the moment on the page's clock. */
  readonly births: ReadonlyMap<number, number>;
  readonly live: boolean;
}

/** The player's own colour. */
export const kOwn = "#ffd48a";

const kTypeNames: Readonly<Record<BodyType, string>> = {
  [BodyType.kStar]: "Star",
  [BodyType.kPlanet]: "Planet",
  [BodyType.kMoon]: "Moon",
  [BodyType.kAsteroid]: "Asteroid",
  [BodyType.kComet]: "Comet",
  [BodyType.kStation]: "Station",
};

/** The type's name for people. */
export function typeName(type: BodyType): string {
  return kTypeNames[type] ?? "Body";
}

/** Whether something small at a pixel can be seen. */
export function inside(camera: Camera, x: number, y: number): boolean {
  return x > -60 && y > -30 && x < camera.width + 60 && y < camera.height + 30;
}
