// What the player has, counted on between two versions of the player's topic.

import { byId, setText } from "../dom.js";
import { formatAmount, formatRate } from "../format.js";
import { type Player, Resources } from "../generated/world_generated.js";

export interface Amounts {
  energy: number;
  minerals: number;
  science: number;
}

const kNames = ["energy", "minerals", "science"] as const;

export class ResourcesPanel {
  /** As of the last `refresh`. */
  readonly amounts: Amounts = { energy: 0, minerals: 0, science: 0 };
  private readonly box = byId("resources");
  private readonly fields = kNames.map((name) => ({ amount: byId(name), rate: byId(`${name}-rate`) }));
  private readonly resources = new Resources();

  refresh(player: Player, gameTimeMs: number): void {
    const now = player.resources(this.resources);
    if (now === null) return;
    const seconds = Math.max(0, (gameTimeMs - Number(player.timeMs())) / 1000);
    const rates = [now.energyRate(), now.mineralsRate(), now.scienceRate()] as const;
    this.amounts.energy = now.energy() + seconds * rates[0];
    this.amounts.minerals = now.minerals() + seconds * rates[1];
    this.amounts.science = now.science() + seconds * rates[2];
    this.box.hidden = false;
    kNames.forEach((name, i) => {
      const field = this.fields[i] as { amount: HTMLElement; rate: HTMLElement };
      setText(field.amount, formatAmount(this.amounts[name]));
      setText(field.rate, formatRate(rates[i] as number));
    });
  }
}
