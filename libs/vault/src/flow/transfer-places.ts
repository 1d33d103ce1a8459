/**
 * How many transfers of this process move bytes in one vault at a time: backups, copies into it and out of it, and readings of the scrub. A
 * transfer that needs two vaults is given both together or neither, so that no two of them wait for each other for ever. Whoever waits
 * longest comes first.
 */
import type { Metrics } from '@strongroom/runtime';

/** At most so many at a time, by region. A region that is left out has no limit. */
export type PlacesByRegion = ReadonlyMap<string, number>;

/** How long a job waits when something else has just taken the last place, in milliseconds. */
const noPlaceMs = 500;

interface Waiting {
  begin(): boolean;
}

/** What a transfer holds. */
export class TransferPlace {
  private regions: readonly string[];

  constructor(
    private readonly places: TransferPlaces,
    private readonly by: string,
    regions: readonly string[],
  ) {
    this.regions = regions;
  }

  /**
   * Takes a place in one more vault, and gives up what it has taken so beyond the first before. What it holds is free while it waits.
   * @throws the signal's reason
   */
  async also(region: string, signal: AbortSignal): Promise<void> {
    const wanted = [...new Set([...this.regions.slice(0, 1), region])];
    this.release();
    await this.places.wait(wanted, this.by, signal);
    this.regions = wanted;
  }

  /** It may be called again. */
  release(): void {
    const held = this.regions;
    this.regions = [];
    this.places.giveBack(held, this.by);
  }
}

export class TransferPlaces {
  /** How many each kind of transfer holds, by region. */
  private readonly held = new Map<string, Map<string, number>>();
  private readonly waiting = new Set<Waiting>();

  constructor(
    private readonly most: PlacesByRegion = new Map(),
    metrics?: Metrics,
  ) {
    metrics?.gauge({
      name: 'strongroom_transfers_running',
      help: 'Transfers of this process that move bytes in the vault of a region, or are about to, by region: backups, copies from and to it, and the scrub.',
      labels: ['region'],
      measure: (gauge) => {
        gauge.reset();
        for (const [region, kinds] of this.held) gauge.set({ region }, sumOf(kinds));
      },
    });
  }

  isLimited(region: string): boolean {
    return this.most.has(region);
  }

  /**
   * How many transfers of a kind there may be in a region now, with those that there are. Where there are several places, one kind never
   * has all: copies to a region that hangs leave some to the others.
   * @param by such as `copies to ORD`
   */
  mostFor(region: string, by: string): number {
    const most = this.most.get(region);
    if (most === undefined) return Number.POSITIVE_INFINITY;
    const kinds = this.held.get(region);
    const others = sumOf(kinds) - (kinds?.get(by) ?? 0);
    return Math.min(most - others, Math.max(1, most - 1));
  }

  /** @returns undefined when one of the regions has no place free */
  tryTake(regions: readonly string[], by: string): TransferPlace | undefined {
    return this.took(regions, by) ? new TransferPlace(this, by, regions) : undefined;
  }

  /** Performs a job where the region has a place for it. Otherwise nothing is begun, and it is to be tried again. */
  async perform<T>(
    region: string,
    by: string,
    perform: (place: TransferPlace) => Promise<T>,
  ): Promise<T | { retryInMs: number }> {
    const place = this.tryTake([region], by);
    if (!place) return { retryInMs: noPlaceMs };
    try {
      return await perform(place);
    } finally {
      place.release();
    }
  }

  /** Waits for a place in each of the regions. @throws the signal's reason */
  async take(regions: readonly string[], by: string, signal: AbortSignal): Promise<TransferPlace> {
    await this.wait(regions, by, signal);
    return new TransferPlace(this, by, regions);
  }

  wait(regions: readonly string[], by: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.took(regions, by)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.waiting.delete(one);
        reject(signal.reason);
      };
      const one: Waiting = {
        begin: () => {
          if (!this.took(regions, by)) return false;
          this.waiting.delete(one);
          signal.removeEventListener('abort', abort);
          resolve();
          return true;
        },
      };
      signal.addEventListener('abort', abort, { once: true });
      this.waiting.add(one);
    });
  }

  giveBack(regions: readonly string[], by: string): void {
    for (const region of regions) this.add(region, by, -1);
    for (const one of [...this.waiting]) one.begin();
  }

  private took(regions: readonly string[], by: string): boolean {
    const isFree = regions.every((region) => (this.held.get(region)?.get(by) ?? 0) < this.mostFor(region, by));
    if (isFree) for (const region of regions) this.add(region, by, 1);
    return isFree;
  }

  private add(region: string, by: string, count: number): void {
    const kinds = this.held.get(region) ?? new Map<string, number>();
    this.held.set(region, kinds);
    kinds.set(by, (kinds.get(by) ?? 0) + count);
  }
}

function sumOf(kinds: ReadonlyMap<string, number> | undefined): number {
  return [...(kinds?.values() ?? [])].reduce((sum, count) => sum + count, 0);
}
