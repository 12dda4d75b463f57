import { describe, expect, test } from "vitest";
import { Store } from "../src/store.js";

describe("Store", () => {
  test("Store: keeps the identity of its value until the next change", () => {
    const store = new Store<{ n: number }>({ n: 1 }, () => undefined);
    const first = store.getSnapshot();
    expect(store.getSnapshot()).toBe(first);
    store.set({ n: 1 });
    expect(store.getSnapshot()).not.toBe(first);
  });

  test("Store: calls each listener once per change and not for the same value", () => {
    const value = {};
    const store = new Store<object>(value, () => undefined);
    let calls = 0;
    const { subscribe } = store;
    const remove = subscribe(() => {
      calls += 1;
    });
    store.set(value);
    expect(calls).toBe(0);
    store.set({});
    expect(calls).toBe(1);
    remove();
    remove();
    store.set({});
    expect(calls).toBe(1);
  });

  test("Store: a listener that throws harms no other", () => {
    const thrown: unknown[] = [];
    const store = new Store(0, (error) => thrown.push(error));
    const seen: string[] = [];
    store.subscribe(() => seen.push("first"));
    store.subscribe(() => {
      throw new Error("mine");
    });
    store.subscribe(() => seen.push("last"));
    store.set(1);
    store.set(2);
    expect(seen).toEqual(["first", "last", "first", "last"]);
    expect(thrown.map(String)).toEqual(["Error: mine", "Error: mine"]);
  });

  test("Store: the same function added twice is called twice and removed one at a time", () => {
    const store = new Store(0, () => undefined);
    let calls = 0;
    const listener = () => {
      calls += 1;
    };
    const remove = store.subscribe(listener);
    store.subscribe(listener);
    store.set(1);
    remove();
    store.set(2);
    expect(calls).toBe(3);
  });

  test("Store: a listener removed during a change is not called any more", () => {
    const store = new Store(0, () => undefined);
    let calls = 0;
    let removeSecond = () => {};
    store.subscribe(() => removeSecond());
    removeSecond = store.subscribe(() => {
      calls += 1;
    });
    store.set(1);
    expect(calls).toBe(0);
  });
});
