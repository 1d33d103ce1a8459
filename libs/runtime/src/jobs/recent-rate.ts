/** How fast something goes now: not what it was on average since it began, which says nothing of what stands still. */

/** So far back counts, in milliseconds. */
const lookBackMs = 10_000;

export class RecentRate {
  private readonly seen: { bytes: number; atMs: number }[];

  /** @param atMs when it began, by a clock that is never set */
  constructor(atMs: number) {
    this.seen = [{ bytes: 0, atMs }];
  }

  /**
   * It is called again and again while it goes on.
   * @param bytes how many there were since the beginning. Fewer than before: it was begun anew
   * @returns whole bytes a second, over the last ten seconds or since the beginning
   */
  at(atMs: number, bytes: number): number {
    const newest = this.seen.at(-1);
    if (newest && bytes < newest.bytes) this.seen.splice(0, this.seen.length, { bytes: 0, atMs: newest.atMs });
    this.seen.push({ bytes, atMs });
    // The newest of those that are too old is where the ten seconds begin.
    while ((this.seen[1]?.atMs ?? atMs) <= atMs - lookBackMs) this.seen.shift();
    const [oldest] = this.seen;
    if (!oldest || atMs <= oldest.atMs) return 0;
    return Math.round(((bytes - oldest.bytes) * 1_000) / (atMs - oldest.atMs));
  }
}
