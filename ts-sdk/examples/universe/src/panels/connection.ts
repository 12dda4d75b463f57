// The connection's state in one pill, and the button that cuts it.

import type { Client } from "@libsync/sdk";
import { byId, setText } from "../dom.js";

export class ConnectionPanel {
  private readonly pill = byId("pill");
  private readonly text = byId("pill-text");
  private readonly cut = byId<HTMLButtonElement>("cut");

  constructor(
    private readonly client: Client,
    onCut: () => void,
  ) {
    this.cut.addEventListener("click", onCut);
    client.connection.subscribe(() => this.refresh());
    this.refresh();
  }

  /** Called a few times a second: the countdown and the round trip change without an event. */
  refresh(): void {
    const now = this.client.connection.getSnapshot();
    const isAway = now.state === "failed" || now.state === "reconnecting" || now.state === "suspended";
    this.pill.dataset["state"] = now.state;
    setText(this.text, this.describe());
    setText(this.cut.lastElementChild as Element, isAway ? "Try now" : "Cut connection");
  }

  private describe(): string {
    const now = this.client.connection.getSnapshot();
    switch (now.state) {
      case "idle":
        return "Not connected";
      case "connecting":
        return "Connecting…";
      case "syncing":
        return "Syncing…";
      case "live": {
        const { rttMs } = this.client.stats();
        return rttMs === undefined
          ? "Live"
          : `Live · ${rttMs < 10 ? rttMs.toFixed(1) : Math.round(rttMs)} ms`;
      }
      case "reconnecting": {
        const seconds = Math.max(0, now.retryAtMs - Date.now()) / 1000;
        return seconds < 0.1 ? "Reconnecting…" : `Reconnecting · ${seconds.toFixed(1)} s`;
      }
      case "suspended":
        return "Suspended";
      case "failed":
        return `Failed · ${now.error.code.slice(1)}`;
      default:
        now satisfies never;
        return "";
    }
  }
}
