// Pictures of bodies, painted once and then only copied: gradients are slow, copies are not.

import { BodyType } from "./generated/world_generated.js";

/** Side of a body's picture in pixels; the disc fills it but for a soft edge. */
export const kSpriteSize = 96;
/** Radius of the corona's picture in radii of its star. */
export const kCoronaReach = 4;

interface Palette {
  readonly light: string;
  readonly base: string;
  readonly deep: string;
  readonly banded: boolean;
}

const kRockyPalettes: readonly Palette[] = [
  { light: "#d9c6a5", base: "#b39067", deep: "#7d5c3f", banded: false },
  { light: "#9ed2ff", base: "#3f84d6", deep: "#1f4a94", banded: false },
  { light: "#f0b487", base: "#cf6e45", deep: "#83391f", banded: false },
  { light: "#d6f0b8", base: "#86b973", deep: "#48743f", banded: false },
  { light: "#e5cbff", base: "#a884d8", deep: "#64479a", banded: false },
];

const kGiantPalettes: readonly Palette[] = [
  { light: "#c9f2ef", base: "#7fcfd3", deep: "#3f8d99", banded: true },
  { light: "#a9bcff", base: "#5c76e6", deep: "#3043a0", banded: true },
  { light: "#f6dcb4", base: "#d6a774", deep: "#96603c", banded: true },
  { light: "#fbe9bd", base: "#e2c184", deep: "#a98a52", banded: true },
];

const kGrey: Palette = { light: "#dfe3ea", base: "#a4abb8", deep: "#666d7b", banded: false };
const kRock: Palette = { light: "#cfbfae", base: "#938472", deep: "#5a4f45", banded: false };
const kIce: Palette = { light: "#ffffff", base: "#cbefff", deep: "#7fb9d6", banded: false };

const kPlain: Readonly<Partial<Record<BodyType, readonly Palette[]>>> = {
  [BodyType.kMoon]: [kGrey],
  [BodyType.kAsteroid]: [kRock],
  [BodyType.kComet]: [kIce],
};

const kStarTints = ["255,214,150", "255,186,120", "190,210,255", "255,236,206"] as const;

export class Sprites {
  /** Light from the left (-x): shine there, night on the other side. Drawn over a disc, turned to the star. */
  readonly shade = paint(kSpriteSize, paintShade);
  /** A star from near, where `glow` would fill the sky. */
  readonly sun = paint(512, paintSun);
  readonly tail = paintTail();
  readonly station = paint(64, paintStation);
  private readonly discs = new Map<number, HTMLCanvasElement>();
  private readonly glows = new Map<number, HTMLCanvasElement>();

  /** `giant` tells gas from rock among planets. */
  disc(type: BodyType, id: number, giant: boolean): HTMLCanvasElement {
    const palettes = type === BodyType.kPlanet ? (giant ? kGiantPalettes : kRockyPalettes) : kPlain[type];
    const variant = palettes === undefined ? 0 : id % palettes.length;
    const key = 32 * type + 2 * variant + (giant ? 1 : 0);
    let disc = this.discs.get(key);
    if (disc === undefined) {
      const palette = palettes?.[variant] ?? kGrey;
      disc = paint(kSpriteSize, (context, size) => paintDisc(context, size, palette, variant));
      this.discs.set(key, disc);
    }
    return disc;
  }

  glow(id: number): HTMLCanvasElement {
    const tint = id % kStarTints.length;
    let glow = this.glows.get(tint);
    if (glow === undefined) {
      glow = paint(512, (context, size) => paintGlow(context, size, kStarTints[tint] as string));
      this.glows.set(tint, glow);
    }
    return glow;
  }
}

