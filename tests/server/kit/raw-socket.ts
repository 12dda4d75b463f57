// A WebSocket client that keeps no rule unless told to: every bit of a frame can be chosen, and sent in any pieces.

import { createHash, randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { type HttpReply, parse } from "./http.js";
import { localPort } from "./ports.js";
import { until } from "./wait.js";

export const kOpcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export interface FrameOptions {
  readonly opcode?: number;
  readonly payload?: Uint8Array;
  /** Default true. */
  readonly fin?: boolean;
  /** Default true, as a client must. */
  readonly masked?: boolean;
  /** The three reserved bits, as a number from 0 to 7. */
  readonly rsv?: number;
  /** What the header says instead of the payload's length. */
  readonly declaredLength?: bigint;
}

export interface Frame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly payload: Uint8Array;
}

export interface UpgradeOptions {
  readonly token?: string | undefined;
  /** How the token travels. Default: as a header. */
  readonly by?: "header" | "subprotocol" | "query";
  readonly target?: string;
  readonly headers?: readonly string[];
  /** Default: 127.0.0.1. */
  readonly localAddress?: string;
}

/** Bytes of one frame. */
export function encodeFrame(options: FrameOptions): Uint8Array {
  const {
    opcode = kOpcode.binary,
    payload = new Uint8Array(0),
    fin = true,
    masked = true,
    rsv = 0,
  } = options;
  const length = options.declaredLength ?? BigInt(payload.length);
  const header: number[] = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const maskBit = masked ? 0x80 : 0;
  if (length < 126n) {
    header.push(maskBit | Number(length));
  } else if (length <= 0xffffn) {
    header.push(maskBit | 126, Number(length >> 8n), Number(length & 255n));
  } else {
    header.push(maskBit | 127);
    for (let i = 7n; i >= 0n; i -= 1n) header.push(Number((length >> (8n * i)) & 255n));
  }
  if (!masked) return Buffer.concat([Buffer.from(header), payload]);
  const mask = randomBytes(4);
  const body = Uint8Array.from(payload, (byte, i) => byte ^ (mask[i & 3] ?? 0));
  return Buffer.concat([Buffer.from(header), mask, body]);
}

