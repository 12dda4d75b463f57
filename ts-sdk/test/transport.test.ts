// The client over real WebSockets on the loopback, with `ws` at both ends.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { type Client, type ConnectOptions, connect } from "../src/client.js";
import * as wire from "../src/generated/protocol_generated.js";
import type { ConnectionState, ReadableStore } from "../src/types.js";
import { ScriptedPeer } from "./scripted-peer.js";

const kOne = Uint8Array.of(1, 1, 1, 1);

let http: Server;
let url: string;
let client: Client | undefined;
/** What the server does with a connection. */
let serve: (socket: WebSocket) => void;
let protocols: string[];

beforeEach(async () => {
  serve = () => undefined;
  protocols = [];
  http = createServer();
  const server = new WebSocketServer({ noServer: true, handleProtocols: () => "libsync.v1" });
  http.on("upgrade", (request, socket, head) => {
    protocols = (request.headers["sec-websocket-protocol"] ?? "").split(",");
    if (protocols.includes("libsync.jwt.bad")) {
      socket.end("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    server.handleUpgrade(request, socket, head, (accepted) => serve(accepted));
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}/api/ws`;
});

afterEach(() => {
  client?.close();
  http.closeAllConnections();
  http.close();
});

const start = (options: Partial<ConnectOptions> = {}): Client => {
  client = connect({ url, webSocket: WebSocket, backoff: { minMs: 1, maxMs: 5 }, ...options });
  return client;
};

function until(store: ReadableStore<ConnectionState>, state: string): Promise<ConnectionState> {
  return new Promise((resolve) => {
    const check = () => {
      if (store.getSnapshot().state !== state) return;
      remove();
      resolve(store.getSnapshot());
    };
    const remove = store.subscribe(check);
    queueMicrotask(check);
  });
}

/** Answers Hello and Subscribe as a server of one topic does. */
function serveWorld(socket: WebSocket): void {
  const peer = new ScriptedPeer();
  peer.deliver = (bytes) => socket.send(bytes);
  socket.on("message", (data: Buffer) => {
    peer.take(new Uint8Array(data));
    const message = peer.received.at(-1);
    if (message instanceof wire.HelloT) peer.welcome();
    if (message instanceof wire.SubscribeT) {
      peer.subscribed("world", 1, 7n, 1n);
      peer.full(1, 1n, kOne);
    }
    if (message instanceof wire.ActionT) peer.actionResult(message.actionSequence);
  });
}

describe("WebSocket transport", () => {
  test("WebSocket transport: carries a session from Hello to a result", async () => {
    serve = serveWorld;
    const { connection, topic, act } = bound(start({ getToken: () => "good" }));
    const world = topic("world", (bytes) => bytes.length);
    await until(connection, "live");
    expect(protocols).toEqual(["libsync.v1", "libsync.jwt.good"]);
    expect(world.getSnapshot()).toMatchObject({ value: 4, version: 1n });
    await expect(act(Uint8Array.of(1))).resolves.toMatchObject({ status: "accepted" });
  });

  test("WebSocket transport: takes a function that makes WebSockets", async () => {
    serve = serveWorld;
    const made = start({ webSocket: (address, offered) => new WebSocket(address, offered) });
    await until(made.connection, "live");
  });

  test("WebSocket transport: says that the token is refused", async () => {
    let tokens = 0;
    const getToken = () => {
      tokens += 1;
      return "bad";
    };
    const state = await until(start({ getToken }).connection, "failed");
    expect(state).toMatchObject({ error: { code: "kUnauthenticated" } });
    expect(String(state.state === "failed" && state.error)).toContain("401");
    expect(tokens).toBe(2);
  });

  test("WebSocket transport: says that the other end speaks text", async () => {
    serve = (socket) => socket.send("welcome to the echo service");
    const state = await until(start().connection, "failed");
    expect(String(state.state === "failed" && state.error)).toContain("echo service");
  });

  test("WebSocket transport: comes back when the connection is cut", async () => {
    let connections = 0;
    serve = (socket) => {
      connections += 1;
      serveWorld(socket);
      if (connections === 1) setTimeout(() => socket.terminate(), 50);
    };
    const { connection, stats } = bound(start());
    await until(connection, "live");
    await until(connection, "reconnecting");
    await until(connection, "live");
    expect(stats().reconnects).toBe(1);
  });

  test("WebSocket transport: reports a server that is not there and goes on trying", async () => {
    const errors: string[] = [];
    http.close();
    const { connection, onError } = bound(start());
    onError((error) => errors.push(error.code));
    await until(connection, "reconnecting");
    await until(connection, "connecting");
    expect(new Set(errors)).toEqual(new Set(["kConnectFailed"]));
  });
});

/** The client's functions, to be used without it. */
function bound(made: Client) {
  return {
    connection: made.connection,
    topic: made.topic.bind(made),
    act: made.act.bind(made),
    stats: made.stats.bind(made),
    onError: made.onError.bind(made),
  };
}
