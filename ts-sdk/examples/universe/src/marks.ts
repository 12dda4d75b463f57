// Marks over the bodies: whose they are, what is followed, what has just come to be or is about to.

import type { BodyFrame } from "./body-frame.js";
import type { Point } from "./camera.js";
import { BodyType } from "./generated/world_generated.js";
import type { Labels } from "./labels.js";
import { findAttractor } from "./orbit.js";
import { type Ghost, inside, kOwn, type Scene } from "./scene.js";
import { colourOf, type Sprites } from "./sprites.js";
import type { Stage } from "./stage.js";

const kTau = 2 * Math.PI;
const kRippleMs = 1600;
const kCorners: readonly (readonly [number, number])[] = [
  [-1, -1],
  [1, -1],
  [1, 1],
  [-1, 1],
];

export class Marks {
  private readonly point: Point = { x: 0, y: 0 };

  constructor(
    private readonly context: CanvasRenderingContext2D,
    private readonly stage: Stage,
    private readonly sprites: Sprites,
    private readonly labels: Labels,
    private readonly calm: boolean,
  ) {}

  draw(frame: BodyFrame, scene: Scene, nowMs: number): void {
    this.drawRings(frame, scene, nowMs);
    this.drawGhosts(frame, scene, nowMs);
  }

  // Whose it is, what is followed, what has just come to be.
  private drawRings(frame: BodyFrame, scene: Scene, nowMs: number): void {
    const { context } = this;
    const { order, screen, sizes } = this.stage;
    context.lineWidth = 1.25;
    for (const i of order) {
      const owner = frame.labels[i]?.owner ?? "";
      const x = screen[2 * i] as number;
      const y = screen[2 * i + 1] as number;
      if (owner === "" || sizes[i] === 0 || !inside(scene.camera, x, y)) continue;
      const own = owner === scene.user;
      context.globalAlpha = own ? 0.95 : 0.75;
      context.strokeStyle = own ? kOwn : colourOf(owner);
      context.beginPath();
      context.arc(x, y, (sizes[i] as number) + 4, 0, kTau);
      context.stroke();
    }
    this.bracket(frame, scene, scene.hovered, 0.5);
    this.bracket(frame, scene, scene.followed, 1);
    for (const [id, since] of scene.births) {
      const i = frame.find(id);
      const t = (nowMs - since) / kRippleMs;
      if (i < 0 || t < 0 || t > 1 || this.calm) continue;
      const own = frame.labels[i]?.owner === scene.user;
      context.strokeStyle = own ? kOwn : colourOf(frame.labels[i]?.owner ?? "");
      context.lineWidth = 1.5;
      for (let wave = 0; wave < 2; wave += 1) {
        const u = t * 1.4 - 0.25 * wave;
        if (u <= 0 || u >= 1) continue;
        context.globalAlpha = (1 - u) ** 2;
        context.beginPath();
        context.arc(screen[2 * i] as number, screen[2 * i + 1] as number, 6 + 46 * Math.sqrt(u), 0, kTau);
        context.stroke();
      }
    }
    context.globalAlpha = 1;
  }

  // Four corners around a body.
  private bracket(frame: BodyFrame, scene: Scene, id: number, alpha: number): void {
    const i = id === 0 ? -1 : frame.find(id);
    if (i < 0) return;
    const { context } = this;
    const x = this.stage.screen[2 * i] as number;
    const y = this.stage.screen[2 * i + 1] as number;
    if (!inside(scene.camera, x, y)) return;
    const r = (this.stage.sizes[i] as number) + 9;
    const arm = Math.min(7, r * 0.5);
    context.globalAlpha = alpha;
    context.strokeStyle = "#d7fff3";
    context.lineWidth = 1.25;
    context.beginPath();
    for (const [sx, sy] of kCorners) {
      context.moveTo(x + sx * r, y + sy * (r - arm));
      context.lineTo(x + sx * r, y + sy * r);
      context.lineTo(x + sx * (r - arm), y + sy * r);
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  private drawGhosts(frame: BodyFrame, scene: Scene, nowMs: number): void {
    const { context, point } = this;
    for (const ghost of scene.ghosts) {
      scene.camera.project(ghost.x, ghost.y, ghost.z, point);
      const { x, y } = point;
      const aiming = ghost.placedAtMs === undefined;
      if (aiming) this.strokeGhostOrbit(frame, scene, ghost);
      const size = Math.max(5, 4 * this.stage.sizeBoost);
      context.globalAlpha = aiming ? 0.85 : 0.6;
      this.drawIcon(ghost.type, x, y, size);
      context.strokeStyle = kOwn;
      context.lineWidth = 1.25;
      context.globalAlpha = 0.9;
      context.setLineDash(aiming ? [] : [4, 4]);
      context.lineDashOffset = aiming || this.calm ? 0 : -nowMs / 30;
      context.beginPath();
      context.arc(x, y, size + 6, 0, kTau);
      context.stroke();
      context.setLineDash([]);
    }
    context.globalAlpha = 1;
  }

  private strokeGhostOrbit(frame: BodyFrame, scene: Scene, ghost: Ghost): void {
    const attractor = findAttractor(frame, scene.positions, ghost.x, ghost.y, ghost.z);
    if (attractor < 0) return;
    const { context, point } = this;
    const px = scene.positions[3 * attractor] as number;
    const py = scene.positions[3 * attractor + 1] as number;
    const pz = scene.positions[3 * attractor + 2] as number;
    const radius = Math.hypot(ghost.x - px, ghost.y - py);
    const scale = scene.camera.pixelsPerUnit;
    scene.camera.project(px, py, pz, point);
    context.globalAlpha = 0.8;
    context.strokeStyle = kOwn;
    context.lineWidth = 1;
    context.setLineDash([3, 5]);
    context.beginPath();
    context.ellipse(point.x, point.y, radius * scale, radius * scale * scene.camera.tiltCos, 0, 0, kTau);
    context.stroke();
    context.setLineDash([]);
    const name = frame.labels[attractor]?.name ?? "";
    scene.camera.project(ghost.x, ghost.y, ghost.z, point);
    if (name !== "") this.labels.write(`orbits ${name}`, point.x + 16, point.y + 4, "#ffe6bd", 0.95);
  }

  private drawIcon(type: BodyType, x: number, y: number, size: number): void {
    const { context, sprites } = this;
    if (type === BodyType.kStar)
      context.drawImage(sprites.glow(0), x - 5 * size, y - 5 * size, 10 * size, 10 * size);
    else if (type === BodyType.kStation)
      context.drawImage(sprites.station, x - size, y - size, 2 * size, 2 * size);
    else context.drawImage(sprites.disc(type, 1, false), x - size, y - size, 2 * size, 2 * size);
  }
}
