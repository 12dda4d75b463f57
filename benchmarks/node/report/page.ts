// page.ts: the whole report as one HTML document that needs nothing else.

import { details } from "./details.js";
import { escapeText } from "./format.js";
import { overview } from "./overview.js";
import type { Report } from "./read.js";
import { kStyle } from "./style.js";

export function makePage(report: Report): string {
  const wrong = report.sections.flatMap(({ workload, coders, coders5, sdk }) =>
    [...coders, ...coders5, ...sdk]
      .filter((coder) => !coder.verified)
      .map((coder) => `${workload.name}: ${coder.name}`),
  );
  const about = report.about
    .map(([what, value]) => `<dt>${escapeText(what)}</dt><dd>${escapeText(value)}</dd>`)
    .join("");
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>libsync: patches measured</title>
<style>${kStyle}</style>
<main>
<h1>libsync: patches measured</h1>
<p>Small games write their whole state ten times a second. How many bytes tell a client that has one version what the
next one is, and how long does it take to make and to apply them? Every result was compared with what it should
be${wrong.length > 0 ? "" : ", and all were equal"}.</p>
${wrong.length > 0 ? `<p class="above"><strong>Not equal:</strong> ${escapeText(wrong.join("; "))}.</p>` : ""}
<dl class="about">${about}</dl>
${commands(report.commands)}
<nav>${[
    ["size", "Size"],
    ["speed", "Speed"],
    ["typescript", "TypeScript"],
    ["each", "Each workload"],
    ["reading", "How to read"],
  ]
    .map(([id, name]) => `<a href="#${id}">${name}</a>`)
    .join(" ")}</nav>
${overview(report)}
<section id="each">
<h2>Each workload</h2>
<p>Bars start at the field delta, 1×; left of it a patch is smaller, right of it larger. The dashed line is the goal.</p>
${details(report)}
</section>
${kReading}
</main>
</html>
`;
}

function commands(lines: readonly string[]): string {
  if (lines.length === 0) return "";
  return `<details open><summary>Commands</summary><pre>${escapeText(lines.join("\n"))}</pre></details>`;
}

const kReading = `
<section id="reading">
<h2>How to read this</h2>
<dl>
<dt>Field delta</dt><dd>What a hand-written encoder that knows the game would send, counted from the game’s own state: per
changed field a gap and the full field, created entities with all their fields, removed ones as gaps. It says nothing of
vector order or bytes, and carries no digest; libsync’s patches give every byte of the snapshot and 8 bytes of digest.</dd>
<dt>Five old</dt><dd>The patch from the fifth version before, half a second back, for a client that was behind.</dd>
<dt>p99</dt><dd>99 of 100 patches are not larger.</dd>
<dt>Pairs</dt><dd>How many pairs of versions were measured. Slow coders get a time limit, and their pairs are spread over
the trace; one with fewer than five is not called the smallest. Programs that are started for every patch have no time.</dd>
<dt>Apply in place</dt><dd>The mean over rounds of 23 patches, always of seed 1. The first of a round has to find the
structure of its snapshot, which the others know.</dd>
<dt>@colyseus/schema</dt><dd>Its state is written only where two versions differ, by id where there are ids. It sends the
fields, not the bytes, and no order of its maps. What noting the writes costs the game is not in its encode time.</dd>
<dt>Time</dt><dd>The median of several passes for each patch, and for Node.js the median of those, after a pass that is
left out. On a machine that does other things too, times vary by tens of per cent; sizes do not.</dd>
</dl>
</section>`;