/** A stable number for an id, evenly spread over 0 to 1. */
export function hashOf(id: number): number {
  let h = Math.imul(id ^ 0x9e3779b9, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 4294967296;
}

const kColours = new Map<string, string>();

/** A calm colour for another player. */
export function colourOf(user: string): string {
  let colour = kColours.get(user);
  if (colour === undefined) {
    let h = 7;
    for (let i = 0; i < user.length; i += 1) h = (Math.imul(h, 31) + user.charCodeAt(i)) | 0;
    colour = `hsl(${150 + (Math.abs(h) % 200)} 70% 74%)`;
    if (kColours.size > 5000) kColours.clear();
    kColours.set(user, colour);
  }
  return colour;
}

/** The deep sky: painted once per window size. */
export function paintSky(width: number, height: number, pixelRatio: number): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * pixelRatio));
  canvas.height = Math.max(1, Math.round(height * pixelRatio));
  const context = contextOf(canvas, false);
  context.scale(pixelRatio, pixelRatio);
  context.fillStyle = "#05070e";
  context.fillRect(0, 0, width, height);

  const size = Math.max(width, height);
  const clouds: [number, number, number, string][] = [
    [0.24, 0.3, 0.62, "34,58,128,0.30"],
    [0.8, 0.72, 0.6, "74,40,112,0.24"],
    [0.62, 0.12, 0.42, "18,92,104,0.18"],
    [0.12, 0.92, 0.46, "96,48,56,0.15"],
  ];
  for (const [x, y, radius, colour] of clouds) {
    const [r, g, b, alpha] = colour.split(",") as [string, string, string, string];
    const cloud = context.createRadialGradient(
      x * width,
      y * height,
      0,
      x * width,
      y * height,
      radius * size,
    );
    for (let step = 0; step <= 8; step += 1) {
      const t = step / 8;
      const fall = (1 - t) ** 2 * (1 + 2 * t);
      cloud.addColorStop(t, `rgba(${r},${g},${b},${(Number(alpha) * fall).toFixed(4)})`);
    }
    context.fillStyle = cloud;
    context.fillRect(0, 0, width, height);
  }

  const count = Math.round((width * height) / 2600);
  for (let i = 0; i < count; i += 1) {
    const bright = hashOf(3 * i + 11) ** 5;
    const tint = hashOf(7 * i + 5);
    const alpha = 0.1 + 0.62 * bright;
    context.fillStyle =
      tint < 0.22
        ? `rgba(255,216,184,${alpha})`
        : tint < 0.55
          ? `rgba(184,206,255,${alpha})`
          : `rgba(236,241,255,${alpha})`;
    const radius = 0.35 + 0.75 * bright;
    context.beginPath();
    context.arc(hashOf(i + 1) * width, hashOf(i + 90001) * height, radius, 0, 2 * Math.PI);
    context.fill();
  }
  return canvas;
}

export function contextOf(canvas: HTMLCanvasElement, alpha = true): CanvasRenderingContext2D {
  const context = canvas.getContext("2d", { alpha });
  if (context === null) throw new Error("this browser draws no canvas");
  return context;
}

function paint(
  size: number,
  painter: (context: CanvasRenderingContext2D, size: number) => void,
): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = size;
  canvas.height = size;
  painter(contextOf(canvas), size);
  return canvas;
}

