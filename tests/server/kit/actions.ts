// Payloads of the reference game's actions, and its answers.

import { Builder, ByteBuffer } from "flatbuffers";
import * as action from "../generated/world_generated.js";

const { ActionBody, ActionOutcome, CreateCelestialBodyT, PlayerActionT, SaveGameT, StartResearchT } = action;

export { BodyType, ResearchStatus } from "../generated/world_generated.js";

function encode(type: action.ActionBody, body: action.PlayerActionT["body"]): Uint8Array {
  const builder = new Builder(128);
  builder.finish(new PlayerActionT(type, body).pack(builder));
  return builder.asUint8Array();
}

export interface BodyRequest {
  readonly type?: action.BodyType;
  readonly at?: readonly [number, number, number];
  readonly name?: string;
}

/** By default an asteroid somewhere above the plane, where nothing else is. */
export function createBody({
  type = action.BodyType.kAsteroid,
  at,
  name = "",
}: BodyRequest = {}): Uint8Array {
  const [x, y, z] = at ?? [Math.random() * 200 - 100, Math.random() * 200 - 100, 600 + Math.random() * 100];
  const body = new CreateCelestialBodyT(type, new action.Vec3T(x, y, z), name);
  return encode(ActionBody.CreateCelestialBody, body);
}

export function startResearch(research: number): Uint8Array {
  return encode(ActionBody.StartResearch, new StartResearchT(research));
}

export function saveGame(): Uint8Array {
  return encode(ActionBody.SaveGame, new SaveGameT());
}

export function readOutcome(payload: Uint8Array | readonly number[]): { bodyId: number; savedTick: bigint } {
  const outcome = ActionOutcome.getRootAsActionOutcome(new ByteBuffer(Uint8Array.from(payload)));
  return { bodyId: outcome.bodyId(), savedTick: outcome.savedTick() };
}

export function readWorld(bytes: Uint8Array): action.GameState {
  return action.GameState.getRootAsGameState(new ByteBuffer(bytes));
}

export function readPlayer(bytes: Uint8Array): action.Player {
  return action.Player.getRootAsPlayer(new ByteBuffer(bytes));
}

/** The names of all bodies that have one. */
export function bodyNames(world: action.GameState): string[] {
  const names: string[] = [];
  for (let i = 0; i < world.bodiesLength(); i += 1) {
    const name = world.bodies(i)?.name();
    if (typeof name === "string" && name !== "") names.push(name);
  }
  return names;
}
