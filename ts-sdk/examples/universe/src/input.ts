// Pointer, wheel and keyboard on the map, told as what they mean.

export interface InputHandlers {
  readonly onPan: (dx: number, dy: number) => void;
  readonly onZoom: (px: number, py: number, factor: number) => void;
  readonly onTap: (px: number, py: number) => void;
  /** Undefined: the pointer left. */
  readonly onHover: (at: { x: number; y: number } | undefined) => void;
}

/** A pointer that moves less than this between down and up taps. */
const kTapPixels = 6;

export function listen(canvas: HTMLCanvasElement, handlers: InputHandlers): void {
  const down = new Map<number, { x: number; y: number }>();
  let travelled = 0;

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (down.size === 1) travelled = 0;
    else travelled = kTapPixels;
  });

  canvas.addEventListener("pointermove", (event) => {
    const last = down.get(event.pointerId);
    if (last === undefined) {
      if (event.pointerType !== "touch") handlers.onHover({ x: event.clientX, y: event.clientY });
      return;
    }
    const dx = event.clientX - last.x;
    const dy = event.clientY - last.y;
    travelled += Math.hypot(dx, dy);
    if (down.size === 1) {
      if (travelled >= kTapPixels) {
        canvas.classList.add("dragging");
        handlers.onPan(dx, dy);
      }
    } else if (down.size === 2) {
      const other = [...down].find(([id]) => id !== event.pointerId)?.[1];
      if (other !== undefined) {
        const before = Math.hypot(last.x - other.x, last.y - other.y);
        const after = Math.hypot(event.clientX - other.x, event.clientY - other.y);
        handlers.onPan(dx / 2, dy / 2);
        if (before > 1) {
          handlers.onZoom((event.clientX + other.x) / 2, (event.clientY + other.y) / 2, after / before);
        }
      }
    }
    last.x = event.clientX;
    last.y = event.clientY;
  });

  const up = (event: PointerEvent): void => {
    if (!down.delete(event.pointerId)) return;
    if (down.size === 0) canvas.classList.remove("dragging");
    if (event.type === "pointerup" && travelled < kTapPixels) handlers.onTap(event.clientX, event.clientY);
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => handlers.onHover(undefined));

  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 * event.deltaY : event.deltaY;
      // A pinch on a touchpad arrives as a wheel with the control key, in small steps.
      handlers.onZoom(event.clientX, event.clientY, Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.0016)));
    },
    { passive: false },
  );
}

/** Calls the handler of a key; not while text is typed, nor with a modifier that means something to the browser. */
export function listenKeys(keys: Readonly<Record<string, (event: KeyboardEvent) => void>>): void {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof HTMLInputElement) return;
    // In a panel the arrow keys scroll.
    const inPanel = event.target instanceof Element && event.target.closest(".panel") !== null;
    if (inPanel && event.key.startsWith("Arrow")) return;
    const handler = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (handler === undefined) return;
    const onButton = event.target instanceof HTMLButtonElement;
    if (onButton && (event.key === "Enter" || event.key === " ")) return;
    handler(event);
  });
}