/** The upgrade request of these options. */
export function upgradeRequest(port: number, key: string, options: UpgradeOptions): string {
  const { token, by = "header", headers = [] } = options;
  let target = options.target ?? "/api/ws";
  const lines = [`Host: 127.0.0.1:${port}`, "Upgrade: websocket", "Connection: Upgrade"];
  lines.push(`Sec-WebSocket-Key: ${key}`, "Sec-WebSocket-Version: 13", ...headers);
  if (token !== undefined) {
    if (by === "header") lines.push(`Authorization: Bearer ${token}`);
    if (by === "subprotocol") lines.push(`Sec-WebSocket-Protocol: libsync.v1, libsync.jwt.${token}`);
    if (by === "query") target += `?token=${token}`;
  }
  return `GET ${target} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
}

export class RawSocket {
  /** The answer to the upgrade. */
  reply: Omit<HttpReply, "peer" | "tookMs"> = { status: 0, headers: new Map(), body: "" };
  /** Frames that arrived and were not taken yet. */
  readonly frames: Frame[] = [];
  /** Set when the server sent a close frame. */
  close: { readonly code: number; readonly reason: string } | undefined;
  /** Set when the TCP connection has ended, by whomever. */
  isEnded = false;
  /** Bytes of frames received. */
  receivedBytes = 0;
  /** This end, as the server's log writes it. */
  peer = "";
  readonly socket: Socket;
  #buffer: Buffer = Buffer.alloc(0);
  #isUpgraded = false;
  #hasSentClose = false;

  private constructor(port: number, localAddress: string) {
    this.socket = connect({ port, host: "127.0.0.1", localAddress, localPort: localPort(), noDelay: true });
    this.socket.on("data", (bytes) => this.#take(bytes));
    this.socket.on("error", () => undefined); // a reset; "close" follows
    this.socket.on("close", () => {
      this.isEnded = true;
    });
  }

  /** Only the TCP connection. */
  static async open(port: number, localAddress = "127.0.0.1"): Promise<RawSocket> {
    for (let tries = 1; ; tries += 1) {
      const raw = new RawSocket(port, localAddress);
      const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
        raw.socket.once("connect", () => resolve(undefined));
        raw.socket.once("error", resolve);
      });
      const isTaken = error?.code === "EADDRINUSE" || error?.code === "EADDRNOTAVAIL";
      if (isTaken && tries < 100) continue;
      if (error !== undefined) throw error;
      raw.peer = `${localAddress}:${raw.socket.localPort}`;
      return raw;
    }
  }

  /** Asks for an upgrade; `reply.status` says whether it was given (101). */
  static async upgrade(port: number, options: UpgradeOptions = {}): Promise<RawSocket> {
    const raw = await RawSocket.open(port, options.localAddress);
    const key = randomBytes(16).toString("base64");
    raw.socket.write(upgradeRequest(port, key, options));
    await until("an answer to the upgrade", () => raw.reply.status !== 0 || raw.isEnded, 8_000, 2);
    if (raw.reply.status === 101) {
      const accept = createHash("sha1")
        .update(key + kGuid)
        .digest("base64");
      if (raw.reply.headers.get("sec-websocket-accept") !== accept)
        throw new Error("wrong Sec-WebSocket-Accept");
    }
    return raw;
  }

  /** An upgrade that must succeed. */
  static async connect(port: number, token: string, options: UpgradeOptions = {}): Promise<RawSocket> {
    const raw = await RawSocket.upgrade(port, { ...options, token });
    if (raw.reply.status !== 101) throw new Error(`the upgrade was answered with HTTP ${raw.reply.status}`);
    return raw;
  }

  /** Sends any bytes. */
  write(bytes: Uint8Array | string): void {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  sendFrame(options: FrameOptions): void {
    this.write(encodeFrame(options));
  }

  sendClose(code: number): void {
    this.#hasSentClose = true;
    this.sendFrame({ opcode: kOpcode.close, payload: Uint8Array.of(code >> 8, code & 255) });
  }

  /** Waits for the end of the connection. */
  async ended(timeoutMs = 5_000): Promise<void> {
    await until("the end of the connection", () => this.isEnded || this.socket.readableEnded, timeoutMs, 5);
  }

  /** Vanishes with a reset and without a word. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  destroy(): void {
    this.socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes]);
    if (!this.#isUpgraded && !this.#takeReply()) return;
    for (let frame = this.#takeFrame(); frame !== undefined; frame = this.#takeFrame()) {
      if (frame.opcode === kOpcode.close) {
        const text = Buffer.from(frame.payload);
        this.close = {
          code: text.length < 2 ? 1005 : text.readUInt16BE(0),
          reason: text.toString("utf8", 2),
        };
        this.#answerClose();
      } else {
        this.frames.push(frame);
      }
    }
  }

  /** This much even a hostile client does, so that nobody has to wait for it. */
  #answerClose(): void {
    if (!this.#hasSentClose) this.sendFrame({ opcode: kOpcode.close });
    this.#hasSentClose = true;
  }

  #takeReply(): boolean {
    const end = this.#buffer.indexOf("\r\n\r\n");
    if (end < 0) return false;
    this.reply = parse(this.#buffer.toString("latin1"));
    this.#buffer = this.#buffer.subarray(end + 4);
    this.#isUpgraded = this.reply.status === 101;
    return this.#isUpgraded;
  }

  #takeFrame(): Frame | undefined {
    const buffer = this.#buffer;
    if (buffer.length < 2) return undefined;
    const [first = 0, second = 0] = buffer;
    if ((second & 0x80) !== 0 || (first & 0x70) !== 0)
      throw new Error("the server sent a frame it must not send");
    let at = 2;
    let length = second & 0x7f;
    if (length >= 126) {
      at = length === 126 ? 4 : 10;
      if (buffer.length < at) return undefined;
      length = length === 126 ? buffer.readUInt16BE(2) : Number(buffer.readBigUInt64BE(2));
    }
    if (buffer.length < at + length) return undefined;
    this.#buffer = buffer.subarray(at + length);
    this.receivedBytes += at + length;
    return { opcode: first & 15, fin: (first & 0x80) !== 0, payload: buffer.subarray(at, at + length) };
  }
}
