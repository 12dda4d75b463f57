// world-schema.ts: benchmarks/traces/trace_world.fbs for @colyseus/schema, all its fields.
//
// As a game that counts bytes would have it there, of the ways tried the one with the smallest patches: bodies, players
// and research in maps by id, whose order is not sent; events and chat in arrays; a vector as three fields of its
// owner, because an object of its own costs its number each time; integers as `number`, which takes as many bytes as
// the value needs, but coordinates of fixed point, which need them all.

import { type SchemaType, schema, t } from "@colyseus/schema";

export const Item = schema({ kind: t.number(), count: t.number() }, "Item");

export const Body = schema(
  {
    id: t.number(),
    kind: t.number(),
    name: t.string(),
    owner: t.number(),
    positionX: t.float64().optional(),
    positionY: t.float64().optional(),
    positionZ: t.float64().optional(),
    velocityX: t.float64().optional(),
    velocityY: t.float64().optional(),
    velocityZ: t.float64().optional(),
    positionF32X: t.float32().optional(),
    positionF32Y: t.float32().optional(),
    positionF32Z: t.float32().optional(),
    velocityF32X: t.float32().optional(),
    velocityF32Y: t.float32().optional(),
    velocityF32Z: t.float32().optional(),
    positionFixedX: t.int32().optional(),
    positionFixedY: t.int32().optional(),
    positionFixedZ: t.int32().optional(),
    velocityFixedX: t.int32().optional(),
    velocityFixedY: t.int32().optional(),
    velocityFixedZ: t.int32().optional(),
    mass: t.float64(),
    radius: t.float32(),
    population: t.number(),
    hp: t.number(),
    temperature: t.float32(),
    shield: t.number(),
    resources: t.array("number"),
  },
  "Body",
);

export const Player = schema(
  {
    id: t.number(),
    name: t.string(),
    credits: t.float64(),
    score: t.number(),
    status: t.string(),
    inventory: t.array(Item),
  },
  "Player",
);

export const Research = schema(
  { id: t.number(), name: t.string(), level: t.number(), progress: t.float32(), cost: t.float64() },
  "Research",
);

export const Event = schema(
  {
    id: t.number(),
    tick: t.number(),
    kind: t.number(),
    body: t.number(),
    player: t.number(),
    amount: t.number(),
  },
  "Event",
);

export const ChatLine = schema(
  { id: t.number(), player: t.number(), timeMs: t.number(), text: t.string() },
  "ChatLine",
);

export const Cube = schema(
  {
    x: t.number(),
    y: t.number(),
    z: t.number(),
    rotationX: t.number(),
    rotationY: t.number(),
    rotationZ: t.number(),
    rotationW: t.number(),
    touched: t.number(),
  },
  "Cube",
);

export const World = schema(
  {
    tick: t.number(),
    timeMs: t.number(),
    viewerX: t.float32().optional(),
    viewerY: t.float32().optional(),
    viewerZ: t.float32().optional(),
    bodies: t.map(Body),
    players: t.map(Player),
    research: t.map(Research),
    events: t.array(Event),
    chat: t.array(ChatLine),
    cubes: t.array(Cube),
  },
  "World",
);
export type World = SchemaType<typeof World>;
