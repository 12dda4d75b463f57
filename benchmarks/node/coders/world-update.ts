// world-update.ts: writes into the state of @colyseus/schema what a snapshot has otherwise, and nothing else, as the
// game would have done while it ran.

import { ByteBuffer } from "flatbuffers";
import * as fb from "../generated/trace_world_generated.js";
import { Body, ChatLine, Cube, Event, Item, Player, Research, type World } from "./world-schema.js";

type Of<Class extends abstract new () => unknown> = InstanceType<Class>;
type Vector = { x(): number; y(): number; z(): number };

const kBodyVectors = [
  ["positionX", "positionY", "positionZ", "position"],
  ["velocityX", "velocityY", "velocityZ", "velocity"],
  ["positionF32X", "positionF32Y", "positionF32Z", "positionF32"],
  ["velocityF32X", "velocityF32Y", "velocityF32Z", "velocityF32"],
  ["positionFixedX", "positionFixedY", "positionFixedZ", "positionFixed"],
  ["velocityFixedX", "velocityFixedY", "velocityFixedZ", "velocityFixed"],
] as const;
const kBodyFields = [
  "id",
  "kind",
  "name",
  "owner",
  "mass",
  "radius",
  "population",
  "hp",
  "temperature",
  "shield",
] as const;
const kItemFields = ["kind", "count"] as const;
const kPlayerFields = ["id", "name", "credits", "score", "status"] as const;
const kResearchFields = ["id", "name", "level", "progress", "cost"] as const;
const kEventFields = ["id", "tick", "kind", "body", "player", "amount"] as const;
const kChatFields = ["id", "player", "timeMs", "text"] as const;
const kCubeFields = ["x", "y", "z", "rotationX", "rotationY", "rotationZ", "rotationW", "touched"] as const;
const kWorldFields = ["tick", "timeMs"] as const;

export function updateWorld(state: World, snapshot: Uint8Array): void {
  const world = fb.World.getRootAsWorld(new ByteBuffer(snapshot));
  setFields(state, world, kWorldFields);
  setVector(state, ["viewerX", "viewerY", "viewerZ"], world.viewer());
  updateMap(
    state.bodies,
    list(world.bodiesLength(), (i) => world.bodies(i)),
    Body,
    updateBody,
  );
  updateMap(
    state.players,
    list(world.playersLength(), (i) => world.players(i)),
    Player,
    updatePlayer,
  );
  updateMap(
    state.research,
    list(world.researchLength(), (i) => world.research(i)),
    Research,
    updateResearch,
  );
  updateRing(
    state.events,
    list(world.eventsLength(), (i) => world.events(i)),
    Event,
    updateEvent,
  );
  updateRing(
    state.chat,
    list(world.chatLength(), (i) => world.chat(i)),
    ChatLine,
    updateChatLine,
  );
  updateList(
    state.cubes,
    list(world.cubesLength(), (i) => world.cubes(i)),
    Cube,
    updateCube,
  );
}

const updateItem = (to: Of<typeof Item>, from: fb.Item) => setFields(to, from, kItemFields);
const updateResearch = (to: Of<typeof Research>, from: fb.Research) => setFields(to, from, kResearchFields);
const updateEvent = (to: Of<typeof Event>, from: fb.Event) => setFields(to, from, kEventFields);
const updateChatLine = (to: Of<typeof ChatLine>, from: fb.ChatLine) => setFields(to, from, kChatFields);
const updateCube = (to: Of<typeof Cube>, from: fb.Cube) => setFields(to, from, kCubeFields);

function updateBody(to: Of<typeof Body>, from: fb.Body): void {
  setFields(to, from, kBodyFields);
  for (const [x, y, z, name] of kBodyVectors) setVector(to, [x, y, z], from[name]());
  for (let i = 0; i < from.resourcesLength(); i += 1) {
    const amount = from.resources(i) ?? 0;
    if (to.resources[i] !== amount) to.resources[i] = amount;
  }
  while (to.resources.length > from.resourcesLength()) to.resources.pop();
}

function updatePlayer(to: Of<typeof Player>, from: fb.Player): void {
  setFields(to, from, kPlayerFields);
  updateList(
    to.inventory,
    list(from.inventoryLength(), (i) => from.inventory(i)),
    Item,
    updateItem,
  );
}

function setFields<Name extends string>(
  to: Record<Name, number | string>,
  from: Record<Name, () => number | bigint | string | null>,
  names: readonly Name[],
): void {
  for (const name of names) {
    const value = from[name]();
    const held = typeof value === "bigint" ? Number(value) : value;
    if (held !== null && to[name] !== held) to[name] = held;
  }
}

function setVector<Name extends string>(
  to: { [name in Name]?: number | undefined },
  [x, y, z]: readonly [Name, Name, Name],
  from: Vector | null,
): void {
  if (from === null) return;
  if (to[x] !== from.x()) to[x] = from.x();
  if (to[y] !== from.y()) to[y] = from.y();
  if (to[z] !== from.z()) to[z] = from.z();
}

function list<Source>(length: number, at: (index: number) => Source | null): Source[] {
  return Array.from({ length }, (_, i) => at(i)).filter((source) => source !== null);
}

interface MapOf<Value> {
  readonly size: number;
  get(key: string): Value | undefined;
  set(key: string, value: Value): unknown;
  delete(key: string): unknown;
  keys(): Iterable<string>;
}

/** Those that are gone are deleted first; a new object is complete before it is added. */
function updateMap<Value, Source extends { id(): number }>(
  map: MapOf<Value>,
  sources: readonly Source[],
  make: new () => Value,
  update: (to: Value, from: Source) => void,
): void {
  const added: [string, Source][] = [];
  for (const from of sources) {
    const key = `${from.id()}`;
    const to = map.get(key);
    if (to === undefined) added.push([key, from]);
    else update(to, from);
  }
  if (map.size + added.length > sources.length) {
    const present = new Set(sources.map((from) => `${from.id()}`));
    for (const key of [...map.keys()]) if (!present.has(key)) map.delete(key);
  }
  for (const [key, from] of added) map.set(key, made(make, from, update));
}

interface ListOf<Value> {
  readonly length: number;
  [index: number]: Value;
  push(value: Value): unknown;
  pop(): unknown;
  shift(): unknown;
}

/** By position. */
function updateList<Value, Source>(
  list: ListOf<Value>,
  sources: readonly Source[],
  make: new () => Value,
  update: (to: Value, from: Source) => void,
): void {
  sources.forEach((from, i) => {
    const to = list[i];
    if (to === undefined) list.push(made(make, from, update));
    else update(to, from);
  });
  while (list.length > sources.length) list.pop();
}

/** The oldest go, new ones come at the end. */
function updateRing<Value extends { id: number }, Source extends { id(): number }>(
  ring: ListOf<Value>,
  sources: readonly Source[],
  make: new () => Value,
  update: (to: Value, from: Source) => void,
): void {
  const oldest = sources[0]?.id();
  while (ring.length > 0 && ring[0]?.id !== oldest) ring.shift();
  updateList(ring, sources, make, update);
}

function made<Value, Source>(
  make: new () => Value,
  from: Source,
  update: (to: Value, from: Source) => void,
): Value {
  const to = new make();
  update(to, from);
  return to;
}
