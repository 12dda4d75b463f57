// The research tree: rows by depth, lines to what each needs, and the chosen one in detail.

import { byId, make, makePath, setText } from "../dom.js";
import { formatAmount, formatDuration } from "../format.js";
import { type Player, Research, ResearchStatus } from "../generated/world_generated.js";
import type { Amounts } from "./resources.js";

/** A node of the tree as plain values. */
export interface ResearchNode {
  readonly id: number;
  readonly name: string;
  readonly effect: string;
  readonly requires: readonly number[];
  readonly science: number;
  readonly energy: number;
  readonly durationMs: number;
  readonly status: ResearchStatus;
  readonly doneAtMs: number;
}

/** Rows of ids by depth: a node stands below everything it requires. */
export function layOut(nodes: readonly ResearchNode[]): number[][] {
  const byNumber = new Map(nodes.map((node) => [node.id, node]));
  const depths = new Map<number, number>();
  const depthOf = (id: number, hops: number): number => {
    const known = depths.get(id);
    if (known !== undefined) return known;
    const needs = (byNumber.get(id)?.requires ?? []).filter((r) => byNumber.has(r));
    // A cycle would be the server's mistake; it must not hang the page.
    const depth =
      hops > nodes.length || needs.length === 0 ? 0 : 1 + Math.max(...needs.map((r) => depthOf(r, hops + 1)));
    depths.set(id, depth);
    return depth;
  };
  const rows: number[][] = [];
  for (const { id } of nodes) {
    const depth = depthOf(id, 0);
    while (rows.length <= depth) rows.push([]);
    (rows[depth] as number[]).push(id);
  }
  // Each row in the order of the middle of what its nodes require, so that lines seldom cross.
  const places = new Map<number, number>();
  for (const row of rows) {
    const middle = (id: number): number => {
      const needs = (byNumber.get(id)?.requires ?? []).map((r) => places.get(r) ?? 0.5);
      return needs.length === 0 ? 0.5 : needs.reduce((a, b) => a + b, 0) / needs.length;
    };
    row.sort((a, b) => middle(a) - middle(b) || a - b);
    row.forEach((id, i) => {
      places.set(id, (i + 0.5) / row.length);
    });
  }
  return rows;
}

const kStatusWords: Readonly<Record<ResearchStatus, string>> = {
  [ResearchStatus.kLocked]: "Locked",
  [ResearchStatus.kAvailable]: "Available",
  [ResearchStatus.kRunning]: "Running",
  [ResearchStatus.kDone]: "Done",
};

const kStatusClasses: Readonly<Record<ResearchStatus, string>> = {
  [ResearchStatus.kLocked]: "locked",
  [ResearchStatus.kAvailable]: "available",
  [ResearchStatus.kRunning]: "running",
  [ResearchStatus.kDone]: "done",
};

interface Card {
  readonly button: HTMLButtonElement;
  readonly state: HTMLElement;
  readonly bar: HTMLElement;
}

export class ResearchPanel {
  private readonly panel = byId("research");
  private readonly opener = byId<HTMLButtonElement>("open-research");
  private readonly tree = byId("tree");
  private readonly lines = byId<SVGSVGElement>("tree-lines");
  private readonly detail = byId("research-detail");
  private readonly reader = new Research();
  private nodes: ResearchNode[] = [];
  private readonly cards = new Map<number, Card>();
  private shape = "";
  private chosen = 0;
  private detailOf = "";
  private start: HTMLButtonElement | undefined;
  private remaining: HTMLElement | undefined;

  constructor(
    private readonly onStart: (node: ResearchNode) => void,
    private readonly onResize: () => void,
  ) {
    this.opener.addEventListener("click", () => this.toggle());
    byId("close-research").addEventListener("click", () => this.toggle(false));
    addEventListener("resize", () => this.drawLines());
  }

  get isOpen(): boolean {
    return !this.panel.hidden;
  }

  toggle(open = this.panel.hidden !== false): void {
    this.panel.hidden = !open;
    this.opener.setAttribute("aria-expanded", String(open));
    document.body.classList.toggle("research-open", open);
    if (open) this.drawLines();
    this.onResize();
  }

  show(id: number): void {
    this.toggle(true);
    if (id !== 0) this.choose(id);
  }

  /** A new version of the player's topic. */
  update(player: Player): void {
    this.nodes = this.read(player);
    const shape = this.nodes.map((n) => `${n.id}:${n.requires.join("+")}`).join();
    if (shape !== this.shape) {
      this.shape = shape;
      this.build();
    }
    for (const node of this.nodes) {
      const card = this.cards.get(node.id) as Card;
      card.button.dataset["status"] = kStatusClasses[node.status];
      if (node.status !== ResearchStatus.kRunning) {
        setText(card.state, this.cardText(node));
        card.bar.style.width = node.status === ResearchStatus.kDone ? "100%" : "0";
      }
    }
    this.markLines();
    if (this.chosen === 0 || !this.cards.has(this.chosen)) {
      const first = this.nodes.find((n) => n.status === ResearchStatus.kAvailable) ?? this.nodes[0];
      if (first !== undefined) this.choose(first.id);
    } else {
      this.drawDetail();
    }
    const busy = this.nodes.some((n) => n.status === ResearchStatus.kRunning);
    this.opener.classList.toggle("busy", busy);
  }

