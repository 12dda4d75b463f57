// worlds.ts: small states of trace_world.fbs, and traces of them.

import { Builder } from "flatbuffers";
import type { Trace } from "../coders/trace.js";
import {
  BodyKind,
  BodyT,
  ChatLineT,
  CubeT,
  ItemT,
  PlayerT,
  Vec3dT,
  World,
  WorldT,
} from "../generated/trace_world_generated.js";

/** Every kind of change from one tick to the next: values, strings, lists that grow and shrink, ids that come and go. */
export function makeWorld(tick: number): WorldT {
  const world = new WorldT();
  world.tick = tick;
  world.timeMs = BigInt(tick) * 100n + (1n << 33n);
  for (let id = 1 + tick; id < 12 + tick; id += 1) {
    const body = new BodyT(id, BodyKind.kMoon, `body ${id}`, id % 3);
    body.position = new Vec3dT(id + tick / 7, -id, 0);
    body.velocity = new Vec3dT(0, 0, 1);
    body.population = id * 1000 + (id % 4 === tick % 4 ? tick : 0);
    body.temperature = Math.fround(280.1 + tick);
    body.resources = Array.from({ length: 1 + ((id + tick) % 3) }, (_, i) => i * 300);
    world.bodies.push(body);
  }
  const player = new PlayerT(7, "ann", 12.5 * tick, tick, `has seen ${tick}`);
  player.inventory = Array.from({ length: 3 - (tick % 2) }, (_, i) => new ItemT(i, tick));
  world.players.push(player);
  for (let id = tick; id < tick + 4; id += 1) world.chat.push(new ChatLineT(id, 7, BigInt(id), `line ${id}`));
  world.cubes.push(new CubeT(tick, -5, 1 << 20, 0, 0, 0, 1024, tick % 2), new CubeT(1, 2, 3));
  return world;
}

export function encodeWorld(world: WorldT): Uint8Array {
  const builder = new Builder();
  World.finishWorldBuffer(builder, world.pack(builder));
  return builder.asUint8Array().slice();
}

export function makeTrace(count: number): Trace {
  return {
    file: "t.fbtrace",
    snapshots: Array.from({ length: count }, (_, tick) => encodeWorld(makeWorld(tick))),
  };
}
