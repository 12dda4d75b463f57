// Names beside the bodies, as many as there is room for.

import type { BodyFrame } from "./body-frame.js";
import { BodyType } from "./generated/world_generated.js";
import { inside, type Scene, typeName } from "./scene.js";
import { colourOf } from "./sprites.js";
import type { Stage } from "./stage.js";

const kFont = "11px ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

export class Labels {
  /** x, y, width of each that was written. */
  private readonly boxes: number[] = [];
  private readonly widths = new Map<string, number>();

  constructor(
    private readonly context: CanvasRenderingContext2D,
    private readonly stage: Stage,
  ) {}

  draw(frame: BodyFrame, scene: Scene): void {
    const { boxes } = this;
    const { order, screen, sizes } = this.stage;
    boxes.length = 0;
    for (const i of order) {
      if ((sizes[i] as number) < 2.6) continue;
      const size = sizes[i] as number;
      boxes.push((screen[2 * i] as number) - size, (screen[2 * i + 1] as number) + 3.5, 2 * size - 8);
    }
    const followed = scene.followed === 0 ? -1 : frame.find(scene.followed);
    const hovered = scene.hovered === 0 ? -1 : frame.find(scene.hovered);
    if (hovered >= 0) this.label(frame, scene, hovered, true);
    if (followed >= 0 && followed !== hovered) this.label(frame, scene, followed, true);
    for (const i of order) {
      if (i === followed || i === hovered || sizes[i] === 0) continue;
      if (!inside(scene.camera, screen[2 * i] as number, screen[2 * i + 1] as number)) continue;
      this.label(frame, scene, i, false);
    }
  }

  private label(frame: BodyFrame, scene: Scene, i: number, always: boolean): void {
    const { name, owner } = frame.labels[i] ?? { name: "", owner: "" };
    const own = owner === scene.user;
    // From far the star needs no name, and the inner planets need its place.
    if (frame.types[i] === BodyType.kStar && !always && this.stage.sizeBoost < 1.4) return;
    const text =
      name !== "" ? name : owner !== "" ? (own ? "yours" : owner) : always ? typeName(frame.typeOf(i)) : "";
    if (text === "") return;
    const gap = (this.stage.sizes[i] as number) + (owner === "" ? 6 : 9);
    const width = this.widthOf(text);
    const { camera } = scene;
    const at = this.stage.screen[2 * i] as number;
    // On the other side where it would run under a panel or out of the window.
    const edge = camera.width - camera.insets.right - 4;
    const x = at + gap + width > edge && at < edge ? at - gap - width : at + gap;
    const y = (this.stage.screen[2 * i + 1] as number) + 3.5;
    if (!always && this.isTaken(x, y, width)) return;
    this.boxes.push(x, y, width);
    const strong = frame.types[i] === BodyType.kPlanet || frame.types[i] === BodyType.kStar;
    const colour = own ? "#ffe6bd" : owner !== "" ? colourOf(owner) : "#c5d2ee";
    this.write(text, x, y, colour, always ? 1 : owner !== "" ? 0.9 : strong ? 0.72 : 0.5);
  }

  private isTaken(x: number, y: number, width: number): boolean {
    const boxes = this.boxes;
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

  write(text: string, x: number, y: number, colour: string, alpha: number): void {
    const { context } = this;
    context.font = kFont;
    context.globalAlpha = alpha;
    context.fillStyle = colour;
    context.fillText(text, x, y);
    context.globalAlpha = 1;
  }

  private widthOf(text: string): number {
    let width = this.widths.get(text);
    if (width === undefined) {
      if (this.widths.size > 2000) this.widths.clear();
      this.context.font = kFont;
      width = this.context.measureText(text).width;
      this.widths.set(text, width);
    }
    return width;
  }
}
