import { ByteBuffer } from "flatbuffers";
import { describe, expect, test } from "vitest";
import { SyncError } from "../src/errors.js";
import * as wire from "../src/generated/protocol_generated.js";
import { type ClientMessage, decodeMessage, kEnvelopeBytes } from "../src/message.js";
import { encodeMessage } from "../src/message-writer.js";
import { codeOf, envelope, makeRandom, welcome } from "./support.js";

type WireMessage = NonNullable<wire.EnvelopeT["message"]>;

const kServerMessages: readonly [wire.Message, WireMessage, object][] = [
  [
    wire.Message.Welcome,
    welcome({
      secret: [1, 2, 3],
      outcome: wire.SessionOutcome.kResumed,
      freshReason: wire.FreshReason.kUnknownSession,
      schemaFingerprint: 5n,
      lastActionSequence: 6n,
      tokenExpiresInMs: 7n,
      ledger: new wire.Id128T(8n, 9n),
      firstSeenMs: 10n,
    }),
    {
      type: "welcome",
      protocol: 1,
      patchFormat: 1,
      resume: { session: { low: 1n, high: 2n }, secret: Uint8Array.of(1, 2, 3) },
      outcome: wire.SessionOutcome.kResumed,
      freshReason: wire.FreshReason.kUnknownSession,
      schemaFingerprint: 5n,
      server: "test",
      lastActionSequence: 6n,
      tokenExpiresInMs: 7,
      ledger: { low: 8n, high: 9n },
      firstSeenMs: 10n,
      limits: {
        maxMessageBytes: 65_536,
        maxSnapshotBytes: 1 << 24,
        maxTopics: 64,
        maxActionsInFlight: 4,
        messagesPerSecond: 60,
        messagesBurst: 120,
        updatesPerSecond: 10,
        heartbeatIntervalMs: 9_000,
        heartbeatTimeoutMs: 9_000,
        reconnectWindowMs: 2_000,
      },
    },
  ],
  [
    wire.Message.Subscribed,
    new wire.SubscribedT("welt/\u00fc", 4, 2n ** 64n - 1n, 9n, wire.TopicOutcome.kPatch),
    { type: "subscribed", name: "welt/\u00fc", topic: 4, epoch: 2n ** 64n - 1n, version: 9n, outcome: 2 },
  ],
  [
    wire.Message.Unsubscribed,
    new wire.UnsubscribedT(4, wire.ErrorCode.kForbiddenTopic),
    { type: "unsubscribed", topic: 4, code: "kForbiddenTopic" },
  ],
  [
    wire.Message.ActionResult,
    new wire.ActionResultT(
      3n,
      wire.ActionStatus.kRefused,
      wire.ErrorCode.kActionRefused,
      "no",
      [new wire.TopicVersionT(1, 2n, 3n), new wire.TopicVersionT(4, 5n, 6n)],
      true,
      [9, 8, 7],
      250,
    ),
    {
      type: "actionResult",
      actionSequence: 3n,
      status: wire.ActionStatus.kRefused,
      code: "kActionRefused",
      message: "no",
      visibleAt: [
        { topic: 1, epoch: 2n, version: 3n },
        { topic: 4, epoch: 5n, version: 6n },
      ],
      durable: true,
      payload: Uint8Array.of(9, 8, 7),
      retryAfterMs: 250,
    },
  ],
  [wire.Message.ActionsDurable, new wire.ActionsDurableT(5n), { type: "actionsDurable", actionSequence: 5n }],
  [
    wire.Message.TokenRefreshed,
    new wire.TokenRefreshedT(60_000n),
    { type: "tokenRefreshed", expiresInMs: 60_000 },
  ],
  [
    wire.Message.GoAway,
    new wire.GoAwayT(30_000, "maintenance"),
    { type: "goAway", withinMs: 30_000, message: "maintenance" },
  ],
  [wire.Message.Heartbeat, new wire.HeartbeatT(1n, 2n), { type: "heartbeat", sentMs: 1n, echoMs: 2n }],
  [
    wire.Message.Error,
    new wire.ErrorT(wire.ErrorCode.kRateLimited, wire.Recovery.kRetryable, 250, 8n, "world", "slow down"),
    {
      type: "error",
      code: "kRateLimited",
      recovery: wire.Recovery.kRetryable,
      retryAfterMs: 250,
      refSequence: 8n,
      topic: "world",
      message: "slow down",
    },
  ],
  [
    wire.Message.Disconnect,
    new wire.DisconnectT(wire.CloseCode.kServiceRestart, wire.ErrorCode.kShuttingDown, true, 100, "bye"),
    {
      type: "disconnect",
      closeCode: 1012,
      code: "kShuttingDown",
      reconnect: true,
      retryAfterMs: 100,
      message: "bye",
    },
  ],
];

const buffers = () => kServerMessages.map(([type, message], i) => envelope(BigInt(i + 1), type, message));

