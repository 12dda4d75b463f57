// charts.ts: the two pictures of the report, as SVG that takes the width it gets: lengths along a row are per cent, so
// text keeps its size on a narrow screen. Colours are classes of style.ts.

import { escapeText } from "./format.js";

export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly text: string;
  /** A class: "ours" stands out. */
  readonly kind: "ours" | "peer" | "other";
}

export interface Mark {
  readonly value: number;
  readonly text: string;
  readonly kind: "ours" | "ours-too" | "peer" | "best" | "goal";
}

export interface MarkRow {
  readonly label: string;
  readonly marks: readonly Mark[];
}

const kBarRow = 36;
const kMarkRow = 38;
const kAxis = 30;

/** Bars from 1 to each value on a log scale, to the left what is smaller; `goal` is a line through all of them. */
export function barChart(title: string, bars: readonly Bar[], goal: number | undefined): string {
  const scale = logScale([1, ...bars.map((bar) => bar.value), ...(goal === undefined ? [] : [goal])]);
  const height = bars.length * kBarRow;
  const rows = bars.map((bar, i) => {
    const y = i * kBarRow;
    const [from, to] = [scale.at(Math.min(1, bar.value)), scale.at(Math.max(1, bar.value))];
    return (
      text("0", y + 14, "label", bar.label) +
      text("100%", y + 14, `value ${bar.kind}`, bar.text, "end") +
      `<rect class="${bar.kind}" x="${percent(from)}" y="${y + 19}" width="${percent(Math.max(0.3, to - from))}" ` +
      `height="10" rx="2">${hint(`${bar.label}: ${bar.text}`)}</rect>`
    );
  });
  const lines =
    line(scale.at(1), height, "one") + (goal === undefined ? "" : line(scale.at(goal), height, "goal"));
  return svg(title, height, scale, rows.join(""), lines);
}

/** One row per label with a mark per value, on a log scale. `unit` writes the values of the axis; `reference`: a line. */
export function markChart(
  title: string,
  rows: readonly MarkRow[],
  unit: (value: number) => string,
  reference?: number,
): string {
  const scale = logScale(rows.flatMap((row) => row.marks.map((mark) => mark.value)));
  const height = rows.length * kMarkRow;
  const drawn = rows.map((row, i) => {
    const y = i * kMarkRow + 26;
    return (
      text("0", y - 12, "label", row.label) +
      `<line class="track" x1="0" x2="100%" y1="${y}" y2="${y}"/>` +
      row.marks.map((mark) => drawMark(mark, percent(scale.at(mark.value)), y, row.label)).join("")
    );
  });
  const lines = reference === undefined ? "" : line(scale.at(reference), height, "one");
  return svg(title, height, { ...scale, unit }, drawn.join(""), lines);
}

function drawMark({ kind, text: said }: Mark, x: string, y: number, label: string): string {
  const title = hint(`${label}: ${said}`);
  if (kind === "goal") {
    return `<line class="goal" x1="${x}" x2="${x}" y1="${y - 8}" y2="${y + 8}">${title}</line>`;
  }
  return `<circle class="${kind}" cx="${x}" cy="${y}" r="${kind.startsWith("ours") ? 6 : 5}">${title}</circle>`;
}

interface Scale {
  /** The place of a value, 0 to 100. */
  at(value: number): number;
  readonly ticks: readonly number[];
  unit?(value: number): string;
}

/** Whole decades around the values, with room at both ends for half a mark. */
function logScale(values: readonly number[]): Scale {
  const logs = values.filter((value) => value > 0).map(Math.log10);
  const low = Math.floor(Math.min(...logs) + 1e-9);
  const high = Math.max(low + 1, Math.ceil(Math.max(...logs) - 1e-9));
  return {
    at: (value) => 2 + (96 * (Math.log10(value) - low)) / (high - low),
    ticks: Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)),
  };
}

function svg(title: string, height: number, scale: Scale, rows: string, lines: string): string {
  const unit = scale.unit ?? ((value: number) => (value < 1e3 ? `${value}×` : `${value / 1e3}k×`));
  const ticks = scale.ticks.map((value, i) => {
    const x = percent(scale.at(value));
    const anchor = i === 0 ? "start" : i === scale.ticks.length - 1 ? "end" : "middle";
    return (
      `<line class="grid" x1="${x}" x2="${x}" y1="0" y2="${height}"/>` +
      text(x, height + 18, "tick", unit(value), anchor)
    );
  });
  return (
    `<svg role="img" aria-label="${escapeText(title)}" width="100%" height="${height + kAxis}">` +
    `${ticks.join("")}${lines}${rows}</svg>`
  );
}

function line(at: number, height: number, kind: string): string {
  return `<line class="${kind}" x1="${percent(at)}" x2="${percent(at)}" y1="0" y2="${height}"/>`;
}

function text(x: string, y: number, kind: string, content: string, anchor = "start"): string {
  return `<text class="${kind}" x="${x}" y="${y}" text-anchor="${anchor}">${escapeText(content)}</text>`;
}

function hint(content: string): string {
  return `<title>${escapeText(content)}</title>`;
}

function percent(value: number): string {
  return `${value.toFixed(2)}%`;
}
