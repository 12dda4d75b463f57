// Where the camera goes: it follows a body, eases to what was asked for, and keeps clear of the panels.

import type { BodyFrame } from "./body-frame.js";
import { Camera, type Insets, kTilted } from "./camera.js";
import { BodyType } from "./generated/world_generated.js";

/** Time in which a distance to where the camera should be falls to a third. */
const kEaseMs = 130;

export class View {
  readonly camera = new Camera();
  /** Id of the body in the centre; 0: none. */
  followed = 0;
  private wantedScale: number | undefined;
  private wantedTilt = kTilted;
  private wantedInsets: Insets = this.camera.insets;
  private goHome = false;
  private fitRadius = 0;
  private fitted = false;

  constructor(private readonly calm: boolean) {}

  /** The scale at which everything fits. */
  get fitScale(): number {
    return this.fitRadius === 0 ? this.camera.pixelsPerUnit : this.camera.scaleFor(this.fitRadius);
  }

  get isTilted(): boolean {
    return this.wantedTilt < 1;
  }

  resize(width: number, height: number, insets: Insets): void {
    const first = this.camera.width <= 1;
    this.camera.width = width;
    this.camera.height = height;
    this.wantedInsets = insets;
    if (first) this.camera.insets = insets;
  }

  pan(dx: number, dy: number): void {
    this.followed = 0;
    this.goHome = false;
    this.camera.pan(dx, dy);
  }

  zoomAt(px: number, py: number, factor: number): void {
    this.wantedScale = undefined;
    this.goHome = false;
    const { camera } = this;
    // What is followed stays in the centre.
    if (this.followed !== 0) camera.zoomAt(camera.centreX, camera.centreY, factor);
    else camera.zoomAt(px, py, factor);
  }

  /** One step by button or key. */
  zoomStep(factor: number): void {
    this.goHome = false;
    this.wantedScale = (this.wantedScale ?? this.camera.pixelsPerUnit) * factor;
  }

  fit(): void {
    this.followed = 0;
    this.goHome = true;
    this.wantedScale = undefined;
  }

  toggleTilt(): void {
    this.wantedTilt = this.isTilted ? 1 : kTilted;
  }

  follow(id: number): void {
    this.followed = id;
    this.goHome = false;
  }

  /** A new set of bodies. */
  measure(frame: BodyFrame): void {
    let planets = 0;
    let all = 0;
    for (let i = 0; i < frame.count; i += 1) {
      const at = Math.hypot(frame.positions[3 * i] as number, frame.positions[3 * i + 1] as number);
      if (frame.types[i] === BodyType.kPlanet && (frame.labels[i]?.owner ?? "") === "")
        planets = Math.max(planets, at);
      if (frame.types[i] !== BodyType.kComet) all = Math.max(all, at);
    }
    this.fitRadius = 1.04 * (planets > 0 ? planets : all > 0 ? all : 100);
    if (!this.fitted) {
      this.fitted = true;
      this.camera.pixelsPerUnit = this.fitScale * (this.calm ? 1 : 0.8);
      this.goHome = true;
    }
  }

  step(elapsedMs: number, frame: BodyFrame | undefined, positions: Float32Array): void {
    const { camera } = this;
    const ease = this.calm ? 1 : 1 - Math.exp(-elapsedMs / kEaseMs);
    const slow = this.calm ? 1 : 1 - Math.exp(-elapsedMs / (2.2 * kEaseMs));
    camera.tiltCos += (this.wantedTilt - camera.tiltCos) * ease;
    if (Math.abs(this.wantedTilt - camera.tiltCos) < 1e-4) camera.tiltCos = this.wantedTilt;
    const { insets } = camera;
    const to = this.wantedInsets;
    camera.insets = {
      left: insets.left + (to.left - insets.left) * ease,
      top: insets.top + (to.top - insets.top) * ease,
      right: insets.right + (to.right - insets.right) * ease,
      bottom: insets.bottom + (to.bottom - insets.bottom) * ease,
    };
    if (this.wantedScale !== undefined) {
      const rest = Math.log(this.wantedScale / camera.pixelsPerUnit);
      camera.zoomAt(camera.centreX, camera.centreY, Math.exp(rest * ease));
      if (Math.abs(rest) < 0.002) this.wantedScale = undefined;
    }
    if (this.goHome) {
      const rest = Math.log(this.fitScale / camera.pixelsPerUnit);
      camera.zoomAt(camera.centreX, camera.centreY, Math.exp(rest * slow));
      camera.x -= camera.x * ease;
      camera.y -= camera.y * ease;
    }

    const i = this.followed === 0 || frame === undefined ? -1 : frame.find(this.followed);
    if (i >= 0) {
      camera.x += ((positions[3 * i] as number) - camera.x) * ease;
      camera.y += ((positions[3 * i + 1] as number) - camera.y) * ease;
      camera.z += ((positions[3 * i + 2] as number) - camera.z) * ease;
    } else {
      this.followed = 0;
      camera.z -= camera.z * ease;
    }
  }
}
