// What the state costs on the wire: every update of the last minute beside the size of the full state, on a log scale.

import type { Client, TopicSnapshot, UpdateKind } from "@libsync/sdk";
import { byId, setText } from "../dom.js";
import { formatBytes, formatCount, formatRatio } from "../format.js";
import { contextOf } from "../sprites.js";

interface Sample {
  readonly atMs: number;
  readonly kind: UpdateKind;
  readonly wireBytes: number;
  readonly snapshotBytes: number;
}

const kWindowMs = 60_000;
/** Enough for 20 updates a second. */
const kMaxSamples = 1200;
const kTicks = [100, 1000, 10_000, 100_000, 1_000_000, 10_000_000];
const kPatchColour = "#6fe0c2";
const kFullColour = "#b9a2ff";

export class TrafficPanel {
  private readonly samples: Sample[] = [];
  private readonly cuts: number[] = [];
  private readonly plot = byId<HTMLCanvasElement>("plot");
  private readonly context = contextOf(this.plot);
  private readonly panel = byId("traffic");
  private readonly toggle = byId<HTMLButtonElement>("traffic-toggle");
  private readonly ratio = byId("ratio");
  private readonly patch = byId("patch-bytes");
  private readonly full = byId("full-bytes");
  private readonly rate = byId("rate-bytes");
  private readonly checks = byId("checks");
  private readonly count = byId("checks-count");
  private readonly bad = byId("checks-bad");
  private readonly resume = byId("resume");

  constructor(
    private readonly client: Client,
    onResize: () => void,
  ) {
    const small = matchMedia("(max-width: 719px), (max-height: 560px)");
    const fold = (folded: boolean): void => {
      this.panel.classList.toggle("folded", folded);
      this.toggle.setAttribute("aria-expanded", String(!folded));
      onResize();
    };
    fold(small.matches);
    small.addEventListener("change", () => fold(small.matches));
    this.toggle.addEventListener("click", () => fold(!this.panel.classList.contains("folded")));
  }

  /** A new version of the world. */
  add(snapshot: TopicSnapshot<unknown>, nowMs: number): void {
    const { kind, wireBytes, snapshotBytes } = snapshot.update;
    this.samples.push({ atMs: nowMs, kind, wireBytes, snapshotBytes });
    if (this.samples.length > kMaxSamples) this.samples.shift();
  }

  /** The connection was cut. */
  markCut(nowMs: number): void {
    this.cuts.push(nowMs);
    if (this.cuts.length > 20) this.cuts.shift();
    this.tellResume("Connection cut. Holding the last state…");
  }

  tellResume(text: string): void {
    this.resume.hidden = false;
    setText(this.resume, text);
  }

  /** Called a few times a second. */
  refresh(nowMs: number): void {
    while (this.samples.length > 0 && (this.samples[0] as Sample).atMs < nowMs - kWindowMs)
      this.samples.shift();
    let patches = 0;
    let patchBytes = 0;
    let patchSnapshots = 0;
    let bytes = 0;
    for (const sample of this.samples) {
      bytes += sample.wireBytes;
      if (sample.kind !== "patch") continue;
      patches += 1;
      patchBytes += sample.wireBytes;
      patchSnapshots += sample.snapshotBytes;
    }
    const last = this.samples.at(-1);
    if (patches > 0 && patchBytes > 0) {
      setText(this.ratio, formatRatio(patchSnapshots / patchBytes));
      setText(this.patch, formatBytes(patchBytes / patches));
    }
    if (last !== undefined) {
      setText(this.full, formatBytes(last.snapshotBytes));
      const span = Math.max(1000, nowMs - (this.samples[0] as Sample).atMs);
      setText(this.rate, `${formatBytes((1000 * bytes) / span)}/s`);
    }
    const stats = this.client.stats();
    setText(this.count, `${formatCount(stats.updates)} updates`);
    setText(this.bad, `${formatCount(stats.digestMismatches)} mismatches`);
    this.checks.dataset["good"] = String(stats.digestMismatches === 0);
    if (!this.panel.classList.contains("folded")) this.draw(nowMs);
  }

