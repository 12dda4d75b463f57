// The parts of the page that need no browser. What does is in tests/browser.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Builder, ByteBuffer } from "flatbuffers";
import { describe, expect, test } from "vitest";
import { Camera, kTilted } from "../src/camera.js";
import { formatAmount, formatBytes, formatDuration, formatRatio } from "../src/format.js";
import { readClaims } from "../src/token.js";

// `npm run generate:page` makes these; a clone that never built the page has none yet.
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
if (!existsSync(here("../src/generated/world_schema.ts"))) {
  const schema = here("../../../../schemas/world.fbs");
  execFileSync(process.execPath, [
    here("../../../bin/libsync-generate.mjs"),
    schema,
    "--out",
    here("../src/generated"),
  ]);
}
const { BodyType, CelestialBody, GameState, ResearchStatus, Vec3 } = await import(
  "../src/generated/world_generated.js"
);
const { FrameReader, BodyFrame, mapFromNewest } = await import("../src/body-frame.js");
const { Motion } = await import("../src/motion.js");
const { findAttractor, kEllipseSize, writeEllipse } = await import("../src/orbit.js");
const { layOut } = await import("../src/panels/research.js");

interface TestBody {
  id: number;
  type?: number;
  position: [number, number, number];
  velocity?: [number, number, number];
  mass?: number;
  parent?: number;
  owner?: string;
}

function makeState(timeMs: number, bodies: readonly TestBody[]): InstanceType<typeof GameState> {
  const builder = new Builder(1024);
  const offsets = bodies.map((body) => {
    const owner = body.owner === undefined ? 0 : builder.createString(body.owner);
    CelestialBody.startCelestialBody(builder);
    CelestialBody.addId(builder, body.id);
    CelestialBody.addBodyType(builder, body.type ?? BodyType.kAsteroid);
    CelestialBody.addPosition(builder, Vec3.createVec3(builder, ...body.position));
    CelestialBody.addVelocity(builder, Vec3.createVec3(builder, ...(body.velocity ?? [0, 0, 0])));
    CelestialBody.addMass(builder, body.mass ?? 0.001);
    CelestialBody.addParent(builder, body.parent ?? 0);
    if (owner !== 0) CelestialBody.addOwner(builder, owner);
    return CelestialBody.endCelestialBody(builder);
  });
  const vector = GameState.createBodiesVector(builder, offsets);
  GameState.startGameState(builder);
  GameState.addTimeMs(builder, BigInt(timeMs));
  GameState.addGravity(builder, 1);
  GameState.addBodies(builder, vector);
  builder.finish(GameState.endGameState(builder));
  return GameState.getRootAsGameState(new ByteBuffer(builder.asUint8Array()));
}

/** A body on a circle of radius 100 that takes 20 s. */
function circling(timeMs: number, id = 1): TestBody {
  const angle = (2 * Math.PI * timeMs) / 20_000;
  const speed = (2 * Math.PI * 100) / 20;
  return {
    id,
    position: [100 * Math.cos(angle), 100 * Math.sin(angle), 0],
    velocity: [-speed * Math.sin(angle), speed * Math.cos(angle), 0],
  };
}

/** Runs the picture at 60 Hz; updates each 100 ms arrive `lateMs(n)` late. Gives the largest step and deviation. */
function runPictures(lateMs: (n: number) => number): { largestStep: number; largestError: number } {
  const motion = new Motion();
  const arrivals = Array.from({ length: 60 }, (_, n) => ({ timeMs: 100 * n, at: 100 * n + lateMs(n) }));
  let next = 0;
  let last: [number, number] | undefined;
  let largestStep = 0;
  let largestError = 0;
  for (let now = 0; now < 5900; now += 1000 / 60) {
    while (next < arrivals.length && (arrivals[next]?.at ?? 0) <= now) {
      const { timeMs } = arrivals[next] as { timeMs: number };
      motion.push(makeState(timeMs, [circling(timeMs)]), now);
      next += 1;
    }
    motion.sample(now, true);
    if (motion.newest === undefined) continue;
    const x = motion.positions[0] as number;
    const y = motion.positions[1] as number;
    if (now > 1500) {
      if (last !== undefined) largestStep = Math.max(largestStep, Math.hypot(x - last[0], y - last[1]));
      largestError = Math.max(largestError, Math.abs(Math.hypot(x, y) - 100));
    }
    last = [x, y];
  }
  return { largestStep, largestError };
}

// 31.4 units a second at 60 pictures a second.
const kStep = 0.524;

