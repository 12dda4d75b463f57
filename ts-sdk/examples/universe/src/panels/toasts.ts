// Short messages about what just happened. They leave by themselves; a click sends them away.

import { byId, make } from "../dom.js";

export type ToastTone = "good" | "bad" | "plain";

const kShownMs = { good: 3200, plain: 5000, bad: 6000 };
const kMaxToasts = 4;

export class Toasts {
  private readonly box = byId("toasts");

  show(tone: ToastTone, title: string, text = ""): void {
    const toast = make("button", `toast ${tone}`);
    toast.type = "button";
    toast.append(make("b", "", title));
    if (text !== "") toast.append(make("span", "", text));
    const leave = (): void => {
      clearTimeout(timer);
      toast.remove();
    };
    const timer = setTimeout(leave, kShownMs[tone]);
    toast.addEventListener("click", leave);
    this.box.append(toast);
    while (this.box.childElementCount > kMaxToasts) this.box.firstElementChild?.remove();
  }
}