  private draw(nowMs: number): void {
    const { context, plot, samples } = this;
    const width = plot.clientWidth;
    const height = plot.clientHeight;
    if (width === 0) return;
    const pixelRatio = devicePixelRatio;
    if (plot.width !== Math.round(width * pixelRatio)) {
      plot.width = Math.round(width * pixelRatio);
      plot.height = Math.round(height * pixelRatio);
    }
    context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
    context.clearRect(0, 0, width, height);

    let least = Number.POSITIVE_INFINITY;
    let most = 0;
    for (const { wireBytes, snapshotBytes } of samples) {
      least = Math.min(least, wireBytes);
      most = Math.max(most, snapshotBytes, wireBytes);
    }
    if (most === 0) return;
    const low = Math.log10(Math.max(10, least / 2.2));
    const high = Math.max(low + 1, Math.log10(most * 1.9));
    const bottom = height - 14;
    const y = (bytes: number): number =>
      bottom - ((Math.log10(Math.max(1, bytes)) - low) / (high - low)) * (bottom - 4);
    const x = (atMs: number): number => width - ((nowMs - atMs) / kWindowMs) * width;

    context.font = "10px ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
    context.lineWidth = 1;
    for (const tick of kTicks) {
      const at = Math.round(y(tick)) + 0.5;
      if (at < 8 || at > bottom - 6) continue;
      context.strokeStyle = "rgba(160,180,230,0.10)";
      context.beginPath();
      context.moveTo(0, at);
      context.lineTo(width, at);
      context.stroke();
    }
    context.fillStyle = "rgba(160,176,214,0.62)";
    context.fillText("60 s ago", 0, height - 2);
    context.textAlign = "right";
    context.fillText("now", width, height - 2);
    context.textAlign = "left";

    // The full state: what each update would have cost.
    context.strokeStyle = kFullColour;
    context.globalAlpha = 0.9;
    context.setLineDash([4, 3]);
    context.beginPath();
    samples.forEach((sample, i) => {
      if (i === 0) context.moveTo(x(sample.atMs), y(sample.snapshotBytes));
      else context.lineTo(x(sample.atMs), y(sample.snapshotBytes));
    });
    context.lineTo(width, y((samples.at(-1) as Sample).snapshotBytes));
    context.stroke();
    context.setLineDash([]);

    // What each did cost.
    context.fillStyle = kPatchColour;
    const bar = Math.max(1, (width / kWindowMs) * 100 - 0.35);
    for (const sample of samples) {
      const top = y(sample.wireBytes);
      const left = x(sample.atMs) - bar;
      if (sample.kind === "full") {
        context.fillStyle = kFullColour;
        context.globalAlpha = 0.85;
        context.fillRect(left - 0.5, top, Math.max(2, bar), bottom - top);
        context.fillStyle = kPatchColour;
      } else {
        context.globalAlpha = 0.2;
        context.fillRect(left, top, bar, bottom - top);
        context.globalAlpha = 1;
        context.fillRect(left, top - 0.75, Math.max(1.2, bar), 1.5);
      }
    }
    context.globalAlpha = 0.8;
    context.fillStyle = "#ff9d8a";
    for (const cut of this.cuts) {
      if (cut > nowMs - kWindowMs) context.fillRect(x(cut), 4, 1, bottom - 4);
    }
    context.globalAlpha = 1;
    // Over the bars, on a ground of their own.
    for (const tick of kTicks) {
      const at = Math.round(y(tick)) + 0.5;
      if (at < 14 || at > bottom - 6) continue;
      const text = tick < 1000 ? `${tick} B` : tick < 1e6 ? `${tick / 1000} KB` : `${tick / 1e6} MB`;
      context.fillStyle = "rgba(11,16,29,0.8)";
      context.fillRect(0, at - 13, context.measureText(text).width + 5, 12);
      context.fillStyle = "rgba(178,192,226,0.85)";
      context.fillText(text, 0, at - 3);
    }
  }
}
