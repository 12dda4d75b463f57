// table.ts: a table that scrolls sideways in its own box where the screen is narrow.

import { escapeText } from "./format.js";

export type Cell =
  | string
  | { readonly text: string; readonly strong?: boolean; readonly href?: string; readonly kind?: string };

/** The first column names the row. */
export function table(columns: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const head = columns.map((name) => `<th scope="col">${escapeText(name)}</th>`).join("");
  const body = rows.map(([first = "", ...others]) => {
    const cells = others.map((cell) => `<td${kind(cell)}>${content(cell)}</td>`).join("");
    return `<tr${kind(first)}><th scope="row">${content(first)}</th>${cells}</tr>`;
  });
  return `<div class="table"><table><thead><tr>${head}</tr></thead><tbody>${body.join("\n")}</tbody></table></div>`;
}

function kind(cell: Cell): string {
  return typeof cell !== "string" && cell.kind ? ` class="${cell.kind}"` : "";
}

function content(cell: Cell): string {
  if (typeof cell === "string") return escapeText(cell);
  const text = cell.href
    ? `<a href="${escapeText(cell.href)}">${escapeText(cell.text)}</a>`
    : escapeText(cell.text);
  return cell.strong ? `<strong>${text}</strong>` : text;
}
