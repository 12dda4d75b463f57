// details.ts: the second half of the report: each workload with every coder.

import { type Bar, barChart } from "./charts.js";
import { bytes, duration, escapeText, multiple } from "./format.js";
import { find, nameOf, verdict } from "./overview.js";
import { type Coder, kColyseus, kLibsync, type Report, type Section } from "./read.js";
import { type Cell, table } from "./table.js";

export function details({ sections }: Report): string {
  return sections.map(detail).join("\n");
}

function detail(section: Section): string {
  const { workload, fieldDelta, coders } = section;
  const ours = find(coders, kLibsync);
  const bars = coders.flatMap((coder) =>
    coder.ofField === undefined
      ? []
      : [
          {
            label: coder.name,
            value: coder.ofField,
            text: `${multiple(coder.ofField)}×  ${bytes(coder.bytes)}`,
            kind: kindOf(coder),
          },
        ],
  );
  const met = verdict(ours?.ofField, workload.goal);
  const goal = met === undefined ? "" : `, <span class="${met}">${met}</span>`;
  return `
<section id="${workload.name}" class="workload">
<h3>${escapeText(nameOf(section))}</h3>
<p>${escapeText(workload.story)} Snapshot ${bytes(section.snapshotBytes)}, field delta ${bytes(fieldDelta?.mean)} (p99
${bytes(fieldDelta?.p99)}). Goal ${multiple(workload.goal)}×${goal}.</p>
${bars.length > 0 ? barChart(`Mean patch of every coder on ${nameOf(section)}`, bars, workload.goal) : ""}
<details><summary>All figures</summary>
${coderTable(section)}
${nodeTable(section)}
</details>
</section>`;
}

function kindOf({ name }: Coder): Bar["kind"] {
  return name === kLibsync ? "ours" : name === kColyseus ? "peer" : "other";
}

function coderTable({ coders, coders5 }: Section): string {
  const columns = [
    "coder",
    "mean",
    "of field delta",
    "p99",
    "five old",
    "of field delta",
    "make, of memcmp",
    "apply, of memcmp",
    "pairs",
  ];
  return table(
    columns,
    coders.map((coder) => {
      const old = find(coders5, coder.name);
      return [
        named(coder),
        bytes(coder.bytes),
        multiple(coder.ofField),
        bytes(coder.p99),
        bytes(old?.bytes),
        multiple(old?.ofField),
        multiple(coder.encodeSpeed),
        multiple(coder.applySpeed),
        coder.pairs < coder.pairsOfTrace ? `${coder.pairs} of ${coder.pairsOfTrace}` : `${coder.pairs}`,
      ];
    }),
  );
}

function nodeTable({ coders, sdk }: Section): string {
  const timed = [...sdk, ...coders].filter((coder) => coder.applyUs !== undefined);
  if (timed.length === 0) return "";
  return table(
    ["in Node.js, median", "encode", "apply"],
    timed.map((coder) => [named(coder), duration(coder.encodeUs), duration(coder.applyUs)]),
  );
}

function named({ name, verified }: Coder): Cell {
  if (!verified) return { text: `${name}: WRONG RESULT`, kind: "above" };
  return { text: name, ...(name.startsWith(kLibsync) && { kind: "row-ours" }) };
}
