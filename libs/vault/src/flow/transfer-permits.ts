/**
 * How many transfers of this process move bytes in one vault at a time: backups, copies into it and out of it, and readings of the scrub. A
 * transfer that needs two vaults is given both permits together or neither, so that no two of them wait for each other for ever. Whoever
 * waits longest comes first.
 */
import type { Metrics } from '@strongroom/runtime';

/** At most so many at a time, by region. A region that is left out has no limit. */
export type CapsByRegion = ReadonlyMap<string, number>;

export interface PermitsParts {
  /** Default: no limit. They may be changed while everything runs. */
  caps?: CapsByRegion | undefined;
  /** For how long a transfer that tells of its moves may move next to nothing before others have its permit, in milliseconds. Default: ten seconds. */
  stillMs?: number | undefined;
  metrics?: Metrics | undefined;
}

/** How long a job waits when something else has just taken the last permit, in milliseconds. */
const noPermitMs = 500;
const usualStillMs = 10_000;
/** Who moves fewer bytes in that time stands still, or crawls. */
export const leastMovedBytes = 1_048_576;

interface Waiting {
  begin(): boolean;
}

/**
 * What a transfer holds. A transfer of two vaults tells whenever it moves. When next to nothing has moved for long, because one of them hangs or
 * crawls, others have its permit, and it waits for another one before it goes on.
 */
export class TransferPermit {
  private regions: readonly string[];
  /** What it held when others were let in. */
  private lent: readonly string[] = [];
  private lending: NodeJS.Timeout | undefined;
  private movedBytes = 0;
  private retaking: Promise<void> | undefined;
  private readonly ending = new AbortController();

  constructor(
    private readonly permits: TransferPermits,
    private readonly by: string,
    regions: readonly string[],
  ) {
    this.regions = regions;
  }

  /**
   * Asks for one more vault, and gives up what it has taken so beyond the first before. What it holds is free while it waits. From then on
   * the transfer has to tell of its moves.
   * @throws the signal's reason
   */
  async also(region: string, signal: AbortSignal): Promise<void> {
    const wanted = [...new Set([...[...this.lent, ...this.regions].slice(0, 1), region])];
    this.giveBack();
    await this.permits.wait(wanted, this.by, signal, () => {
      this.regions = wanted;
      this.lending = setTimeout(() => this.lend(), this.permits.stillMs);
    });
  }

  /**
   * Tells that so many bytes have moved, and more are about to.
   * @returns undefined when they may at once, and otherwise what to wait for. It ends with an error when the permit is released
   */
  moves(bytes: number): Promise<void> | undefined {
    this.movedBytes += bytes;
    if (this.movedBytes >= leastMovedBytes) this.beginTurn();
    if (this.lent.length === 0) return undefined;
    this.retaking ??= this.retake().finally(() => {
      this.retaking = undefined;
    });
    return this.retaking;
  }

  /** It may be called again. */
  release(): void {
    this.giveBack();
    this.ending.abort(new Error('the transfer has ended'));
  }

  private retake(): Promise<void> {
    const { lent } = this;
    return this.permits.wait(lent, this.by, this.ending.signal, () => {
      this.regions = lent;
      this.lent = [];
      this.beginTurn();
    });
  }

  private beginTurn(): void {
    this.movedBytes = 0;
    this.lending?.refresh();
  }

  private lend(): void {
    // It may have moved, and waits for its permit.
    if (this.lent.length > 0) return;
    this.lent = this.regions;
    this.regions = [];
    this.permits.giveBack(this.lent, this.by);
  }

  private giveBack(): void {
    clearTimeout(this.lending);
    this.lending = undefined;
    this.lent = [];
    const held = this.regions;
    this.regions = [];
    this.permits.giveBack(held, this.by);
  }
}

