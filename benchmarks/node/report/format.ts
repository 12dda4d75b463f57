// format.ts: numbers as people read them, and text as HTML has it.

const kNothing = "–";

/** "133", "68.9k", "14.9M"; k = 1,000 bytes. */
export function bytes(value: number | undefined): string {
  if (value === undefined) return kNothing;
  if (value < 9_999.5) return value.toFixed(0);
  return value < 999_500 ? `${short(value / 1e3)}k` : `${short(value / 1e6)}M`;
}

/** "0.54", "12", "1,234": of the field delta, or of another measure. */
export function multiple(value: number | undefined): string {
  if (value === undefined) return kNothing;
  if (value >= 100) return value.toLocaleString("en", { maximumFractionDigits: 0 });
  if (value >= 10) return value.toFixed(1);
  if (value >= 0.095) return value.toFixed(2);
  return value >= 1e-6 ? Number(value.toPrecision(2)).toString() : value.toExponential(1);
}

/** "12 µs", "1.2 ms". */
export function duration(us: number | undefined): string {
  if (us === undefined) return kNothing;
  if (us < 1e3) return `${short(us)} µs`;
  return us < 1e6 ? `${short(us / 1e3)} ms` : `${short(us / 1e6)} s`;
}

/** Of a power of ten: "10 µs", "1 ms". */
export function roundDuration(us: number): string {
  return duration(us).replace(/\.0+ /, " ");
}

/** Three digits or so. */
function short(value: number): string {
  return value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : value.toFixed(0);
}

export function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}