describe("decodeMessage", () => {
  test.each(kServerMessages)(
    "decodeMessage: reads what the generated code wrote, type %i",
    (type, message, value) => {
      expect(decodeMessage(envelope(77n, type, message))).toEqual({ sequence: 77n, message: value });
    },
  );

  test("decodeMessage: reads messages whose fields are all absent", () => {
    const empty = decodeMessage(envelope(1n, wire.Message.Error, new wire.ErrorT()));
    expect(empty.message).toMatchObject({ code: "kNone", topic: "", message: "" });
    const plain = welcome({ session: null, ledger: null });
    expect(decodeMessage(envelope(1n, wire.Message.Welcome, plain)).message).toMatchObject({
      resume: undefined,
      ledger: undefined,
      tokenExpiresInMs: Number.POSITIVE_INFINITY,
    });
  });

  test("decodeMessage: refuses a message cut at any length", () => {
    for (const bytes of buffers()) {
      // A builder pads the end to the largest alignment: what is cut there is nothing.
      const whole = decodeMessage(bytes);
      for (let size = 0; size < bytes.length; size += 1) {
        const code = codeOf(() => expect(decodeMessage(bytes.slice(0, size))).toEqual(whole));
        if (code === "nothing thrown") expect(bytes.length - size).toBeLessThan(8);
        else expect(code).toBe("kMalformed");
      }
    }
  });

  test("decodeMessage: refuses what only clients send, unknown types and nothing", () => {
    const ack = envelope(1n, wire.Message.Ack, new wire.AckT());
    expect(codeOf(() => decodeMessage(ack))).toBe("kUnexpectedMessage");
    expect(codeOf(() => decodeMessage(withType(18)))).toBe("kUnknownMessage");
    expect(codeOf(() => decodeMessage(withType(255)))).toBe("kUnknownMessage");
    expect(codeOf(() => decodeMessage(withType(0)))).toBe("kMalformed");
  });

  test("decodeMessage: refuses another identifier", () => {
    const bytes = buffers()[0] ?? new Uint8Array(0);
    bytes[7] = 0x32;
    expect(codeOf(() => decodeMessage(bytes))).toBe("kMalformed");
  });

  test("decodeMessage: meets flipped bits with a typed error or a value", () => {
    const random = makeRandom(21);
    const counts = new Map<string, number>();
    for (let round = 0; round < 6_000; round += 1) {
      const bytes = buffers()[round % kServerMessages.length] ?? new Uint8Array(0);
      for (let flips = 0; flips <= round % 4; flips += 1) {
        const at = Math.floor(random() * bytes.length);
        bytes[at] = round % 2 === 0 ? (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8)) : 0xff;
      }
      const code = codeOf(() => decodeMessage(bytes));
      counts.set(code, (counts.get(code) ?? 0) + 1);
    }
    const codes = new Set(counts.keys());
    for (const code of ["nothing thrown", "kMalformed", "kUnexpectedMessage", "kUnknownMessage"])
      codes.delete(code);
    expect([...codes]).toEqual([]);
    expect(counts.get("kMalformed")).toBeGreaterThan(500);
  });

  test("decodeMessage: refuses a string without its end", () => {
    const error = Object.assign(new wire.ErrorT(), { message: "slow down" });
    const bytes = envelope(1n, wire.Message.Error, error);
    const end = Buffer.from(bytes).indexOf("slow down") + "slow down".length;
    expect(codeOf(() => decodeMessage(bytes))).toBe("nothing thrown");
    bytes[end] = 1;
    expect(codeOf(() => decodeMessage(bytes))).toBe("kMalformed");
  });

  test("decodeMessage: refuses a vector that claims more elements than there are bytes", () => {
    const result = new wire.ActionResultT(
      1n,
      0,
      0,
      null,
      [new wire.TopicVersionT(1, 2n, 3n)],
      false,
      [1, 2, 3, 4],
    );
    const bytes = envelope(1n, wire.Message.ActionResult, result);
    let claims = 0;
    for (let at = 0; at + 4 <= bytes.length; at += 4) {
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      const length = view.getUint32(at, true);
      if (length !== 4 && length !== 1) continue;
      view.setUint32(at, 0x7fff_fff0, true);
      if (codeOf(() => decodeMessage(bytes)) === "kMalformed") claims += 1;
      view.setUint32(at, length, true);
    }
    expect(claims).toBeGreaterThanOrEqual(2);
  });
});

