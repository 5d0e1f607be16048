/** What a reader saw against what the history holds. Pure. */

/** How many examples of each kind of difference are named. */
const EXAMPLES = 5;

export interface Comparison {
  /** The ids of the history, in its order. */
  readonly history: readonly number[];
  /** What the reader saw, in its order. */
  readonly seen: readonly number[];
  readonly nameOf: (id: number) => string;
  /** Says how an event came, by its place in `seen`. */
  readonly cameBy: (index: number) => string;
}

/** One line for each kind of difference; none when both are the same. */
export function differences({ history, seen, nameOf, cameBy }: Comparison): string[] {
  const placeOf = new Map(history.map((id, place) => [id, place]));
  const seenAt = new Map<number, number>();
  const foreign: string[] = [];
  const doubled: string[] = [];
  const disordered: string[] = [];
  let highest = -1;
  for (const [index, id] of seen.entries()) {
    const place = placeOf.get(id);
    const first = seenAt.get(id);
    if (place === undefined) foreign.push(`${nameOf(id)} (${cameBy(index)})`);
    else if (first !== undefined) {
      doubled.push(`${nameOf(id)}, place ${place} (${cameBy(first)}; again ${cameBy(index)})`);
    } else if (place < highest) {
      disordered.push(`${nameOf(id)}, place ${place} after place ${highest} (${cameBy(index)})`);
    }
    if (first === undefined) seenAt.set(id, index);
    highest = Math.max(highest, place ?? -1);
  }
  const missing = history.flatMap((id, place) => {
    if (seenAt.has(id)) return [];
    const next = seenAt.get(history[place + 1] ?? -1);
    return `${nameOf(id)}, place ${place}${next === undefined ? "" : ` (what follows came ${cameBy(next)})`}`;
  });
  return Object.entries({
    missing,
    doubled,
    "out of order": disordered,
    "not in the history": foreign,
  }).filter(([, found]) => found.length > 0).map(([kind, found]) =>
    `${found.length} ${kind}: ${
      [...found.slice(0, EXAMPLES), ...found.length > EXAMPLES ? ["…"] : []].join("; ")
    }`
  );
}

/** The ids that stand twice in the history. */
export function repeated(history: readonly number[]): number[] {
  const once = new Set<number>();
  return history.filter((id) => once.has(id) || !once.add(id));
}
