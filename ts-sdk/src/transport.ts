// Transport: what carries messages. Its WebSocket form works with the one of browsers and Node >= 22, and with `ws`.

import { SyncError } from "./errors.js";

export interface TransportHandlers {
  readonly onOpen: () => void;
  readonly onFrame: (bytes: Uint8Array) => void;
  readonly onText: (text: string) => void;
  /** Called once, last. `httpStatus`: the answer to a refused upgrade, where the WebSocket tells it. */
  readonly onClosed: (code: number, reason: string, httpStatus: number | undefined) => void;
}

/** One connection. Nothing is called back after `close`. */
export interface Transport {
  send(bytes: Uint8Array): void;
  close(code: number, reason: string): void;
}

export type OpenTransport = (url: string, token: string, handlers: TransportHandlers) => Transport;

/** What is used of a WebSocket. */
export interface WebSocketLike {
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  /** Gets a Uint8Array. The types of platforms differ in which buffers it may view, hence no name for it here. */
  send(data: never): void;
  close(code?: number, reason?: string): void;
}

/** A WebSocket class, such as `WebSocket` of the package `ws`, or a function that makes one. */
export type WebSocketFactory =
  | (new (
      url: string,
      protocols: string[],
    ) => WebSocketLike)
  | ((url: string, protocols: string[]) => WebSocketLike);

const kSubprotocol = "libsync.v1";
const kTokenProtocolPrefix = "libsync.jwt.";
const kAbnormalClosure = 1006;

/**
 * Makes WebSockets with `webSocket`, or with the platform's own.
 * Throws SyncError kConnectFailed if there is neither.
 */
export function webSocketTransport(webSocket: WebSocketFactory | undefined): OpenTransport {
  const factory = webSocket ?? (globalThis as { WebSocket?: WebSocketFactory }).WebSocket;
  if (factory === undefined) {
    throw new SyncError(
      "kConnectFailed",
      'this platform has no WebSocket: pass one, as in connect({ webSocket: WebSocket }) with the package "ws"',
    );
  }
  return (url, token, handlers) => {
    const protocols = token === "" ? [kSubprotocol] : [kSubprotocol, `${kTokenProtocolPrefix}${token}`];
    return new WebSocketTransport(make(factory, url, protocols), handlers);
  };
}

function make(factory: WebSocketFactory, url: string, protocols: string[]): WebSocketLike {
  // An arrow function has no prototype and cannot be called with `new`; everything else can.
  if (factory.prototype === undefined) {
    return (factory as (url: string, protocols: string[]) => WebSocketLike)(url, protocols);
  }
  return new (factory as new (url: string, protocols: string[]) => WebSocketLike)(url, protocols);
}

class WebSocketTransport implements Transport {
  readonly #socket: WebSocketLike;
  #handlers: TransportHandlers | undefined;
  #errorText = "";

  constructor(socket: WebSocketLike, handlers: TransportHandlers) {
    this.#socket = socket;
    this.#handlers = handlers;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#handlers?.onOpen();
    socket.onmessage = (event: { data: unknown }) => this.#handleMessage(event.data);
    // Browsers tell nothing here; `ws` tells why an upgrade was refused. A close always follows.
    socket.onerror = (event: { message?: unknown }) => {
      if (typeof event.message === "string") this.#errorText = event.message;
    };
    socket.onclose = (event: { code?: number; reason?: string }) => {
      const { code = kAbnormalClosure, reason = "" } = event;
      const status = /^Unexpected server response: (\d{3})$/.exec(this.#errorText)?.[1];
      const taken = this.#handlers;
      this.#handlers = undefined;
      taken?.onClosed(code, reason || this.#errorText, status === undefined ? undefined : Number(status));
    };
  }

  send(bytes: Uint8Array): void {
    this.#socket.send(bytes as never);
  }

  close(code: number, reason: string): void {
    this.#handlers = undefined;
    // Browsers refuse the codes below 3000 other than 1000: there the reason, a code's name, says it.
    try {
      this.#socket.close(code, reason);
    } catch {
      this.#socket.close(1000, reason);
    }
  }

  #handleMessage(data: unknown): void {
    if (data instanceof ArrayBuffer) this.#handlers?.onFrame(new Uint8Array(data));
    else if (ArrayBuffer.isView(data)) {
      this.#handlers?.onFrame(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    } else if (typeof data === "string") this.#handlers?.onText(data);
  }
}
