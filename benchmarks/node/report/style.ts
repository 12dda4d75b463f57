// style.ts: how the report looks, light and dark.

export const kStyle = `
:root { --back: #fff; --text: #1c2024; --soft: #5f6770; --line: #dfe3e8; --panel: #f6f7f9; --other: #a4adb8;
  --ours: #1668c4; --ours-too: #7fb2e8; --peer: #c2620c; --best: #7a8490; --goal: #11864f; --bad: #bb2a34; }
@media (prefers-color-scheme: dark) { :root { --back: #14171b; --text: #e6e9ed; --soft: #9aa4b0; --line: #2d333b;
  --panel: #1c2026; --other: #5d6875; --ours: #62a8f5; --ours-too: #2f659f; --peer: #f09a4b; --best: #8c97a5;
  --goal: #46c487; --bad: #ff7b82; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 66rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .75rem; }
h2 { font-size: 1.35rem; margin: 3rem 0 .5rem; }
h3 { font-size: 1.1rem; margin: 2.25rem 0 .25rem; white-space: pre-wrap; }
p, dd { max-width: 46rem; }
a { color: var(--ours); text-decoration: none; }
a:hover { text-decoration: underline; }
code, pre { font: .85em/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }
pre { background: var(--panel); padding: .75rem; border-radius: 6px; white-space: pre-wrap;
  overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--soft); margin: .5rem 0; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 1.25rem 0; padding: .5rem 0;
  border-block: 1px solid var(--line); }
.about { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 1rem 0; }
.about dt { color: var(--soft); }
.about dd { margin: 0; overflow-wrap: anywhere; }
#reading dt { font-weight: 600; margin-top: .75rem; }
#reading dd { margin: 0; }

.table { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: .3rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 500; vertical-align: bottom; white-space: normal; min-width: 4rem; }
td { white-space: pre; }
tbody th { font-weight: 400; white-space: pre; }
th:first-child { text-align: left; padding-left: 0; position: sticky; left: 0; background: var(--back); }
.row-ours > th, .row-ours > td { font-weight: 600; }
.met { color: var(--goal); }
.above { color: var(--bad); }

.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.25rem; list-style: none; margin: .5rem 0 1rem; padding: 0;
  font-size: .875rem; color: var(--soft); }
.legend li::before { content: ""; display: inline-block; width: .7rem; height: .7rem; border-radius: 50%;
  margin-right: .4rem; background: var(--best); }
.legend .ours::before { background: var(--ours); }
.legend .ours-too::before { background: var(--ours-too); }
.legend .peer::before { background: var(--peer); }
.legend .goal::before { background: var(--goal); width: 3px; border-radius: 0; height: .9rem; vertical-align: -2px; }

svg { display: block; overflow: visible; margin: .75rem 0; font-size: 13px; }
svg text { fill: var(--text); white-space: pre; paint-order: stroke; stroke: var(--back); stroke-width: 4px; }
svg .tick { fill: var(--soft); font-size: 12px; }
svg .value { font-variant-numeric: tabular-nums; }
svg .value.other, svg .value.peer { fill: var(--soft); }
svg text.ours { font-weight: 600; fill: var(--text); }
svg .grid { stroke: var(--line); }
svg .track { stroke: var(--line); stroke-width: 2; }
svg .one { stroke: var(--soft); }
svg .goal { stroke: var(--goal); stroke-width: 2; }
svg > .goal[y1="0"] { stroke-dasharray: 5 4; }
svg rect.ours, svg circle.ours { fill: var(--ours); }
svg circle.ours-too { fill: var(--ours-too); }
svg rect.other { fill: var(--other); }
svg rect.peer, svg circle.peer { fill: var(--peer); }
svg circle.best { fill: var(--best); }
svg circle { stroke: var(--back); stroke-width: 1.5; }
@media (max-width: 30rem) { main { padding-top: 1.25rem; } h1 { font-size: 1.45rem; } .about { grid-template-columns: 1fr; }
  .about dd { margin-bottom: .4rem; } }
@media print { details { display: block; } }
`;