export class TransferPermits {
  readonly stillMs: number;
  private caps: CapsByRegion;
  /** How many each kind of transfer holds, by region. */
  private readonly held = new Map<string, Map<string, number>>();
  private readonly waiting = new Set<Waiting>();

  constructor({ caps = new Map(), stillMs = usualStillMs, metrics }: PermitsParts = {}) {
    this.caps = caps;
    this.stillMs = stillMs;
    if (metrics) this.measure(metrics);
  }

  /** Sets how many there may be from now on. Where there are more, they end as they would have, and none is begun meanwhile. */
  setCaps(caps: CapsByRegion): void {
    this.caps = caps;
    this.letIn();
  }

  /** The limits that are in force. */
  limits(): CapsByRegion {
    return this.caps;
  }

  isLimited(region: string): boolean {
    return this.caps.has(region);
  }

  /**
   * How many transfers of a kind there may be in a region now, with those that there are. Where several are allowed, one kind never
   * has all: copies to a region that hangs leave some to the others.
   * @param by such as `copies to ORD`
   */
  mostFor(region: string, by: string): number {
    const cap = this.caps.get(region);
    if (cap === undefined) return Number.POSITIVE_INFINITY;
    const kinds = this.held.get(region);
    const others = sumOf(kinds) - (kinds?.get(by) ?? 0);
    return Math.max(0, Math.min(cap - others, Math.max(1, cap - 1)));
  }

  /** @returns undefined when one of the regions has no permit free */
  tryTake(regions: readonly string[], by: string): TransferPermit | undefined {
    return this.took(regions, by) ? new TransferPermit(this, by, regions) : undefined;
  }

  /** Performs a job where the region has a permit for it. Otherwise nothing is begun, and it is to be tried again. */
  async perform<T>(
    region: string,
    by: string,
    perform: (permit: TransferPermit) => Promise<T>,
  ): Promise<T | { retryInMs: number }> {
    const permit = this.tryTake([region], by);
    if (!permit) return { retryInMs: noPermitMs };
    try {
      return await perform(permit);
    } finally {
      permit.release();
    }
  }

  /** Waits for a permit in each of the regions. @throws the signal's reason */
  async take(regions: readonly string[], by: string, signal: AbortSignal): Promise<TransferPermit> {
    await this.wait(regions, by, signal, () => {});
    return new TransferPermit(this, by, regions);
  }

  /** @param taken called in the moment in which they are held. @throws the signal's reason */
  async wait(regions: readonly string[], by: string, signal: AbortSignal, taken: () => void): Promise<void> {
    signal.throwIfAborted();
    if (this.took(regions, by)) return taken();
    await new Promise<void>((resolve, reject) => {
      const abort = () => {
        this.waiting.delete(one);
        reject(signal.reason);
      };
      const one: Waiting = {
        begin: () => {
          if (!this.took(regions, by)) return false;
          this.waiting.delete(one);
          signal.removeEventListener('abort', abort);
          taken();
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
    this.letIn();
  }

  private letIn(): void {
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

  private measure(metrics: Metrics): void {
    metrics.gauge({
      name: 'strongroom_transfers_running',
      help: 'Transfers of this process that move bytes in the vault of a region, or are about to, by region: backups, copies from and to it, and the scrub.',
      labels: ['region'],
      measure: (gauge) => {
        gauge.reset();
        for (const [region, kinds] of this.held) gauge.set({ region }, sumOf(kinds));
      },
    });
    metrics.gauge({
      name: 'strongroom_transfer_limit_at_a_time',
      help: 'How many transfers of this process may move bytes in the vault of a region at a time, by region. Absent: as many as there are.',
      labels: ['region'],
      measure: (gauge) => {
        gauge.reset();
        for (const [region, cap] of this.caps) gauge.set({ region }, cap);
      },
    });
  }
}

function sumOf(kinds: ReadonlyMap<string, number> | undefined): number {
  return [...(kinds?.values() ?? [])].reduce((sum, count) => sum + count, 0);
}
