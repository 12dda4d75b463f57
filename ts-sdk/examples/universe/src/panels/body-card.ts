// The body that the view follows.

import type { BodyFrame } from "../body-frame.js";
import { byId, setText } from "../dom.js";
import { formatCount } from "../format.js";
import { typeName } from "../scene.js";

export class BodyCard {
  private readonly card = byId("body-card");
  private readonly name = byId("body-name");
  private readonly kind = byId("body-kind");
  private readonly parent = byId("body-parent");
  private readonly distance = byId("body-distance");
  private readonly speed = byId("body-speed");

  constructor(onLeave: () => void) {
    byId("body-leave").addEventListener("click", onLeave);
  }

  /** Called a few times a second. `id` 0: none is followed. */
  refresh(frame: BodyFrame | undefined, id: number, user: string): void {
    const i = id === 0 || frame === undefined ? -1 : frame.find(id);
    this.card.hidden = i < 0;
    if (frame === undefined || i < 0) return;
    const type = typeName(frame.typeOf(i));
    const { name, owner } = frame.labels[i] ?? { name: "", owner: "" };
    setText(this.name, name === "" ? `${type} ${id}` : name);
    setText(this.kind, owner === "" ? type : `${type} · created by ${owner === user ? "you" : owner}`);
    const p = frame.find(frame.parents[i] as number);
    setText(this.parent, p < 0 ? "nothing" : nameOf(frame, p));
    setText(this.distance, p < 0 ? "–" : `${formatSize(lengthOf(frame.positions, i, p))} M km`);
    setText(this.speed, `${formatSize(lengthOf(frame.velocities, i, p))} M km/s`);
  }
}

function nameOf(frame: BodyFrame, i: number): string {
  const name = frame.labels[i]?.name ?? "";
  return name === "" ? `${typeName(frame.typeOf(i))} ${frame.ids[i]}` : name;
}

function lengthOf(vectors: Float32Array, i: number, base: number): number {
  const at = (k: number): number =>
    (vectors[3 * i + k] as number) - (base < 0 ? 0 : (vectors[3 * base + k] as number));
  return Math.hypot(at(0), at(1), at(2));
}

function formatSize(value: number): string {
  return value < 100 ? String(Number(value.toPrecision(3))) : formatCount(value);
}