function paintDisc(context: CanvasRenderingContext2D, size: number, palette: Palette, variant: number): void {
  const half = size / 2;
  const radius = half - 1.5;
  context.beginPath();
  context.arc(half, half, radius, 0, 2 * Math.PI);
  context.clip();
  context.fillStyle = palette.base;
  context.fillRect(0, 0, size, size);
  if (palette.banded) {
    context.translate(half, half);
    context.rotate(-0.3 - 0.1 * variant);
    for (let i = 0; i < 9; i += 1) {
      const y = -radius + (i + 0.25 * hashOf(31 * variant + i)) * ((2 * radius) / 9);
      context.globalAlpha = 0.16 + 0.42 * hashOf(17 * variant + 3 * i);
      context.fillStyle = i % 2 === 0 ? palette.light : palette.deep;
      context.fillRect(-size, y, 2 * size, (radius / 9) * (0.7 + 1.2 * hashOf(variant + 5 * i)));
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
  } else {
    for (let i = 0; i < 16; i += 1) {
      const angle = 2 * Math.PI * hashOf(13 * variant + i);
      const reach = radius * Math.sqrt(hashOf(19 * variant + 7 * i));
      context.globalAlpha = 0.1 + 0.22 * hashOf(variant + 11 * i);
      context.fillStyle = i % 3 === 0 ? palette.light : palette.deep;
      context.beginPath();
      context.ellipse(
        half + reach * Math.cos(angle),
        half + reach * Math.sin(angle),
        radius * (0.12 + 0.3 * hashOf(23 * variant + i)),
        radius * (0.08 + 0.16 * hashOf(29 * variant + i)),
        angle,
        0,
        2 * Math.PI,
      );
      context.fill();
    }
  }
  context.globalAlpha = 1;
}

function paintShade(context: CanvasRenderingContext2D, size: number): void {
  const half = size / 2;
  const radius = half - 1;
  context.beginPath();
  context.arc(half, half, radius, 0, 2 * Math.PI);
  context.clip();
  const night = context.createRadialGradient(
    half - 0.62 * radius,
    half,
    0.25 * radius,
    half - 0.5 * radius,
    half,
    1.6 * radius,
  );
  night.addColorStop(0, "rgba(255,252,240,0.34)");
  night.addColorStop(0.3, "rgba(255,252,240,0.06)");
  night.addColorStop(0.46, "rgba(3,5,12,0.12)");
  night.addColorStop(0.72, "rgba(3,5,12,0.72)");
  night.addColorStop(1, "rgba(3,5,12,0.92)");
  context.fillStyle = night;
  context.fillRect(0, 0, size, size);
}

function paintGlow(context: CanvasRenderingContext2D, size: number, tint: string): void {
  const half = size / 2;
  const glow = context.createRadialGradient(half, half, 0, half, half, half);
  glow.addColorStop(0, "rgba(255,255,255,1)");
  glow.addColorStop(0.058, "rgba(255,252,240,1)");
  glow.addColorStop(0.077, `rgba(${tint},0.95)`);
  glow.addColorStop(0.1, `rgba(${tint},0.52)`);
  glow.addColorStop(0.16, `rgba(${tint},0.28)`);
  glow.addColorStop(0.29, `rgba(${tint},0.13)`);
  glow.addColorStop(0.5, `rgba(${tint},0.05)`);
  glow.addColorStop(0.75, `rgba(${tint},0.013)`);
  glow.addColorStop(1, `rgba(${tint},0)`);
  context.fillStyle = glow;
  context.fillRect(0, 0, size, size);
}

function paintSun(context: CanvasRenderingContext2D, size: number): void {
  const half = size / 2;
  const radius = half / kCoronaReach;
  const corona = context.createRadialGradient(half, half, radius * 0.9, half, half, half);
  corona.addColorStop(0, "rgba(255,206,140,0.8)");
  corona.addColorStop(0.07, "rgba(255,190,120,0.4)");
  corona.addColorStop(0.2, "rgba(255,176,104,0.17)");
  corona.addColorStop(0.5, "rgba(255,170,100,0.045)");
  corona.addColorStop(1, "rgba(255,170,100,0)");
  context.fillStyle = corona;
  context.fillRect(0, 0, size, size);
  const disc = context.createRadialGradient(half, half, 0, half, half, radius);
  disc.addColorStop(0, "#fffdf4");
  disc.addColorStop(0.55, "#fff3d2");
  disc.addColorStop(0.85, "#ffdf9f");
  disc.addColorStop(0.97, "#ffc878");
  disc.addColorStop(1, "rgba(255,200,120,0)");
  context.fillStyle = disc;
  context.beginPath();
  context.arc(half, half, radius, 0, 2 * Math.PI);
  context.fill();
}

// From the head at the left to nothing at the right.
function paintTail(): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = 160;
  canvas.height = 32;
  const context = contextOf(canvas);
  for (let x = 0; x < canvas.width; x += 1) {
    const t = x / canvas.width;
    const spread = 1.5 + 12 * t;
    const column = context.createLinearGradient(0, 16 - spread, 0, 16 + spread);
    const alpha = 0.6 * (1 - t) ** 2.2;
    column.addColorStop(0, "rgba(150,214,255,0)");
    column.addColorStop(0.5, `rgba(190,232,255,${alpha.toFixed(3)})`);
    column.addColorStop(1, "rgba(150,214,255,0)");
    context.fillStyle = column;
    context.fillRect(x, 16 - spread, 1, 2 * spread);
  }
  return canvas;
}

function paintStation(context: CanvasRenderingContext2D, size: number): void {
  context.translate(size / 2, size / 2);
  context.scale(size / 24, size / 24);
  context.strokeStyle = "#bfeee2";
  context.fillStyle = "#bfeee2";
  context.lineWidth = 1.6;
  context.beginPath();
  context.arc(0, 0, 6.5, 0, 2 * Math.PI);
  context.moveTo(-10.5, 0);
  context.lineTo(10.5, 0);
  context.moveTo(0, -10.5);
  context.lineTo(0, 10.5);
  context.stroke();
  context.beginPath();
  context.arc(0, 0, 2.6, 0, 2 * Math.PI);
  context.fill();
}
