/** In which order the regions that have a backup are tried as the source of a copy. */

export interface SourceChoice {
  /** The regions that have the backup, in the order that counts where nothing else tells. */
  holding: readonly string[];
  /** The regions that the operator has named for the target, in order. */
  preferred: readonly string[];
  /** Bytes a second from each region to the target, as far as they are known. */
  rates: ReadonlyMap<string, number>;
  sizeBytes: number;
  isAway(region: string): boolean;
}

/** A copy of such a size tells how fast a region is, and costs little when the region is slow. */
const [leastTrialBytes, mostTrialBytes] = [16_777_216, 268_435_456];

/**
 * What the operator prefers comes first, then the region from which copies have come fastest. A region that was never tried comes before
 * them for a copy of moderate size, so that it becomes known, and after them for a large one. A region that is away comes last.
 */
export function nearestFirst({ holding, preferred, rates, sizeBytes, isAway }: SourceChoice): string[] {
  const isTrial =
    sizeBytes >= leastTrialBytes && sizeBytes <= mostTrialBytes && holding.some((region) => rates.has(region));
  const unknown = isTrial ? Number.POSITIVE_INFINITY : 0;
  const rank = (region: string) => (preferred.includes(region) ? preferred.indexOf(region) : preferred.length);
  const rate = (region: string) => rates.get(region) ?? unknown;
  return [...holding].sort(
    (a, b) => Number(isAway(a)) - Number(isAway(b)) || rank(a) - rank(b) || compared(rate(b), rate(a)),
  );
}

/** The difference of two infinities is no number. */
function compared(a: number, b: number): number {
  return a === b ? 0 : a - b;
}