  /** Called a few times a second: progress, countdown, and whether one can pay. */
  refresh(amounts: Amounts, gameTimeMs: number): void {
    for (const node of this.nodes) {
      if (node.status !== ResearchStatus.kRunning) continue;
      const card = this.cards.get(node.id) as Card;
      const left = Math.max(0, node.doneAtMs - gameTimeMs);
      const done = node.durationMs === 0 ? 1 : 1 - Math.min(1, left / node.durationMs);
      card.bar.style.width = `${(100 * done).toFixed(1)}%`;
      setText(card.state, formatDuration(left));
      if (node.id === this.chosen && this.remaining !== undefined) {
        setText(this.remaining, `Done in ${formatDuration(left)}`);
      }
    }
    const node = this.nodes.find((n) => n.id === this.chosen);
    if (node !== undefined && this.start !== undefined) {
      const short = node.science > amounts.science || node.energy > amounts.energy;
      this.start.classList.toggle("short", short);
    }
  }

  private read(player: Player): ResearchNode[] {
    const nodes: ResearchNode[] = [];
    for (let i = 0; i < player.researchLength(); i += 1) {
      const node = player.research(i, this.reader);
      if (node === null) continue;
      const requires: number[] = [];
      for (let k = 0; k < node.requiresLength(); k += 1) requires.push(node.requires(k) ?? 0);
      nodes.push({
        id: node.id(),
        name: node.name() ?? "",
        effect: node.effect() ?? "",
        requires,
        science: node.costScience(),
        energy: node.costEnergy(),
        durationMs: node.durationMs(),
        status: node.status(),
        doneAtMs: Number(node.doneAtMs()),
      });
    }
    return nodes;
  }

  private build(): void {
    this.cards.clear();
    const rows = layOut(this.nodes);
    const elements = rows.map((ids) => {
      const row = make("div", "tree-row");
      for (const id of ids) {
        const node = this.nodes.find((n) => n.id === id) as ResearchNode;
        const button = make("button", "node");
        button.type = "button";
        button.dataset["research"] = String(id);
        const state = make("span", "node-state");
        const bar = make("span", "node-bar");
        button.append(make("span", "node-name", node.name), state, bar);
        button.addEventListener("click", () => this.choose(id));
        this.cards.set(id, { button, state, bar });
        row.append(button);
      }
      return row;
    });
    this.tree.replaceChildren(this.lines, ...elements);
    this.drawLines();
  }

  private cardText(node: ResearchNode): string {
    return node.status === ResearchStatus.kDone ? "Done" : `${formatAmount(node.science)} science`;
  }

  private choose(id: number): void {
    this.chosen = id;
    for (const [each, card] of this.cards) card.button.setAttribute("aria-pressed", String(each === id));
    this.drawDetail();
  }

  private drawDetail(): void {
    const node = this.nodes.find((n) => n.id === this.chosen);
    if (node === undefined) return;
    const missing = node.requires
      .map((id) => this.nodes.find((n) => n.id === id))
      .filter((n) => n !== undefined && n.status !== ResearchStatus.kDone)
      .map((n) => n?.name ?? "");
    const key = `${node.id}/${node.status}/${missing.join()}/${node.science}/${node.energy}`;
    if (key === this.detailOf) return;
    this.detailOf = key;
    this.start = undefined;
    this.remaining = undefined;

    const head = make("div", "detail-head");
    head.append(
      make("h3", "", node.name),
      make("span", `tag ${kStatusClasses[node.status]}`, kStatusWords[node.status]),
    );
    const parts: HTMLElement[] = [head, make("p", "", node.effect)];
    const costs = make("p", "costs");
    costs.append(make("span", "price science", formatAmount(node.science)));
    if (node.energy > 0) costs.append(make("span", "price energy", formatAmount(node.energy)));
    costs.append(make("span", "price time", formatDuration(node.durationMs)));
    if (node.status !== ResearchStatus.kDone) parts.push(costs);
    switch (node.status) {
      case ResearchStatus.kAvailable: {
        this.start = make("button", "button primary", "Start research");
        this.start.type = "button";
        this.start.id = "start-research";
        this.start.addEventListener("click", () => this.onStart(node));
        parts.push(this.start);
        break;
      }
      case ResearchStatus.kRunning:
        this.remaining = make("p", "remaining");
        parts.push(this.remaining);
        break;
      case ResearchStatus.kLocked:
        parts.push(make("p", "needs", `Needs ${missing.join(" and ")} first.`));
        break;
      case ResearchStatus.kDone:
        break;
      default:
        node.status satisfies never;
    }
    this.detail.replaceChildren(...parts);
  }

  private drawLines(): void {
    if (this.panel.hidden) return;
    const box = this.tree.getBoundingClientRect();
    this.lines.setAttribute("viewBox", `0 0 ${box.width} ${box.height}`);
    this.lines.replaceChildren();
    for (const node of this.nodes) {
      const to = this.cards.get(node.id)?.button.getBoundingClientRect();
      for (const need of node.requires) {
        const from = this.cards.get(need)?.button.getBoundingClientRect();
        if (from === undefined || to === undefined) continue;
        const x1 = from.left + from.width / 2 - box.left;
        const y1 = from.bottom - box.top;
        const x2 = to.left + to.width / 2 - box.left;
        const y2 = to.top - box.top;
        const bend = (y2 - y1) / 2;
        const line = makePath(`M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`);
        line.dataset["need"] = String(need);
        this.lines.append(line);
      }
    }
    this.markLines();
  }

  private markLines(): void {
    for (const line of this.lines.children) {
      const need = Number((line as SVGPathElement).dataset["need"]);
      const met = this.nodes.some((n) => n.id === need && n.status === ResearchStatus.kDone);
      line.classList.toggle("met", met);
    }
  }
}
