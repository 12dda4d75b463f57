// Draws the universe. Called for every picture: nothing here allocates per body.

import type { BodyFrame } from "./body-frame.js";
import type { Camera } from "./camera.js";
import { BodyType } from "./generated/world_generated.js";
import { Labels } from "./labels.js";
import { Marks } from "./marks.js";
import { kEllipseSize } from "./orbit.js";
import { kOwn, type Scene } from "./scene.js";
import { contextOf, hashOf, kCoronaReach, paintSky, Sprites } from "./sprites.js";
import { Stage } from "./stage.js";

const kTau = 2 * Math.PI;
const kChosen = "#a8f0dc";
const kOrbit = "#8fa8e0";
const kAsteroidShades = ["#6f6a66", "#8d857c", "#a89c8d", "#c9bca8"] as const;
/** Radius in radii of the planet, and how dense. */
const kPlanetRing = [
  [1.42, 0.3],
  [1.6, 0.55],
  [1.78, 0.42],
  [2.02, 0.24],
] as const;
const kOrbitSteps = 72;
const kOrbitShades = 6;

export class Sky {
  private readonly context: CanvasRenderingContext2D;
  private readonly sprites = new Sprites();
  private background: HTMLCanvasElement;
  private pixelRatio = 1;

  private readonly stage = new Stage();
  private readonly labels: Labels;
  private readonly marks: Marks;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly calm: boolean,
  ) {
    this.context = contextOf(canvas, false);
    this.background = paintSky(1, 1, 1);
    this.labels = new Labels(this.context, this.stage);
    this.marks = new Marks(this.context, this.stage, this.sprites, this.labels, calm);
  }

  resize(width: number, height: number, pixelRatio: number): void {
    this.pixelRatio = pixelRatio;
    this.canvas.width = Math.round(width * pixelRatio);
    this.canvas.height = Math.round(height * pixelRatio);
    this.background = paintSky(width, height, pixelRatio);
  }

  draw(scene: Scene, nowMs: number, fitScale: number): void {
    const { context } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.globalAlpha = 1;
    context.drawImage(this.background, 0, 0);
    context.setTransform(this.pixelRatio, 0, 0, this.pixelRatio, 0, 0);
    this.drawNearStars(scene.camera);
    const { frame } = scene;
    if (frame === undefined) return;

    this.stage.update(frame, scene, fitScale);
    this.drawOrbits(frame, scene);
    this.drawAsteroids(scene);
    this.drawBodies(frame, scene, nowMs);
    this.marks.draw(frame, scene, nowMs);
    this.labels.draw(frame, scene);
    context.globalAlpha = 1;
  }

  /** Id of the body under a pixel; 0: none. */
  pick(scene: Scene, px: number, py: number): number {
    return this.stage.pick(scene, px, py);
  }

  private drawNearStars(camera: Camera): void {
    const { context } = this;
    const { width, height } = camera;
    const shiftX = camera.x * camera.pixelsPerUnit * 0.02;
    const shiftY = camera.y * camera.pixelsPerUnit * 0.02;
    context.fillStyle = "#dfe8ff";
    for (let i = 0; i < 70; i += 1) {
      const depth = 0.4 + 0.6 * hashOf(i + 501);
      const x = modulo(hashOf(i + 301) * width - shiftX * depth, width);
      const y = modulo(hashOf(i + 401) * height + shiftY * depth, height);
      const size = 0.8 + 0.9 * depth * hashOf(i + 601);
      context.globalAlpha = 0.25 + 0.5 * depth * hashOf(i + 701);
      context.fillRect(x, y, size, size);
    }
    context.globalAlpha = 1;
  }

  private drawOrbits(frame: BodyFrame, scene: Scene): void {
    const { camera } = scene;
    const reach = 9 * Math.max(camera.width, camera.height);
    for (const i of this.stage.order) {
      if (this.stage.isEllipse[i] === 0) continue;
      const at = kEllipseSize * i + 3;
      const major =
        camera.pixelsPerUnit *
        Math.hypot(
          this.stage.ellipses[at] as number,
          this.stage.ellipses[at + 1] as number,
          this.stage.ellipses[at + 2] as number,
        );
      if (frame.ids[i] === scene.followed || frame.ids[i] === scene.hovered) {
        this.strokeOrbit(scene, i, kChosen, 0.9);
      } else if (major < 14 || major > reach) {
      } else if (frame.labels[i]?.owner === scene.user) {
        this.strokeOrbit(scene, i, kOwn, 0.42);
      } else if (frame.types[i] === BodyType.kPlanet) {
        this.strokeOrbit(scene, i, kOrbit, 0.46);
      } else if (frame.types[i] === BodyType.kMoon) {
        this.strokeOrbit(scene, i, kOrbit, 0.26 * Math.min(1, (major - 14) / 40));
      }
    }
    // Asteroids are drawn in bulk, but one that was chosen shows its path too.
    for (const id of [scene.followed, scene.hovered]) {
      const i = id === 0 ? -1 : frame.find(id);
      if (i < 0 || frame.types[i] !== BodyType.kAsteroid || frame.labels[i]?.owner !== "") continue;
      this.stage.updateEllipse(frame, i);
      if (this.stage.isEllipse[i] === 1) this.strokeOrbit(scene, i, kChosen, 0.9);
    }
  }

  // Brightest where the body has just been, so that one sees which way it goes.
  private strokeOrbit(scene: Scene, i: number, colour: string, strength: number): void {
    const { context } = this;
    const { ellipses, screen } = this.stage;
    const { camera } = scene;
    const at = kEllipseSize * i;
    const parent = this.stage.parents[i] as number;
    const scale = camera.pixelsPerUnit;
    const up = camera.tiltCos * scale;
    const out = camera.tiltSin * scale;
    const e = (k: number): number => ellipses[at + k] as number;
    const centreX = (screen[2 * parent] as number) + e(0) * scale;
    const centreY = (screen[2 * parent + 1] as number) - e(1) * up - e(2) * out;
    const majorX = e(3) * scale;
    const majorY = -e(4) * up - e(5) * out;
    const minorX = e(6) * scale;
    const minorY = -e(7) * up - e(8) * out;
    const start = Math.atan2(e(10), e(9));
    // The ellipse is of the newest version, the body is drawn a little behind it: begin at the body itself.
    context.strokeStyle = colour;
    context.lineWidth = 1;
    const steps = kOrbitSteps / kOrbitShades;
    let x = screen[2 * i] as number;
    let y = screen[2 * i + 1] as number;
    for (let shade = 0; shade < kOrbitShades; shade += 1) {
      const rest = 1 - shade / kOrbitShades;
      context.globalAlpha = strength * (0.22 + 0.78 * rest * rest);
      context.beginPath();
      context.moveTo(x, y);
      for (let step = 1; step <= steps; step += 1) {
        const angle = start - (kTau * (shade * steps + step)) / kOrbitSteps;
        const c = Math.cos(angle);
        const s = Math.sin(angle);
        x = centreX + c * majorX + s * minorX;
        y = centreY + c * majorY + s * minorY;
        context.lineTo(x, y);
      }
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  private drawAsteroids(scene: Scene): void {
    const { context } = this;
    const { asteroids, screen, sizes } = this.stage;
    const { width, height } = scene.camera;
    for (let shade = 0; shade < asteroids.length; shade += 1) {
      context.fillStyle = kAsteroidShades[shade] as string;
      for (const i of asteroids[shade] as number[]) {
        const x = screen[2 * i] as number;
        const y = screen[2 * i + 1] as number;
        if (x < -4 || y < -4 || x > width + 4 || y > height + 4) continue;
        const size = sizes[i] as number;
        if (size < 1.4) {
          context.fillRect(x - size, y - size, 2 * size, 2 * size);
        } else {
          context.beginPath();
          context.arc(x, y, size, 0, kTau);
          context.fill();
        }
      }
    }
  }

  private drawBodies(frame: BodyFrame, scene: Scene, nowMs: number): void {
    const { context, sprites } = this;
    const { order, screen, sizes } = this.stage;
    const { width, height } = scene.camera;
    for (const i of order) {
      const x = screen[2 * i] as number;
      const y = screen[2 * i + 1] as number;
      const size = sizes[i] as number;
      const type = frame.typeOf(i);
      const margin = type === BodyType.kStar ? 14 * size : 200;
      if (size === 0 || x < -margin || y < -margin || x > width + margin || y > height + margin) continue;
      const id = frame.ids[i] as number;
      switch (type) {
        case BodyType.kStar:
          this.drawStar(
            id,
            x,
            y,
            size,
            this.calm || !scene.live ? 1 : 1 + 0.02 * Math.sin(nowMs / 1400 + id),
          );
          break;
        case BodyType.kStation:
          context.drawImage(sprites.station, x - 1.5 * size, y - 1.5 * size, 3 * size, 3 * size);
          break;
        case BodyType.kComet:
          this.drawTail(frame, i, x, y, size);
          context.fillStyle = "#f2fbff";
          context.beginPath();
          context.arc(x, y, size, 0, kTau);
          context.fill();
          break;
        default:
          if (size < 2.2) {
            context.fillStyle = type === BodyType.kAsteroid ? "#c9bca8" : "#c4cad6";
            context.beginPath();
            context.arc(x, y, size, 0, kTau);
            context.fill();
          } else {
            this.drawGlobe(frame, i, type, id, x, y, size);
          }
      }
    }
  }

  // From far a glow, from near a disc with a corona.
  private drawStar(id: number, x: number, y: number, size: number, breath: number): void {
    const { context, sprites } = this;
    const near = Math.min(1, Math.max(0, (size - 16) / 30));
    context.globalCompositeOperation = "lighter";
    if (near < 1) {
      const radius = Math.min(size, 46) * 13 * breath;
      context.globalAlpha = 1 - near;
      context.drawImage(sprites.glow(id), x - radius, y - radius, 2 * radius, 2 * radius);
    }
    if (near > 0) {
      const radius = size * kCoronaReach;
      context.globalAlpha = near;
      context.drawImage(sprites.sun, x - radius, y - radius, 2 * radius, 2 * radius);
    }
    context.globalAlpha = 1;
    context.globalCompositeOperation = "source-over";
  }

  private drawGlobe(
    frame: BodyFrame,
    i: number,
    type: BodyType,
    id: number,
    x: number,
    y: number,
    size: number,
  ): void {
    const { context, sprites, pixelRatio } = this;
    const light = this.stage.starOf(frame, i);
    const giant = (frame.radii[i] as number) > 0.5 * this.stage.biggestPlanet;
    const ringed = giant && id % 4 === 3 && size > 5;
    if (ringed) this.drawPlanetRing(x, y, size, Math.PI);
    const angle =
      light < 0
        ? 0
        : Math.atan2(
            y - (this.stage.screen[2 * light + 1] as number),
            x - (this.stage.screen[2 * light] as number),
          );
    context.drawImage(sprites.disc(type, id, giant), x - size, y - size, 2 * size, 2 * size);
    const c = Math.cos(angle) * pixelRatio;
    const s = Math.sin(angle) * pixelRatio;
    context.setTransform(c, s, -s, c, x * pixelRatio, y * pixelRatio);
    context.drawImage(sprites.shade, -size, -size, 2 * size, 2 * size);
    context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
    if (ringed) this.drawPlanetRing(x, y, size, 0);
  }

  // One half of the ring: from `start` on, half a turn. The far half goes below the disc, the near half over it.
  private drawPlanetRing(x: number, y: number, size: number, start: number): void {
    const { context } = this;
    for (const [reach, alpha] of kPlanetRing) {
      context.globalAlpha = alpha;
      context.strokeStyle = "#f1ddb2";
      context.lineWidth = 0.13 * size;
      context.beginPath();
      context.ellipse(x, y, reach * size, 0.34 * reach * size, -0.32, start, start + Math.PI);
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  // Away from the star, longer the nearer it is.
  private drawTail(frame: BodyFrame, i: number, x: number, y: number, size: number): void {
    const { context, pixelRatio } = this;
    const light = this.stage.starOf(frame, i);
    if (light < 0) return;
    const dx = x - (this.stage.screen[2 * light] as number);
    const dy = y - (this.stage.screen[2 * light + 1] as number);
    const distance = Math.hypot(dx, dy);
    if (distance < 1) return;
    const length = (14 + 46 * Math.min(1, 160 / distance)) * Math.sqrt(this.stage.sizeBoost);
    const c = (dx / distance) * pixelRatio;
    const s = (dy / distance) * pixelRatio;
    context.setTransform(c, s, -s, c, x * pixelRatio, y * pixelRatio);
    context.drawImage(this.sprites.tail, -1, -2.2 * size, length, 4.4 * size);
    context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
  }
}

function modulo(value: number, by: number): number {
  return value - by * Math.floor(value / by);
}
