// Where one looks from: a centre in the world, a scale, and a tilt. World y points up, screen y down.

export interface Insets {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface Point {
  x: number;
  y: number;
}

/** Cosine of the tilted view; 1 looks straight down. */
export const kTilted = 0.62;

const kMinPixelsPerUnit = 1e-4;
const kMaxPixelsPerUnit = 400;

export class Camera {
  x = 0;
  y = 0;
  z = 0;
  pixelsPerUnit = 0.2;
  tiltCos = kTilted;
  width = 1;
  height = 1;
  /** Parts of the window that panels cover; the centre lies in what is left. */
  insets: Insets = { left: 0, top: 0, right: 0, bottom: 0 };

  get centreX(): number {
    return (this.insets.left + this.width - this.insets.right) / 2;
  }

  get centreY(): number {
    return (this.insets.top + this.height - this.insets.bottom) / 2;
  }

  get tiltSin(): number {
    return Math.sqrt(Math.max(0, 1 - this.tiltCos * this.tiltCos));
  }

  project(x: number, y: number, z: number, out: Point): Point {
    out.x = this.centreX + (x - this.x) * this.pixelsPerUnit;
    out.y = this.centreY - ((y - this.y) * this.tiltCos + (z - this.z) * this.tiltSin) * this.pixelsPerUnit;
    return out;
  }

  /** The point under a pixel, in the horizontal plane through the centre. */
  unproject(px: number, py: number, out: Point): Point {
    out.x = this.x + (px - this.centreX) / this.pixelsPerUnit;
    out.y = this.y + (this.centreY - py) / (this.pixelsPerUnit * this.tiltCos);
    return out;
  }

  pan(dx: number, dy: number): void {
    this.x -= dx / this.pixelsPerUnit;
    this.y += dy / (this.pixelsPerUnit * this.tiltCos);
  }

  /** Zooms by `factor` so that what lies under the pixel stays there. */
  zoomAt(px: number, py: number, factor: number): void {
    const before = this.unproject(px, py, { x: 0, y: 0 });
    this.pixelsPerUnit = Math.min(
      kMaxPixelsPerUnit,
      Math.max(kMinPixelsPerUnit, this.pixelsPerUnit * factor),
    );
    const after = this.unproject(px, py, { x: 0, y: 0 });
    this.x += before.x - after.x;
    this.y += before.y - after.y;
  }

  /** The scale at which a circle of `radius` around the centre just fits. */
  scaleFor(radius: number): number {
    const wide = this.width - this.insets.left - this.insets.right;
    const high = (this.height - this.insets.top - this.insets.bottom) / this.tiltCos;
    return (Math.max(80, Math.min(wide, high)) * 0.47) / Math.max(1e-6, radius);
  }
}