describe("motion", () => {
  test("motion: goes evenly when updates come on time", () => {
    const { largestStep, largestError } = runPictures(() => 0);
    expect(largestStep).toBeLessThan(1.15 * kStep);
    expect(largestError).toBeLessThan(0.05);
  });

  test("motion: makes no jump when updates come late and in bunches", () => {
    const { largestStep, largestError } = runPictures((n) =>
      n % 10 === 4 ? 180 : n % 10 === 5 ? 90 : 20 * (n % 3),
    );
    expect(largestStep).toBeLessThan(2 * kStep);
    expect(largestError).toBeLessThan(0.5);
  });

  test("motion: holds still without a connection, and comes back without a jump", () => {
    const motion = new Motion();
    for (let n = 0; n <= 20; n += 1) {
      motion.push(makeState(100 * n, [circling(100 * n)]), 100 * n);
      motion.sample(100 * n, true);
    }
    for (let now = 2000; now < 3000; now += 16) motion.sample(now, false);
    const held = [...motion.positions.subarray(0, 3)];
    for (let now = 3000; now < 4000; now += 16) motion.sample(now, false);
    expect([...motion.positions.subarray(0, 3)]).toEqual(held);

    motion.push(makeState(4000, [circling(4000)]), 4000);
    motion.sample(4001, true);
    const moved = Math.hypot(
      (motion.positions[0] as number) - (held[0] as number),
      (motion.positions[1] as number) - (held[1] as number),
    );
    // It glides: 57 units to go, a seventh of them in the first 17 ms.
    expect(moved).toBeLessThan(8);
    for (let now = 4016; now < 5000; now += 16) motion.sample(now, true);
    expect(Math.hypot(motion.positions[0] as number, motion.positions[1] as number)).toBeCloseTo(100, 0);
  });

  test("motion: a body that joins or leaves does not move the others", () => {
    const motion = new Motion();
    const others = (timeMs: number): TestBody[] => [circling(timeMs, 5), { id: 9, position: [7, 8, 9] }];
    let now = 0;
    for (; now <= 1000; now += 100) {
      motion.push(makeState(now, others(now)), now);
      motion.sample(now, true);
    }
    const before = [...motion.positions.subarray(0, 6)];
    motion.push(makeState(now, [{ id: 2, position: [1, 2, 3] }, ...others(now)]), now - 90);
    motion.sample(now - 90, true);
    const after = [...motion.positions.subarray(3, 9)];
    expect(Math.hypot((after[0] ?? 0) - (before[0] ?? 0), (after[1] ?? 0) - (before[1] ?? 0))).toBeLessThan(
      2,
    );
    expect(after.slice(3)).toEqual([7, 8, 9]);
    expect([...motion.positions.subarray(0, 3)]).toEqual([1, 2, 3]);
  });

  test("motion: starts anew when game time goes back", () => {
    const motion = new Motion();
    for (let n = 0; n < 10; n += 1) motion.push(makeState(50_000 + 100 * n, [circling(0)]), 100 * n);
    motion.push(makeState(100, [{ id: 3, position: [4, 5, 6] }]), 1000);
    motion.sample(1010, true);
    expect([...motion.positions.subarray(0, 3)]).toEqual([4, 5, 6]);
    expect(motion.gameTimeMs(1000)).toBeCloseTo(100, -1);
  });
});

describe("body frame", () => {
  test("body frame: keeps its generation while the bodies are the same", () => {
    const reader = new FrameReader();
    const [a, b, c] = [new BodyFrame(), new BodyFrame(), new BodyFrame()];
    reader.read(makeState(0, [circling(0, 1), circling(0, 4)]), a, undefined);
    reader.read(makeState(100, [circling(100, 1), circling(100, 4)]), b, a);
    reader.read(
      makeState(200, [circling(200, 1), { ...circling(200, 3), owner: "ann" }, circling(200, 4)]),
      c,
      b,
    );
    expect(b.generation).toBe(a.generation);
    expect(b.labels).toBe(a.labels);
    expect(c.generation).not.toBe(a.generation);
    expect(c.labels[1]?.owner).toBe("ann");
    expect([1, 3, 4, 5].map((id) => c.find(id))).toEqual([0, 1, 2, -1]);
    mapFromNewest(a, c);
    expect([...a.fromNewest]).toEqual([0, -1, 1]);
  });
});

