// Shows the universe of a running server in a terminal: node-client URL TOKEN. Needs Node, on 20 with the package `ws`.

import { connect } from "@libsync/sdk";
import { ByteBuffer } from "flatbuffers";
import { WebSocket } from "ws";
import { GameState } from "./generated/world_generated.js";
import { schemaFingerprint } from "./generated/world_schema.js";

const [url = "ws://127.0.0.1:8080/api/ws", token = ""] = process.argv.slice(2);
const client = connect({ url, getToken: () => token, schemaFingerprint, webSocket: WebSocket });
const world = client.topic("world", (bytes) => GameState.getRootAsGameState(new ByteBuffer(bytes)));

client.onError((error) => console.error(error.message));
client.connection.subscribe(() => console.log(client.connection.getSnapshot().state));
world.subscribe(() => {
  const snapshot = world.getSnapshot();
  if (snapshot === undefined) return;
  const { value, version, update } = snapshot;
  console.log(
    `version ${version}: ${value.bodiesLength()} bodies, ${update.kind} of ${update.wireBytes} bytes`,
  );
});
process.once("SIGINT", () => client.close());
