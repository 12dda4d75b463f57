// overview.ts: the first half of the report: all workloads beside each other.

import { type Mark, markChart } from "./charts.js";
import { bytes, duration, multiple, roundDuration } from "./format.js";
import { type Coder, kColyseus, kLibsync, type Report, type Section } from "./read.js";
import { type Cell, table } from "./table.js";

const kPairsEnough = 5;

export function overview({ sections }: Report): string {
  return `
<section id="size">
<h2>Size</h2>
<p>The mean patch from the version before, as a multiple of the <a href="#reading">field delta</a>, which a hand-written
encoder would send. Left is smaller.</p>
${legend([
  ["ours", "libsync"],
  ["peer", kColyseus],
  ["best", "smallest of the coders that know only bytes"],
  ["goal", "libsync’s goal"],
])}
${markChart("Mean patch as a multiple of the field delta", sections.map(sizeMarks), (value) => `${value}×`, 1)}
${sizeTable(sections)}
</section>
<section id="speed">
<h2>Speed in C++</h2>
<p>How fast libsync goes through a snapshot, as a multiple of comparing two equal snapshots with <code>memcmp</code>:
0.1 takes ten times as long as the comparison. Making a patch includes the digest of the new snapshot, applying it the
check of that digest; in place, the receiver’s own bytes are changed. A hundred versions: the memory that holds them, in
snapshots.</p>
${speedTable(sections)}
</section>
<section id="typescript">
<h2>Time per patch in TypeScript</h2>
<p>The median time in which a client in Node.js takes in one patch, the check of its digest included where there is one.
Left is faster. <em>reuseBytes</em> writes the new snapshot over the old one.</p>
${legend([
  ["ours", "libsync"],
  ["ours-too", "libsync, reuseBytes"],
  ["peer", kColyseus],
])}
${markChart("Median time to apply a patch", sections.map(timeMarks), roundDuration)}
${typescriptTable(sections)}
</section>`;
}

function sizeMarks(section: Section) {
  const marks: Mark[] = [];
  const add = (kind: Mark["kind"], name: string, value: number | undefined) => {
    if (value !== undefined) marks.push({ kind, value, text: `${name} ${multiple(value)}×` });
  };
  const best = bestOfBytes(section);
  add("goal", "goal", section.workload.goal);
  add("best", best?.name ?? "", best?.ofField);
  add("peer", kColyseus, find(section.coders, kColyseus)?.ofField);
  add("ours", kLibsync, find(section.coders, kLibsync)?.ofField);
  return { label: nameOf(section), marks };
}

function timeMarks(section: Section) {
  const marks: Mark[] = [];
  const add = (kind: Mark["kind"], coder: Coder | undefined) => {
    if (coder?.applyUs !== undefined) {
      marks.push({ kind, value: coder.applyUs, text: `${coder.name} ${duration(coder.applyUs)}` });
    }
  };
  add("peer", find(section.coders, kColyseus));
  add("ours-too", section.sdk[1]);
  add("ours", section.sdk[0]);
  return { label: nameOf(section), marks };
}

function sizeTable(sections: readonly Section[]): string {
  const columns = [
    "workload",
    "snapshot",
    "field delta",
    "libsync",
    "of field delta",
    "goal",
    kColyseus,
    "of field delta",
    "smallest that knows only bytes",
  ];
  return table(
    columns,
    sections.map((section) => {
      const ours = find(section.coders, kLibsync);
      const peer = find(section.coders, kColyseus);
      const best = bestOfBytes(section);
      return [
        link(section),
        bytes(section.snapshotBytes),
        bytes(section.fieldDelta?.mean),
        { text: bytes(ours?.bytes), strong: true },
        { text: multiple(ours?.ofField), strong: true },
        goalCell(section, ours),
        bytes(peer?.bytes),
        multiple(peer?.ofField),
        best ? `${best.name}  ${multiple(best.ofField)}` : "–",
      ];
    }),
  );
}

function speedTable(sections: readonly Section[]): string {
  return table(
    ["workload", "make", "apply", "apply in place", "a hundred versions"],
    sections.map((section) => {
      const ours = find(section.coders, kLibsync);
      return [
        link(section),
        multiple(ours?.encodeSpeed),
        multiple(ours?.applySpeed),
        multiple(section.inPlaceSpeed),
        multiple(section.historyMemory),
      ];
    }),
  );
}

function typescriptTable(sections: readonly Section[]): string {
  const columns = [
    "workload",
    "libsync",
    "reuseBytes",
    `${kColyseus} decode`,
    "libsync, of decode",
    "reuseBytes, of decode",
    `${kColyseus} encode`,
  ];
  return table(
    columns,
    sections.map((section) => {
      const [ours, reusing] = section.sdk;
      const peer = find(section.coders, kColyseus);
      const times = (coder: Coder | undefined) =>
        coder?.applyUs && peer?.applyUs ? `${multiple(coder.applyUs / peer.applyUs)}×` : "–";
      return [
        link(section),
        { text: duration(ours?.applyUs), strong: true },
        duration(reusing?.applyUs),
        duration(peer?.applyUs),
        times(ours),
        times(reusing),
        duration(peer?.encodeUs),
      ];
    }),
  );
}

function goalCell({ workload }: Section, ours: Coder | undefined): Cell {
  const kind = verdict(ours?.ofField, workload.goal);
  return { text: `${multiple(workload.goal)} ${kind ?? ""}`, ...(kind && { kind }) };
}

/** Of a comparison with a goal, in a word, which is also a class. */
export function verdict(value: number | undefined, goal: number): "met" | "above" | undefined {
  if (value === undefined) return undefined;
  return value <= goal ? "met" : "above";
}

export function find(coders: readonly Coder[], name: string): Coder | undefined {
  return coders.find((coder) => coder.name === name);
}

export function nameOf({ workload }: Section): string {
  return `${workload.name}  ${workload.title}`;
}

function link(section: Section): Cell {
  return { text: nameOf(section), href: `#${section.workload.name}` };
}

/** Of those of which enough pairs were measured that their mean says something. */
function bestOfBytes({ coders }: Section): Coder | undefined {
  const others = coders.filter((coder) => coder.name !== kLibsync && coder.name !== kColyseus);
  return others.find((coder) => coder.pairs >= Math.min(kPairsEnough, coder.pairsOfTrace));
}

function legend(entries: readonly (readonly [string, string])[]): string {
  return `<ul class="legend">${entries.map(([kind, name]) => `<li class="${kind}">${name}</li>`).join("")}</ul>`;
}