describe("orbit", () => {
  test("orbit: a circle and an ellipse pass through the body", () => {
    const out = new Float64Array(2 * kEllipseSize);
    expect(writeEllipse(out, 0, 100, 0, 0, 0, Math.sqrt(90), 0, 9000)).toBe(true);
    expect(Math.hypot(out[3] ?? 0, out[4] ?? 0, out[5] ?? 0)).toBeCloseTo(100);
    expect(writeEllipse(out, kEllipseSize, 80, 60, 10, -4, 6, 1, 9000)).toBe(true);
    const e = out.subarray(kEllipseSize);
    const at = (k: number): number =>
      (e[k] ?? 0) + (e[9] ?? 0) * (e[3 + k] ?? 0) + (e[10] ?? 0) * (e[6 + k] ?? 0);
    expect(at(0)).toBeCloseTo(80);
    expect(at(1)).toBeCloseTo(60);
    expect(at(2)).toBeCloseTo(10);
  });

  test("orbit: what is too fast or falls straight has none", () => {
    const out = new Float64Array(kEllipseSize);
    expect(writeEllipse(out, 0, 100, 0, 0, 0, 20, 0, 9000)).toBe(false);
    expect(writeEllipse(out, 0, 100, 0, 0, 5, 0, 0, 9000)).toBe(false);
    expect(writeEllipse(out, 0, 0, 0, 0, 1, 0, 0, 9000)).toBe(false);
  });

  test("orbit: inside a planet's Hill sphere the planet attracts, outside the star", () => {
    const frame = new BodyFrame();
    const bodies: TestBody[] = [
      { id: 1, type: BodyType.kStar, mass: 9000, position: [0, 0, 0] },
      { id: 2, type: BodyType.kPlanet, mass: 60, parent: 1, position: [275, 0, 0] },
    ];
    new FrameReader().read(makeState(0, bodies), frame, undefined);
    expect(findAttractor(frame, frame.positions, 285, 0, 0)).toBe(1);
    expect(findAttractor(frame, frame.positions, 330, 0, 0)).toBe(0);
  });
});

describe("camera", () => {
  test("camera: what lies under the pointer stays there while zooming", () => {
    const camera = new Camera();
    Object.assign(camera, { width: 1000, height: 700, tiltCos: kTilted, x: 40, y: -20 });
    const before = camera.unproject(300, 200, { x: 0, y: 0 });
    camera.zoomAt(300, 200, 3.7);
    const after = camera.project(before.x, before.y, camera.z, { x: 0, y: 0 });
    expect(after.x).toBeCloseTo(300);
    expect(after.y).toBeCloseTo(200);
  });
});

describe("research tree", () => {
  const node = (id: number, requires: number[]) => ({
    ...{ id, requires, name: "", effect: "", science: 0, energy: 0, durationMs: 0, doneAtMs: 0 },
    status: ResearchStatus.kLocked,
  });

  test("research tree: a node stands below all it requires", () => {
    expect(layOut([node(1, []), node(2, []), node(3, [2]), node(4, [1, 3]), node(5, [1])])).toEqual([
      [1, 2],
      [5, 3],
      [4],
    ]);
  });

  test("research tree: a cycle or a missing requirement hangs nothing", () => {
    expect(
      layOut([node(1, [2]), node(2, [1]), node(3, [77])])
        .flat()
        .sort(),
    ).toEqual([1, 2, 3]);
  });
});

describe("texts", () => {
  test("format: three digits at most, decimal units", () => {
    expect([0, 87, 1000, 6120, 58_100, 999_400, 1_340_000].map(formatBytes)).toEqual([
      ..."0 B|87 B|1.00 KB|6.12 KB|58.1 KB|999 KB|1.34 MB".split("|"),
    ]);
    expect([formatRatio(9.7), formatRatio(17.4)]).toEqual(["9.7×", "17×"]);
    expect([formatAmount(940.9), formatAmount(12_400)]).toEqual(["940", "12.4k"]);
    expect([45_000, 125_000, 120_000, 3_600_000].map(formatDuration)).toEqual([
      "45 s",
      "2 min 05 s",
      "2 min",
      "1 h",
    ]);
  });

  test("token: gives its subject, and nothing where there is none", () => {
    const token = (claims: unknown): string =>
      `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`;
    expect(readClaims(token({ sub: "ann-é", exp: 10 }))).toEqual({ user: "ann-é", expiresAtMs: 10_000 });
    expect([token({}), token({ sub: 3 }), token(null), "a.b.c", "", "x"].map(readClaims)).toEqual(
      Array(6).fill(undefined),
    );
  });
});
