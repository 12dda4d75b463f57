// Entries and what they change by. Definition: docs/WIRE_FORMAT.md section 3.5. C++: residual.h.

/** Of a difference its lowest `width` bytes, with their sign. */
export function cut(difference: number, width: number): number {
  const shift = 32 - 8 * width;
  return (difference << shift) >> shift;
}

/** Adds to an entry of 1 to 4 bytes, modulo its width. */
export function addDelta(view: DataView, position: number, width: number, delta: number): void {
  if (width === 4) {
    view.setInt32(position, view.getInt32(position, true) + delta, true);
    return;
  }
  let carry = delta;
  for (let at = position; at < position + width; at += 1) {
    const sum = view.getUint8(at) + (carry & 255);
    view.setUint8(at, sum);
    carry = (carry >> 8) + (sum >> 8);
  }
}
