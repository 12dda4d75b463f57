// The payloads of the game's actions, as bytes for `client.act`.

import { Builder, ByteBuffer } from "flatbuffers";
import {
  ActionBody,
  ActionOutcome,
  type BodyType,
  CreateCelestialBody,
  PlayerAction,
  SaveGame,
  StartResearch,
  Vec3,
} from "./generated/world_generated.js";

function finish(builder: Builder, type: ActionBody, body: number): Uint8Array {
  builder.finish(PlayerAction.createPlayerAction(builder, type, body));
  return builder.asUint8Array();
}

export function encodeCreateBody(type: BodyType, x: number, y: number, z: number): Uint8Array {
  const builder = new Builder(128);
  CreateCelestialBody.startCreateCelestialBody(builder);
  CreateCelestialBody.addBodyType(builder, type);
  CreateCelestialBody.addPosition(builder, Vec3.createVec3(builder, x, y, z));
  return finish(builder, ActionBody.CreateCelestialBody, CreateCelestialBody.endCreateCelestialBody(builder));
}

export function encodeStartResearch(research: number): Uint8Array {
  const builder = new Builder(64);
  StartResearch.startStartResearch(builder);
  StartResearch.addResearch(builder, research);
  return finish(builder, ActionBody.StartResearch, StartResearch.endStartResearch(builder));
}

export function encodeSaveGame(): Uint8Array {
  const builder = new Builder(64);
  SaveGame.startSaveGame(builder);
  return finish(builder, ActionBody.SaveGame, SaveGame.endSaveGame(builder));
}

/** The game's answer to an accepted action; undefined where it gave none. */
export function decodeOutcome(payload: Uint8Array | undefined): ActionOutcome | undefined {
  if (payload === undefined || payload.length < 8) return undefined;
  return ActionOutcome.getRootAsActionOutcome(new ByteBuffer(payload));
}
