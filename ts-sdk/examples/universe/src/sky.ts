// Draws the universe. Called for every picture: nothing here allocates per body.

import type { BodyFrame } from "./body-frame.js";
import type { Camera, Point } from "./camera.js";
import { BodyType } from "./generated/world_generated.js";
import { findAttractor, kEllipseSize, writeEllipse } from "./orbit.js";
import { colourOf, contextOf, hashOf, kCoronaReach, paintSky, Sprites } from "./sprites.js";

/** A body that the player is about to place, or placed and that has not shown up yet. */
export interface Ghost {
  readonly type: BodyType;
  readonly x: number;
  readonly y: number;
  readonly z: number;
  /** Milliseconds of the page's clock at which it was placed; undefined: still under the pointer. */
  readonly placedAtMs: number | undefined;
}

export interface Scene {
  readonly frame: BodyFrame | undefined;
  /** [3 * frame.count] */
  readonly positions: Float32Array;
  readonly camera: Camera;
  readonly user: string;
  readonly followed: number;
  readonly hovered: number;
  readonly ghosts: readonly Ghost[];
  /** Bodies that have just come to be, by id, with the moment on the page's clock. */
  readonly births: ReadonlyMap<number, number>;
  readonly live: boolean;
}

const kTau = 2 * Math.PI;
const kOwn = "#ffd48a";
const kChosen = "#a8f0dc";
const kOrbit = "#8fa8e0";
const kRippleMs = 1600;
const kLabelFont = "11px ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
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

  // Per body of the current generation.
  private generation = -1;
  private order: number[] = [];
  private asteroids: number[][] = [];
  private parents = new Int32Array(0);
  private biggestPlanet = 1;
  private ellipses = new Float64Array(0);
  private isEllipse = new Uint8Array(0);
  private ellipsesOf = -1;

  // Per picture.
  private screen = new Float32Array(0);
  private sizes = new Float32Array(0);
  private readonly point: Point = { x: 0, y: 0 };
  private readonly labelBoxes: number[] = [];
  private readonly labelWidths = new Map<string, number>();
  private sizeBoost = 1;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly calm: boolean,
  ) {
    this.context = contextOf(canvas, false);
    this.background = paintSky(1, 1, 1);
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

    this.prepare(frame);
    this.sizeBoost = Math.min(5, Math.max(0.75, (scene.camera.pixelsPerUnit / fitScale) ** 0.4));
    this.projectAll(frame, scene);
    this.drawOrbits(frame, scene);
    this.drawAsteroids(scene);
    this.drawBodies(frame, scene, nowMs);
    this.drawRings(frame, scene, nowMs);
    this.drawGhosts(frame, scene, nowMs);
    this.drawLabels(frame, scene);
    context.globalAlpha = 1;
  }

  /** Id of the body under a pixel; 0: none. */
  pick(scene: Scene, px: number, py: number): number {
    const { frame } = scene;
    if (frame === undefined || this.screen.length < 2 * frame.count) return 0;
    let best = 0;
    let bestScore = 18;
    for (let i = 0; i < frame.count; i += 1) {
      const dx = (this.screen[2 * i] as number) - px;
      const dy = (this.screen[2 * i + 1] as number) - py;
      const size = this.sizes[i] as number;
      if (size === 0) continue;
      // Small bodies lie on top of big ones, asteroids below all others.
      const bias = frame.types[i] === BodyType.kAsteroid ? 8 : 0;
      const score = Math.max(0, Math.hypot(dx, dy) - size) + bias + 0.02 * size;
      if (score < bestScore) {
        bestScore = score;
        best = frame.ids[i] as number;
      }
    }
    return best;
  }

  // Sorts the bodies into what is drawn one by one and what is drawn in bulk, once per generation.
  private prepare(frame: BodyFrame): void {
    if (this.screen.length < 2 * frame.count) {
      this.screen = new Float32Array(2 * frame.count + 128);
      this.sizes = new Float32Array(frame.count + 64);
      this.parents = new Int32Array(frame.count + 64);
      this.ellipses = new Float64Array(kEllipseSize * (frame.count + 64));
      this.isEllipse = new Uint8Array(frame.count + 64);
    }
    if (this.generation !== frame.generation) {
      this.generation = frame.generation;
      this.order = [];
      this.asteroids = kAsteroidShades.map(() => []);
      this.biggestPlanet = 1e-6;
      for (let i = 0; i < frame.count; i += 1) {
        const parent = frame.parents[i] as number;
        this.parents[i] = parent === 0 ? -1 : frame.find(parent);
        const type = frame.types[i];
        if (type === BodyType.kPlanet) {
          this.biggestPlanet = Math.max(this.biggestPlanet, frame.radii[i] as number);
        }
        if (type === BodyType.kAsteroid && (frame.labels[i]?.owner ?? "") === "") {
          const shade = Math.floor(hashOf(frame.ids[i] as number) * kAsteroidShades.length);
          (this.asteroids[shade] as number[]).push(i);
        } else {
          this.order.push(i);
        }
      }
      const rank = [0, 3, 2, 1, 4, 5];
      this.order.sort(
        (a, b) => (rank[frame.types[a] as number] ?? 0) - (rank[frame.types[b] as number] ?? 0),
      );
      this.ellipsesOf = -1;
    }
    if (this.ellipsesOf !== frame.timeMs) {
      this.ellipsesOf = frame.timeMs;
      for (const i of this.order) this.updateEllipse(frame, i);
    }
  }

  private updateEllipse(frame: BodyFrame, i: number): void {
    const p = this.parents[i] as number;
    this.isEllipse[i] = 0;
    if (p < 0) return;
    const { positions, velocities } = frame;
    const a = 3 * i;
    const b = 3 * p;
    const found = writeEllipse(
      this.ellipses,
      kEllipseSize * i,
      (positions[a] as number) - (positions[b] as number),
      (positions[a + 1] as number) - (positions[b + 1] as number),
      (positions[a + 2] as number) - (positions[b + 2] as number),
      (velocities[a] as number) - (velocities[b] as number),
      (velocities[a + 1] as number) - (velocities[b + 1] as number),
      (velocities[a + 2] as number) - (velocities[b + 2] as number),
      frame.gravity * ((frame.masses[p] as number) + (frame.masses[i] as number)),
    );
    this.isEllipse[i] = found ? 1 : 0;
  }

  private projectAll(frame: BodyFrame, scene: Scene): void {
    const { camera, positions } = scene;
    const { screen } = this;
    const scale = camera.pixelsPerUnit;
    const up = camera.tiltCos * scale;
    const out = camera.tiltSin * scale;
    const left = camera.centreX - camera.x * scale;
    const top = camera.centreY + camera.y * up + camera.z * out;
    for (let i = 0; i < frame.count; i += 1) {
      screen[2 * i] = left + (positions[3 * i] as number) * scale;
      screen[2 * i + 1] =
        top - (positions[3 * i + 1] as number) * up - (positions[3 * i + 2] as number) * out;
      this.sizes[i] = this.sizeOf(frame, i, scale);
    }
    // A moon that would lie on its planet's disc is not drawn: from this far they are one.
    for (const i of this.order) {
      const p = this.parents[i] as number;
      if (p < 0 || frame.types[p] === BodyType.kStar || frame.types[i] === BodyType.kPlanet) continue;
      if ((frame.labels[i]?.owner ?? "") !== "") continue;
      const dx = (screen[2 * i] as number) - (screen[2 * p] as number);
      const dy = (screen[2 * i + 1] as number) - (screen[2 * p + 1] as number);
      if (Math.hypot(dx, dy) < (this.sizes[p] as number) + 1.5) this.sizes[i] = 0;
    }
  }

  // Radius on the screen. Real sizes would be invisible: each type has a least size, which grows a little with zoom.
  private sizeOf(frame: BodyFrame, i: number, scale: number): number {
    const radius = frame.radii[i] as number;
    const real = Math.min(220, radius * scale);
    switch (frame.types[i]) {
      case BodyType.kStar:
        return Math.max(real, 10 * this.sizeBoost);
      case BodyType.kPlanet:
        return Math.max(
          real,
          (2.6 + 4.6 * Math.sqrt(Math.min(1, radius / this.biggestPlanet))) * this.sizeBoost,
        );
      case BodyType.kMoon:
        return Math.max(real, 1.7 * this.sizeBoost);
      case BodyType.kStation:
        return Math.max(real, 3.4 * this.sizeBoost);
      case BodyType.kComet:
        return Math.max(real, 1.15 * this.sizeBoost);
      default:
        return Math.max(
          real,
          (0.55 + 0.4 * hashOf((frame.ids[i] as number) + 77)) * Math.sqrt(this.sizeBoost),
        );
    }
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
    for (const i of this.order) {
      if (this.isEllipse[i] === 0) continue;
      const at = kEllipseSize * i + 3;
      const major =
        camera.pixelsPerUnit *
        Math.hypot(
          this.ellipses[at] as number,
          this.ellipses[at + 1] as number,
          this.ellipses[at + 2] as number,
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
      this.updateEllipse(frame, i);
      if (this.isEllipse[i] === 1) this.strokeOrbit(scene, i, kChosen, 0.9);
    }
  }

  // Brightest where the body has just been, so that one sees which way it goes.
  private strokeOrbit(scene: Scene, i: number, colour: string, strength: number): void {
    const { context, ellipses } = this;
    const { camera } = scene;
    const at = kEllipseSize * i;
    const parent = this.parents[i] as number;
    const scale = camera.pixelsPerUnit;
    const up = camera.tiltCos * scale;
    const out = camera.tiltSin * scale;
    const e = (k: number): number => ellipses[at + k] as number;
    const centreX = (this.screen[2 * parent] as number) + e(0) * scale;
    const centreY = (this.screen[2 * parent + 1] as number) - e(1) * up - e(2) * out;
    const majorX = e(3) * scale;
    const majorY = -e(4) * up - e(5) * out;
    const minorX = e(6) * scale;
    const minorY = -e(7) * up - e(8) * out;
    const start = Math.atan2(e(10), e(9));
    // The ellipse is of the newest version, the body is drawn a little behind it: begin at the body itself.
    context.strokeStyle = colour;
    context.lineWidth = 1;
    const steps = kOrbitSteps / kOrbitShades;
    let x = this.screen[2 * i] as number;
    let y = this.screen[2 * i + 1] as number;
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
    const { context, screen, sizes } = this;
    const { width, height } = scene.camera;
    for (let shade = 0; shade < this.asteroids.length; shade += 1) {
      context.fillStyle = kAsteroidShades[shade] as string;
      for (const i of this.asteroids[shade] as number[]) {
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
    const { context, screen, sizes, sprites } = this;
    const { width, height } = scene.camera;
    for (const i of this.order) {
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
    const light = this.starOf(frame, i);
    const giant = (frame.radii[i] as number) > 0.5 * this.biggestPlanet;
    const ringed = giant && id % 4 === 3 && size > 5;
    if (ringed) this.drawPlanetRing(x, y, size, Math.PI);
    const angle =
      light < 0
        ? 0
        : Math.atan2(y - (this.screen[2 * light + 1] as number), x - (this.screen[2 * light] as number));
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
    const light = this.starOf(frame, i);
    if (light < 0) return;
    const dx = x - (this.screen[2 * light] as number);
    const dy = y - (this.screen[2 * light + 1] as number);
    const distance = Math.hypot(dx, dy);
    if (distance < 1) return;
    const length = (14 + 46 * Math.min(1, 160 / distance)) * Math.sqrt(this.sizeBoost);
    const c = (dx / distance) * pixelRatio;
    const s = (dy / distance) * pixelRatio;
    context.setTransform(c, s, -s, c, x * pixelRatio, y * pixelRatio);
    context.drawImage(this.sprites.tail, -1, -2.2 * size, length, 4.4 * size);
    context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
  }

  private starOf(frame: BodyFrame, i: number): number {
    let at = this.parents[i] as number;
    for (let hops = 0; hops < 4 && at >= 0; hops += 1) {
      if (frame.types[at] === BodyType.kStar) return at;
      at = this.parents[at] as number;
    }
    return at;
  }

  // Whose it is, what is followed, what has just come to be.
  private drawRings(frame: BodyFrame, scene: Scene, nowMs: number): void {
    const { context, screen, sizes } = this;
    context.lineWidth = 1.25;
    for (const i of this.order) {
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
    const x = this.screen[2 * i] as number;
    const y = this.screen[2 * i + 1] as number;
    if (!inside(scene.camera, x, y)) return;
    const r = (this.sizes[i] as number) + 9;
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
      const size = Math.max(5, 4 * this.sizeBoost);
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
    if (name !== "") this.write(`orbits ${name}`, point.x + 16, point.y + 4, "#ffe6bd", 0.95);
  }

  private drawIcon(type: BodyType, x: number, y: number, size: number): void {
    const { context, sprites } = this;
    if (type === BodyType.kStar)
      context.drawImage(sprites.glow(0), x - 5 * size, y - 5 * size, 10 * size, 10 * size);
    else if (type === BodyType.kStation)
      context.drawImage(sprites.station, x - size, y - size, 2 * size, 2 * size);
    else context.drawImage(sprites.disc(type, 1, false), x - size, y - size, 2 * size, 2 * size);
  }

  private drawLabels(frame: BodyFrame, scene: Scene): void {
    const { labelBoxes, screen, sizes } = this;
    labelBoxes.length = 0;
    for (const i of this.order) {
      if ((sizes[i] as number) < 2.6) continue;
      const size = sizes[i] as number;
      labelBoxes.push((screen[2 * i] as number) - size, (screen[2 * i + 1] as number) + 3.5, 2 * size - 8);
    }
    const followed = scene.followed === 0 ? -1 : frame.find(scene.followed);
    const hovered = scene.hovered === 0 ? -1 : frame.find(scene.hovered);
    if (hovered >= 0) this.label(frame, scene, hovered, true);
    if (followed >= 0 && followed !== hovered) this.label(frame, scene, followed, true);
    for (const i of this.order) {
      if (i === followed || i === hovered || sizes[i] === 0) continue;
      if (!inside(scene.camera, screen[2 * i] as number, screen[2 * i + 1] as number)) continue;
      this.label(frame, scene, i, false);
    }
  }

  private label(frame: BodyFrame, scene: Scene, i: number, always: boolean): void {
    const { name, owner } = frame.labels[i] ?? { name: "", owner: "" };
    const own = owner === scene.user;
    // From far the star needs no name, and the inner planets need its place.
    if (frame.types[i] === BodyType.kStar && !always && this.sizeBoost < 1.4) return;
    const text =
      name !== "" ? name : owner !== "" ? (own ? "yours" : owner) : always ? typeName(frame.typeOf(i)) : "";
    if (text === "") return;
    const gap = (this.sizes[i] as number) + (owner === "" ? 6 : 9);
    const width = this.widthOf(text);
    const { camera } = scene;
    const at = this.screen[2 * i] as number;
    // On the other side where it would run under a panel or out of the window.
    const edge = camera.width - camera.insets.right - 4;
    const x = at + gap + width > edge && at < edge ? at - gap - width : at + gap;
    const y = (this.screen[2 * i + 1] as number) + 3.5;
    if (!always && this.isTaken(x, y, width)) return;
    this.labelBoxes.push(x, y, width);
    const strong = frame.types[i] === BodyType.kPlanet || frame.types[i] === BodyType.kStar;
    const colour = own ? "#ffe6bd" : owner !== "" ? colourOf(owner) : "#c5d2ee";
    this.write(text, x, y, colour, always ? 1 : owner !== "" ? 0.9 : strong ? 0.72 : 0.5);
  }

  private isTaken(x: number, y: number, width: number): boolean {
    const boxes = this.labelBoxes;
    for (let k = 0; k < boxes.length; k += 3) {
      const left = boxes[k] as number;
      if (
        Math.abs((boxes[k + 1] as number) - y) < 13 &&
        x < left + (boxes[k + 2] as number) + 8 &&
        left < x + width + 8
      ) {
        return true;
      }
    }
    return false;
  }

  private write(text: string, x: number, y: number, colour: string, alpha: number): void {
    const { context } = this;
    context.font = kLabelFont;
    context.globalAlpha = alpha;
    context.fillStyle = colour;
    context.fillText(text, x, y);
    context.globalAlpha = 1;
  }

  private widthOf(text: string): number {
    let width = this.labelWidths.get(text);
    if (width === undefined) {
      if (this.labelWidths.size > 2000) this.labelWidths.clear();
      this.context.font = kLabelFont;
      width = this.context.measureText(text).width;
      this.labelWidths.set(text, width);
    }
    return width;
  }
}

const kCorners: readonly (readonly [number, number])[] = [
  [-1, -1],
  [1, -1],
  [1, 1],
  [-1, 1],
];

const kTypeNames: Readonly<Record<BodyType, string>> = {
  [BodyType.kStar]: "Star",
  [BodyType.kPlanet]: "Planet",
  [BodyType.kMoon]: "Moon",
  [BodyType.kAsteroid]: "Asteroid",
  [BodyType.kComet]: "Comet",
  [BodyType.kStation]: "Station",
};

/** The type's name for people. */
export function typeName(type: BodyType): string {
  return kTypeNames[type] ?? "Body";
}

function inside(camera: Camera, x: number, y: number): boolean {
  return x > -60 && y > -30 && x < camera.width + 60 && y < camera.height + 30;
}

function modulo(value: number, by: number): number {
  return value - by * Math.floor(value / by);
}
