// The bodies that a player can create: price, and for a locked one the research that opens it.

import { byId, make, makeIcon, setText } from "../dom.js";
import { formatAmount } from "../format.js";
import { BodyPrice, BodyType, type Player, Research } from "../generated/world_generated.js";
import { typeName } from "../scene.js";
import type { Amounts } from "./resources.js";

const kIcons: Readonly<Record<BodyType, string>> = {
  [BodyType.kStar]:
    "M8 1.5v2M8 12.5v2M1.5 8h2M12.5 8h2M3.4 3.4l1.4 1.4M11.2 11.2l1.4 1.4M3.4 12.6l1.4-1.4M11.2 4.8l1.4-1.4M8 5.4a2.6 2.6 0 1 0 0 5.2 2.6 2.6 0 0 0 0-5.2z",
  [BodyType.kPlanet]:
    "M8 3a5 5 0 1 0 0 10A5 5 0 0 0 8 3zM3.6 6.500c2.8 1.2 6 1.2 8.8 0M3.3 9.500c2.8 1.2 6.6 1.2 9.4 0",
  [BodyType.kMoon]: "M11.5 10.200A5 5 0 0 1 6 3.200a5.2 5.2 0 1 0 5.5 7z",
  [BodyType.kAsteroid]: "M5 3.5 9.5 2.5 13 5.5 12.5 10.5 8.5 13.5 4 12 2.5 8zM6.5 6.500h.01M9.5 9.500h.01",
  [BodyType.kComet]: "M11 8.500a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM9 9.2 2 2.500M11 8.3 6 2M8.5 11 2 7",
  [BodyType.kStation]: "M8 5.500a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM1.5 8h4M10.5 8h4M8 1.500v4M8 10.500v4",
};

const kLock = "M4.5 7.500h7v6h-7zM5.8 7.500V5.300a2.2 2.2 0 0 1 4.4 0v2.2";

/** In the order in which a player comes to them. */
const kOrder = [
  BodyType.kAsteroid,
  BodyType.kComet,
  BodyType.kStation,
  BodyType.kMoon,
  BodyType.kPlanet,
  BodyType.kStar,
];

interface Entry {
  readonly type: BodyType;
  /** Its place among the player's prices. */
  readonly at: number;
  readonly button: HTMLButtonElement;
  readonly energy: HTMLElement;
  readonly minerals: HTMLElement;
  readonly lock: HTMLElement;
  price: { energy: number; minerals: number };
  unlocked: boolean;
  opener: number;
}

export class PalettePanel {
  private readonly box = byId("palette");
  private entries: Entry[] = [];
  private readonly price = new BodyPrice();
  private readonly research = new Research();
  private chosen: BodyType | undefined;

  constructor(
    private readonly handlers: {
      readonly onChoose: (type: BodyType | undefined) => void;
      /** A locked type was asked for; `research` opens it, 0: unknown. */
      readonly onLocked: (type: BodyType, research: number) => void;
    },
  ) {}

  get selected(): BodyType | undefined {
    return this.chosen;
  }

  /** A new version of the player's topic. */
  update(player: Player): void {
    const count = player.pricesLength();
    if (this.entries.length !== count) this.build(player, count);
    for (const entry of this.entries) {
      const price = player.prices(entry.at, this.price);
      if (price === null) continue;
      entry.price = { energy: price.energy(), minerals: price.minerals() };
      entry.unlocked = price.unlocked();
      setText(entry.energy, formatAmount(entry.price.energy));
      setText(entry.minerals, formatAmount(entry.price.minerals));
      entry.button.classList.toggle("locked", !entry.unlocked);
      if (!entry.unlocked) {
        const opener = this.findOpener(player, entry.type);
        entry.opener = opener.id;
        setText(entry.lock, opener.name);
      }
    }
    if (this.chosen !== undefined && this.entries.some((e) => e.type === this.chosen && !e.unlocked)) {
      this.choose(undefined);
    }
  }

  /** Called a few times a second. */
  refresh(amounts: Amounts): void {
    for (const entry of this.entries) {
      entry.energy.classList.toggle("short", entry.price.energy > amounts.energy);
      entry.minerals.classList.toggle("short", entry.price.minerals > amounts.minerals);
    }
  }

  choose(type: BodyType | undefined): void {
    const entry = this.entries.find((e) => e.type === type);
    if (entry !== undefined && !entry.unlocked) {
      this.handlers.onLocked(entry.type, entry.opener);
      return;
    }
    this.chosen = entry?.type;
    for (const each of this.entries) {
      const on = each.type === this.chosen;
      each.button.setAttribute("aria-pressed", String(on));
    }
    this.handlers.onChoose(this.chosen);
  }

  chooseNth(n: number): void {
    const entry = this.entries[n];
    if (entry !== undefined) this.toggle(entry.type);
  }

  private toggle(type: BodyType): void {
    this.choose(this.chosen === type ? undefined : type);
  }

  private build(player: Player, count: number): void {
    this.box.replaceChildren();
    this.entries = [];
    const types = Array.from({ length: count }, (_, at) => ({
      at,
      type: player.prices(at, this.price)?.bodyType() ?? BodyType.kStar,
    }));
    types.sort((a, b) => kOrder.indexOf(a.type) - kOrder.indexOf(b.type));
    for (const { at, type } of types) {
      const button = make("button", "body-choice");
      button.type = "button";
      button.dataset["body"] = typeName(type).toLowerCase();
      button.setAttribute("aria-pressed", "false");
      const energy = make("span", "price energy");
      const minerals = make("span", "price minerals");
      const lock = make("span", "lock-name");
      const prices = make("span", "prices");
      prices.append(energy, minerals);
      const locked = make("span", "lock");
      locked.append(makeIcon(kLock), lock);
      button.append(
        makeIcon(kIcons[type], "glyph"),
        make("span", "body-type", typeName(type)),
        prices,
        locked,
      );
      button.addEventListener("click", () => this.toggle(type));
      this.box.append(button);
      this.entries.push({
        type,
        at,
        button,
        energy,
        minerals,
        lock,
        price: { energy: 0, minerals: 0 },
        unlocked: true,
        opener: 0,
      });
    }
    this.box.hidden = count === 0;
  }

  // The tree says what a research brings in words only, so the word for the type is looked for.
  private findOpener(player: Player, type: BodyType): { id: number; name: string } {
    const word = new RegExp(`\\b${typeName(type)}s?\\b`, "i");
    for (let i = 0; i < player.researchLength(); i += 1) {
      const node = player.research(i, this.research);
      if (node !== null && word.test(node.effect() ?? "")) return { id: node.id(), name: node.name() ?? "" };
    }
    return { id: 0, name: "research" };
  }
}