describe("encodeMessage", () => {
  const read = (message: ClientMessage) => {
    const bytes = encodeMessage(5n, message);
    expect((bytes[0] ?? 1) & 3).toBe(0);
    const buffer = new ByteBuffer(bytes);
    expect(wire.Envelope.bufferHasIdentifier(buffer)).toBe(true);
    const root = wire.Envelope.getRootAsEnvelope(buffer).unpack();
    expect(root.sequence).toBe(5n);
    return root.message;
  };

  test("encodeMessage: takes less than the bytes set aside around a payload and around chunks", () => {
    for (const n of [0, 1, 7, 24_576]) {
      const bytes = new Uint8Array(n);
      const chunks = { sizeBytes: 2 ** 32 - 1, fingerprints: bytes };
      const cause = wire.ErrorCode.kWrongBaseline;
      const messages: ClientMessage[] = [
        { type: "getState", topic: 2 ** 32 - 1, cause, chunks },
        {
          type: "action",
          actionSequence: 2n ** 64n - 1n,
          payload: bytes,
          confirmedAction: 2n ** 64n - 2n,
          isWithdrawn: true,
        },
      ];
      for (const message of messages)
        expect(encodeMessage(2n ** 64n - 1n, message).length).toBeLessThanOrEqual(n + kEnvelopeBytes);
    }
  });

  test("encodeMessage: writes every message of a client", () => {
    expect(
      read({
        type: "hello",
        protocolMin: 1,
        protocolMax: 2,
        patchFormatMax: 1,
        instance: { low: 3n, high: 4n },
        isNew: true,
        schemaFingerprint: 5n,
        sdk: "sdk",
        maxSnapshotBytes: 6,
        attempt: 7n,
        ledger: undefined,
        firstSeenMs: 0n,
        confirmedAction: 0n,
        resume: undefined,
      }),
    ).toEqual(new wire.HelloT(1, 2, 1, new wire.Id128T(3n, 4n), true, 5n, "sdk", 6, null, 7n));
    const have = { epoch: 1n, version: 2n, digest: 3n };
    expect(
      read({
        type: "subscribe",
        topics: [
          { name: "a", priority: 128, have: undefined },
          { name: "b", priority: 0, have },
        ],
      }),
    ).toEqual(
      new wire.SubscribeT([
        new wire.TopicRequestT("a", 128, null),
        new wire.TopicRequestT("b", 0, new wire.PositionT(1n, 2n, 3n)),
      ]),
    );
    expect(read({ type: "unsubscribe", topics: [1, 2] })).toEqual(new wire.UnsubscribeT([1, 2]));
    const cause = wire.ErrorCode.kDigestMismatch;
    expect(read({ type: "getState", topic: 7, cause, chunks: undefined })).toEqual(
      new wire.GetStateT(7, cause),
    );
    const chunks = { sizeBytes: 700, fingerprints: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255) };
    expect(read({ type: "getState", topic: 7, cause, chunks })).toEqual(
      new wire.GetStateT(7, cause, new wire.HeldChunksT(700, [...chunks.fingerprints])),
    );
    const action = { type: "action", actionSequence: 9n, confirmedAction: 8n } as const;
    expect(read({ ...action, payload: Uint8Array.of(1, 2), isWithdrawn: false })).toEqual(
      new wire.ActionT(9n, [1, 2], 8n, false),
    );
    expect(read({ ...action, payload: new Uint8Array(0), isWithdrawn: true })).toEqual(
      new wire.ActionT(9n, [], 8n, true),
    );
    const versions = [{ topic: 1, epoch: 2n, version: 3n }];
    expect(read({ type: "ack", versions, receivedSequence: 4n, confirmedAction: 5n })).toEqual(
      new wire.AckT([new wire.TopicVersionT(1, 2n, 3n)], 4n, 5n),
    );
    expect(read({ type: "refreshToken", token: "to.k.en" })).toEqual(new wire.RefreshTokenT("to.k.en"));
    expect(
      read({ type: "disconnect", closeCode: 1007, code: 1001, reconnect: false, message: "why" }),
    ).toEqual(new wire.DisconnectT(1007, 1001, false, 0, "why"));
    expect(read({ type: "heartbeat", sentMs: 1n, echoMs: 0n })).toEqual(new wire.HeartbeatT(1n, 0n));
  });
});

describe("SyncError", () => {
  test("SyncError: says its code in words and for programs", () => {
    const error = new SyncError("kMalformed", "bad", { topic: "world", closeCode: 1007 });
    expect(error).toMatchObject({
      code: "kMalformed",
      message: "kMalformed: bad",
      topic: "world",
      closeCode: 1007,
    });
    expect(error).toBeInstanceOf(Error);
  });
});

/** An Error message whose type byte says something else. */
function withType(type: number): Uint8Array {
  const bytes = envelope(1n, wire.Message.Error, new wire.ErrorT());
  const at = bytes.indexOf(wire.Message.Error);
  const changed = bytes.slice();
  for (let i = at; i < bytes.length; i += 1) {
    if (bytes[i] !== wire.Message.Error) continue;
    const tried = bytes.slice();
    tried[i] = type;
    if (wire.Envelope.getRootAsEnvelope(new ByteBuffer(tried)).messageType() === type) return tried;
  }
  return changed;
}
