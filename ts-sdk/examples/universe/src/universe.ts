// The page's wiring: topics into the picture and the panels, clicks and keys into actions.

import { type ActionResult, connect, SyncError } from "@libsync/sdk";
import { ByteBuffer } from "flatbuffers";
import type { Insets } from "./camera.js";
import { byId, setText } from "./dom.js";
import { formatBytes, formatCount, formatDuration } from "./format.js";
import { decodeOutcome, encodeCreateBody, encodeSaveGame, encodeStartResearch } from "./game-actions.js";
import { type BodyType, GameState, Player } from "./generated/world_generated.js";
import { schemaFingerprint } from "./generated/world_schema.js";
import { type DigestEntry, recordDigest } from "./hook.js";
import { listen, listenKeys } from "./input.js";
import { Motion } from "./motion.js";
import { BodyCard } from "./panels/body-card.js";
import { ConnectionPanel } from "./panels/connection.js";
import { PalettePanel } from "./panels/palette.js";
import { ResearchPanel } from "./panels/research.js";
import { ResourcesPanel } from "./panels/resources.js";
import { Toasts } from "./panels/toasts.js";
import { TrafficPanel } from "./panels/traffic.js";
import { type Ghost, typeName } from "./scene.js";
import { Sky } from "./sky.js";
import { View } from "./view.js";

/** How often texts are brought up to date. */
const kRefreshMs = 200;
/** A ghost whose result never came is taken away. */
const kGhostMs = 8000;

interface PlacedGhost extends Ghost {
  readonly placedAtMs: number;
  visibleAt: { epoch: bigint; version: bigint } | undefined;
}

