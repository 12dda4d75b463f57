// workloads.ts: what the report knows about the workloads of benchmarks/traces beforehand.

export interface Workload {
  readonly name: string;
  readonly title: string;
  /** What changes per tick, for a reader who knows no trace. */
  readonly story: string;
  /** libsync's patches should be at most so many times the field delta, from the version before. */
  readonly goal: number;
}

export const kWorkloads: readonly Workload[] = [
  workload("a", "idle", 0.54, "2,000 bodies, 30 players. 1 % of the bodies change one to three numbers."),
  workload(
    "a2",
    "defaults",
    0.92,
    "As a; three values also leave or reach their default, so tables change their size.",
  ),
  workload(
    "b",
    "inserts",
    1.1,
    "As a with half the changes; one to four bodies removed and created, in the order of ids.",
  ),
  workload(
    "c",
    "n-body, doubles",
    0.5,
    "2,000 bodies around eight heavy ones. Every position and velocity changes.",
  ),
  workload("c2", "n-body, floats", 0.18, "The same in 32 bits."),
  workload("d", "fixed point", 0.17, "2,000 ships in integer coordinates, a fifth of them under way."),
  workload("e", "big", 0.56, "100,000 bodies, 15 MB, of which 0.1 % change."),
  workload("e2", "big, inserts", 1.4, "The same, and two to six bodies removed and created."),
  workload("f", "room", 0.6, "20 bodies, 3 players, four to six bodies change."),
  workload(
    "g",
    "strings",
    0.25,
    "Chat lines, events, inventories and status texts of 110 players; the bodies rest.",
  ),
  workload("h", "reorder", 0.82, "2,000 bodies sorted by the distance to a viewer, anew every five ticks."),
  workload("i", "cubes", 0.24, "901 cubes in one vector of structs, some 28 rolling at a time."),
];

function workload(name: string, title: string, goal: number, story: string): Workload {
  return { name, title, story, goal };
}