function worldUrl(): string {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/ws`;
}

/** Runs until the page is left. `onRefused`: the server seems not to want this token. */
export function runUniverse(token: string, user: string, onRefused: () => void): void {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const client = connect({ url: worldUrl(), getToken: () => token, schemaFingerprint });
  const world = client.topic("world", (bytes) => GameState.getRootAsGameState(new ByteBuffer(bytes)));
  const player = client.topic(`player/${user}`, (bytes) => Player.getRootAsPlayer(new ByteBuffer(bytes)));

  const canvas = byId<HTMLCanvasElement>("sky");
  const sky = new Sky(canvas, calm);
  const motion = new Motion();
  const view = new View(calm);
  const { camera } = view;
  const toasts = new Toasts();

  let pointer: { x: number; y: number } | undefined;
  let hovered = 0;
  const placed: PlacedGhost[] = [];
  const ghosts: Ghost[] = [];
  const births = new Map<number, number>();
  const digests: DigestEntry[] = [];
  const painted = { version: 0n, bodies: 0, atMs: 0, frames: 0, drawMs: 0 };

  // --- Panels ------------------------------------------------------------------------------------------------

  const layOut = (): void => view.resize(innerWidth, innerHeight, findInsets());
  const connection = new ConnectionPanel(client, () => cut());
  const resources = new ResourcesPanel();
  const traffic = new TrafficPanel(client, layOut);
  const research = new ResearchPanel((node) => {
    void perform(encodeStartResearch(node.id), () => {
      toasts.show("good", `${node.name} started`, `Done in ${formatDuration(node.durationMs)}.`);
    });
  }, layOut);
  const palette = new PalettePanel({
    onChoose: (type) => {
      document.body.classList.toggle("placing", type !== undefined);
      if (type !== undefined && innerWidth < 720) research.toggle(false);
    },
    onLocked: (type, opener) => {
      toasts.show(
        "plain",
        `${typeName(type)}s are locked`,
        "The research that opens them is marked in the tree.",
      );
      research.show(opener);
    },
  });
  const card = new BodyCard(() => view.follow(0));

  // --- Actions -----------------------------------------------------------------------------------------------

  async function perform(
    payload: Uint8Array,
    onAccepted: (result: ActionResult) => void,
  ): Promise<ActionResult | undefined> {
    try {
      const result = await client.act(payload);
      if (result.status === "accepted") onAccepted(result);
      else toasts.show("bad", "Refused", result.message || result.code.slice(1));
      return result;
    } catch (error) {
      const code = error instanceof SyncError ? error.code : "";
      if (code === "kUnknownInstance" || code === "kActionConflict")
        toasts.show(
          "bad",
          "No answer",
          "The server lost its record of this page: what became of it is unknown.",
        );
      else toasts.show("bad", "Not sent", error instanceof SyncError ? error.detail : String(error));
      return undefined;
    }
  }

  function place(type: BodyType, px: number, py: number): void {
    const at = camera.unproject(px, py, { x: 0, y: 0 });
    const ghost: PlacedGhost = {
      type,
      ...at,
      z: camera.z,
      placedAtMs: performance.now(),
      visibleAt: undefined,
    };
    placed.push(ghost);
    void perform(encodeCreateBody(type, at.x, at.y, camera.z), (result) => {
      const seen = result.visibleAt.find((each) => each.topic === world.name);
      ghost.visibleAt = seen ?? { epoch: 0n, version: 0n };
      const id = decodeOutcome(result.payload)?.bodyId() ?? 0;
      toasts.show(
        "good",
        `${typeName(type)} created`,
        id === 0 ? "" : `Body ${formatCount(id)} is on its way around.`,
      );
    }).then((result) => {
      if (result?.status !== "accepted") forget(ghost);
      else dropSeenGhosts();
    });
  }

  function forget(ghost: PlacedGhost): void {
    const at = placed.indexOf(ghost);
    if (at >= 0) placed.splice(at, 1);
  }

  // A ghost leaves when the version that shows its body is here.
  function dropSeenGhosts(): void {
    const held = world.getSnapshot();
    if (held === undefined) return;
    for (const ghost of [...placed]) {
      const { visibleAt } = ghost;
      if (visibleAt === undefined) continue;
      if (visibleAt.epoch !== held.epoch || held.version >= visibleAt.version) forget(ghost);
    }
  }

  byId("save").addEventListener("click", () => {
    const button = byId<HTMLButtonElement>("save");
    button.disabled = true;
    void perform(encodeSaveGame(), (result) => {
      const tick = decodeOutcome(result.payload)?.savedTick() ?? 0n;
      toasts.show("good", "Universe saved", tick === 0n ? "" : `At tick ${formatCount(Number(tick))}.`);
    }).finally(() => {
      button.disabled = false;
    });
  });

  // --- Losing the connection and coming back -----------------------------------------------------------------

  let lost: { atMs: number; epoch: bigint; version: bigint } | undefined;
  let wasLive = false;

  function cut(): void {
    if (client.connection.getSnapshot().state === "live") noteLoss();
    client.reconnect();
  }

  function noteLoss(): void {
    const held = world.getSnapshot();
    if (lost !== undefined || held === undefined) return;
    lost = { atMs: performance.now(), epoch: held.epoch, version: held.version };
    traffic.markCut(lost.atMs);
  }

  function tellReturn(how: string): void {
    if (lost === undefined) return;
    const seconds = (performance.now() - lost.atMs) / 1000;
    const text = `Back in ${seconds.toFixed(2)} s: ${how}`;
    lost = undefined;
    traffic.tellResume(text);
    toasts.show("good", "Connection is back", how);
  }

  client.connection.subscribe(() => {
    const now = client.connection.getSnapshot();
    if (now.state === "live") {
      if (lost !== undefined && wasLive && world.getSnapshot()?.version === lost.version) {
        tellReturn("already up to date, nothing was sent.");
      }
      wasLive = true;
    } else if (wasLive && (now.state === "reconnecting" || now.state === "failed")) {
      noteLoss();
    }
    document.body.dataset["connection"] = now.state;
    // A browser does not tell a page why a WebSocket was refused: a server that is there but never lets us in means
    // the token.
    if (now.state === "failed" && now.error.code === "kUnauthenticated") onRefused();
    if (!wasLive && now.state === "reconnecting" && now.attempt >= 3) {
      fetch("./healthz").then(
        (reply) => {
          if (reply.ok && !wasLive) onRefused();
        },
        () => undefined,
      );
    }
  });

  client.onError((error) => console.warn("libsync:", error.message));

  // --- Topics ------------------------------------------------------------------------------------------------

  let knownOwned = new Set<number>();
  let generation = -1;
  world.subscribe(() => {
    const snapshot = world.getSnapshot();
    if (snapshot === undefined) return;
    const now = performance.now();
    recordDigest(digests, snapshot);
    traffic.add(snapshot, now);
    motion.push(snapshot.value, now);
    dropSeenGhosts();
    if (lost !== undefined && (snapshot.epoch !== lost.epoch || snapshot.version !== lost.version)) {
      const { kind, wireBytes, snapshotBytes } = snapshot.update;
      const versions = snapshot.epoch === lost.epoch ? Number(snapshot.version - lost.version) : 0;
      tellReturn(
        kind === "patch"
          ? `one patch of ${formatBytes(wireBytes)} over ${formatCount(versions)} ${versions === 1 ? "version" : "versions"}, instead of ${formatBytes(snapshotBytes)}.`
          : kind === "chunkDiff"
            ? `what was missing of the state, ${formatBytes(wireBytes)} instead of ${formatBytes(snapshotBytes)}.`
            : `the full state, ${formatBytes(wireBytes)}.`,
      );
    }
    const frame = motion.newest;
    if (frame === undefined || frame.generation === generation) return;
    const first = generation === -1;
    generation = frame.generation;
    const owned = new Set<number>();
    for (let i = 0; i < frame.count; i += 1) {
      if ((frame.labels[i]?.owner ?? "") === "") continue;
      const id = frame.ids[i] as number;
      owned.add(id);
      if (!first && !knownOwned.has(id)) births.set(id, now);
    }
    knownOwned = owned;
    view.measure(frame);
  });

  player.subscribe(() => {
    const snapshot = player.getSnapshot();
    if (snapshot === undefined) return;
    research.update(snapshot.value);
    palette.update(snapshot.value);
    refresh();
  });

  // --- Texts -------------------------------------------------------------------------------------------------

  function refresh(): void {
    const now = performance.now();
    const gameTimeMs = motion.gameTimeMs(now);
    const me = player.getSnapshot()?.value;
    if (me !== undefined) {
      resources.refresh(me, gameTimeMs);
      palette.refresh(resources.amounts);
      research.refresh(resources.amounts, gameTimeMs);
    }
    connection.refresh();
    traffic.refresh(now);
    const frame = motion.newest;
    card.refresh(frame, view.followed, user);
    if (frame !== undefined) {
      const mine = me === undefined ? "" : ` · ${me.bodiesCreated()} of ${me.bodiesAllowed()} yours`;
      setText(byId("sky-facts"), `${user} · ${formatCount(frame.count)} bodies${mine}`);
    }
    for (const ghost of [...placed]) if (now - ghost.placedAtMs > kGhostMs) forget(ghost);
    for (const [id, since] of births) if (now - since > 3000) births.delete(id);
  }

  // --- Input -------------------------------------------------------------------------------------------------

  const scene = {
    get frame() {
      return motion.newest;
    },
    get positions() {
      return motion.positions;
    },
    camera,
    user,
    get followed() {
      return view.followed;
    },
    get hovered() {
      return hovered;
    },
    ghosts,
    births,
    get live() {
      return client.connection.getSnapshot().state === "live";
    },
  };

  listen(canvas, {
    onPan: (dx, dy) => view.pan(dx, dy),
    onZoom: (px, py, factor) => view.zoomAt(px, py, factor),
    onHover: (at) => {
      pointer = at;
    },
    onTap: (px, py) => {
      const type = palette.selected;
      if (type !== undefined) {
        place(type, px, py);
        return;
      }
      const id = sky.pick(scene, px, py);
      if (id !== 0 && id === view.followed) view.zoomStep(2.5);
      else view.follow(id);
      refresh();
    },
  });

  const setTilt = (): void => {
    view.toggleTilt();
    byId("tilt").setAttribute("aria-pressed", String(view.isTilted));
  };
  byId("zoom-in").addEventListener("click", () => view.zoomStep(1.5));
  byId("zoom-out").addEventListener("click", () => view.zoomStep(1 / 1.5));
  byId("zoom-fit").addEventListener("click", () => view.fit());
  byId("tilt").addEventListener("click", setTilt);
  listenKeys({
    "+": () => view.zoomStep(1.3),
    "=": () => view.zoomStep(1.3),
    "-": () => view.zoomStep(1 / 1.3),
    "0": () => view.fit(),
    t: setTilt,
    r: () => research.toggle(),
    ArrowLeft: () => view.pan(60, 0),
    ArrowRight: () => view.pan(-60, 0),
    ArrowUp: () => view.pan(0, 60),
    ArrowDown: () => view.pan(0, -60),
    Enter: () => {
      if (palette.selected !== undefined) place(palette.selected, camera.centreX, camera.centreY);
    },
    Escape: () => {
      if (palette.selected !== undefined) palette.choose(undefined);
      else if (view.followed !== 0) view.follow(0);
      else research.toggle(false);
    },
    ...Object.fromEntries([1, 2, 3, 4, 5, 6].map((n) => [String(n), () => palette.chooseNth(n - 1)])),
  });

  // --- Pictures ----------------------------------------------------------------------------------------------

  let last = performance.now();
  let windowKey = "";
  function paint(now: number): void {
    requestAnimationFrame(paint);
    const began = performance.now();
    const key = `${innerWidth}/${innerHeight}/${devicePixelRatio}`;
    if (key !== windowKey) {
      windowKey = key;
      sky.resize(innerWidth, innerHeight, Math.min(2, devicePixelRatio));
      layOut();
    }
    motion.sample(began, scene.live);
    view.step(Math.min(100, now - last), motion.newest, motion.positions);
    last = now;

    ghosts.length = 0;
    ghosts.push(...placed);
    const type = palette.selected;
    hovered = 0;
    if (pointer !== undefined && type !== undefined) {
      const at = camera.unproject(pointer.x, pointer.y, { x: 0, y: 0 });
      ghosts.push({ type, x: at.x, y: at.y, z: camera.z, placedAtMs: undefined });
    } else if (pointer !== undefined) {
      hovered = sky.pick(scene, pointer.x, pointer.y);
      canvas.classList.toggle("over-body", hovered !== 0);
    }
    sky.draw(scene, began, view.fitScale);

    painted.version = world.getSnapshot()?.version ?? 0n;
    painted.bodies = motion.newest?.count ?? 0;
    painted.atMs = Date.now();
    painted.frames += 1;
    painted.drawMs += performance.now() - began;
  }

  window.__libsync = {
    client,
    world,
    player,
    digests,
    get mismatches() {
      return client.stats().digestMismatches;
    },
    painted,
    project: (x, y, z) => camera.project(x, y, z, { x: 0, y: 0 }),
  };

  setInterval(refresh, kRefreshMs);
  requestAnimationFrame(paint);
}

/** What the panels leave of the window. */
function findInsets(): Insets {
  const wide = innerWidth >= 720 && innerHeight > 560;
  const box = (id: string): DOMRect => byId(id).getBoundingClientRect();
  const research = byId("research");
  if (wide) {
    return {
      left: research.hidden ? 0 : box("research").right,
      top: 44,
      right: innerWidth - box("traffic").left,
      bottom: 70,
    };
  }
  return {
    left: 0,
    top: byId("traffic").classList.contains("folded") ? box("traffic").bottom : 100,
    right: 0,
    bottom: 130,
  };
}
