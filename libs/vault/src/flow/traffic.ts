/**
 * What passes between this process and the vaults: counted, and within the limits of the operator. There are limits of a vault, of a pair
 * of regions and of the process. They may be changed while everything runs. Without any, nothing waits.
 */
import type { LimitInForce, Logger, Metrics } from '@strongroom/runtime';
import { StorePace } from '../object/store-pace.js';
import { type Budget, OwnBudget, TokenBucket } from './token-bucket.js';
import { type CapsByRegion, TransferPermits } from './transfer-permits.js';

/** Bytes a second, by what they limit: `ORD`, `DFW:ORD` or `process`. null: no limit, whatever the settings say. */
export type LimitsByScope = ReadonlyMap<string, number | null>;

/** How many transfers at a time, by region. null: as many as there are, whatever the settings say. */
export type SetCapsByRegion = ReadonlyMap<string, number | null>;

/** The budget that the processes of the deployment share for a limit. Its own is for as long as they can't share one. */
export type SharedBudgetOf = (scope: string, own: OwnBudget) => Budget;

export interface TrafficParts {
  /** What counts where the operator has set nothing else. */
  first?: LimitsByScope;
  /** How many transfers at a time there may be in each region. Default: no limit. */
  atATime?: CapsByRegion;
  /** For how long a copy may move next to nothing before others have its permit, in milliseconds. Default: ten seconds. */
  stillMs?: number;
  /** Default: each process has a budget of its own. */
  sharedBudget?: SharedBudgetOf;
  metrics?: Metrics;
  log?: Pick<Logger, 'info'>;
}

/** Of which limits bytes take, and who brings them. */
export interface Passage {
  scopes: readonly string[];
  by: object;
  signal: AbortSignal;
}

/** The limit of all that one process reads from vaults and writes to them. */
export const ofProcess = 'process';

/** The limit of what copies bring from one region to another. */
export function pairOf(from: string, to: string): string {
  return `${from}:${to}`;
}

export class Traffic {
  private readonly buckets = new Map<string, TokenBucket>();
  /** By store. Several regions may lie in one. */
  private readonly paces = new Map<string, { pace: StorePace; regions: Set<string> }>();
  /** Who may move bytes in the vault of a region. */
  readonly permits: TransferPermits;
  private readonly first: LimitsByScope;
  private readonly firstCaps: CapsByRegion;
  private readonly measured: ReturnType<typeof meters> | undefined;

  constructor(private readonly parts: TrafficParts = {}) {
    this.first = parts.first ?? new Map();
    this.firstCaps = parts.atATime ?? new Map();
    this.permits = new TransferPermits({ caps: this.firstCaps, stillMs: parts.stillMs, metrics: parts.metrics });
    this.measured = parts.metrics && meters(parts.metrics, this);
    this.setLimits(new Map());
  }

  /** @param set what the operator has set. For what is not in it, the first values count */
  setLimits(set: LimitsByScope): void {
    const limits = new Map([...this.first, ...set]);
    for (const [scope, bucket] of this.buckets) if (!limits.has(scope)) this.setLimit(scope, bucket, undefined);
    for (const [scope, limit] of limits) this.setLimit(scope, this.bucketOf(scope), limit ?? undefined);
  }

  /** @param set what the operator has set. For a region that is not in it, the first number counts */
  setCaps(set: SetCapsByRegion): void {
    const caps = new Map<string, number>();
    for (const [region, cap] of new Map([...this.firstCaps, ...set])) if (cap !== null) caps.set(region, cap);
    const before = this.permits.limits();
    for (const region of new Set([...caps.keys(), ...before.keys()])) {
      const [was, atATime] = [before.get(region), caps.get(region)];
      if (was === atATime) continue;
      const says =
        atATime === undefined ? 'as many transfers at a time as there are' : `${atATime} transfers at a time`;
      this.parts.log?.info({ region, atATime }, `the vault of ${region} has ${says}`);
    }
    this.permits.setCaps(caps);
  }

  limits(): [scope: string, bytesPerSecond: number][] {
    return [...this.buckets].flatMap(([scope, { limit }]) => (limit === undefined ? [] : [[scope, limit]]));
  }

  /**
   * Waits until bytes may pass, by every limit that they are under.
   * @returns undefined when they may pass at once
   * @throws the signal's reason
   */
  pass(bytes: number, { scopes, by, signal }: Passage): Promise<unknown> | undefined {
    const waits = scopes.flatMap((scope) => {
      const wait = this.buckets.get(scope)?.take(bytes, by, signal);
      return wait !== undefined ? [this.timed(scope, wait)] : [];
    });
    return waits.length > 0 ? Promise.all(waits) : undefined;
  }

  /**
   * How a store is asked by this process, as far as it keeps up. Regions in one store have one pace.
   * @param store what is asked too much when one of its regions is
   */
  paceOf(store: string, region: string): StorePace {
    const known = this.paces.get(store);
    if (known) {
      known.regions.add(region);
      return known.pace;
    }
    const regions = new Set([region]);
    const pace = new StorePace({
      onBusy: () => {
        for (const region of regions) this.measured?.busy.inc({ region });
      },
      onWaited: (ms) => {
        for (const region of regions) this.measured?.busyWaitSeconds.inc({ region }, ms / 1_000);
      },
    });
    this.paces.set(store, { pace, regions });
    return pace;
  }

  /** How many requests at a time this process makes to stores that do not keep up, by region. */
  requestLimits(): [region: string, atATime: number][] {
    return [...this.paces.values()].flatMap(({ pace: { limit }, regions }) =>
      limit === undefined ? [] : [...regions].map((region): [string, number] => [region, limit]),
    );
  }

  /** All that holds transfers back in this process now, in order of scope. */
  inForce(): LimitInForce[] {
    const rates = new Map(this.limits());
    const caps = this.permits.limits();
    const requests = new Map(this.requestLimits());
    const scopes = new Set([...rates.keys(), ...caps.keys(), ...requests.keys()]);
    return [...scopes].sort().map((scope) => ({
      scope,
      bytesPerSecond: rates.get(scope) ?? null,
      atATime: caps.get(scope) ?? null,
      requestsAtATime: requests.get(scope) ?? null,
    }));
  }

  /** So many bytes were read from the vault of a region, or written to it. */
  moved(region: string, direction: 'read' | 'written', bytes: number): void {
    this.measured?.moved.inc({ region, direction }, bytes);
  }

  /** So many bytes were brought by a copy. */
  copied(from: string, to: string, bytes: number): void {
    this.measured?.copied.inc({ source: from, region: to }, bytes);
  }

  private async timed(scope: string, wait: Promise<void>): Promise<void> {
    if (!this.measured) return wait;
    const since = performance.now();
    this.measured.waits.inc({ limit: scope });
    try {
      await wait;
    } finally {
      this.measured.waitSeconds.inc({ limit: scope }, (performance.now() - since) / 1_000);
    }
  }

  private bucketOf(scope: string): TokenBucket {
    const known = this.buckets.get(scope);
    if (known) return known;
    const { sharedBudget } = this.parts;
    // The limit of a process is its own.
    const own = new OwnBudget();
    const bucket = new TokenBucket(scope === ofProcess || !sharedBudget ? own : sharedBudget(scope, own));
    this.buckets.set(scope, bucket);
    return bucket;
  }

  private setLimit(scope: string, bucket: TokenBucket, bytesPerSecond: number | undefined): void {
    if (bucket.limit === bytesPerSecond) return;
    bucket.setLimit(bytesPerSecond);
    const says = bytesPerSecond === undefined ? 'has no limit' : `is limited to ${bytesPerSecond} bytes a second`;
    this.parts.log?.info({ limit: scope, bytesPerSecond }, `what is transferred by ${scope} ${says}`);
  }
}

function meters(metrics: Metrics, traffic: Traffic) {
  metrics.gauge({
    name: 'strongroom_transfer_limit_bytes_per_second',
    help: 'The limits of transfers that are in force, by what they limit: a region, a pair of regions, or the process.',
    labels: ['limit'],
    measure: (gauge) => {
      gauge.reset();
      for (const [limit, bytesPerSecond] of traffic.limits()) gauge.set({ limit }, bytesPerSecond);
    },
  });
  metrics.gauge({
    name: 'strongroom_store_request_limit',
    help: 'How many requests at a time this process makes to the store of a region that has answered that it is busy. Absent: as many as there are.',
    labels: ['region'],
    measure: (gauge) => {
      gauge.reset();
      for (const [region, atATime] of traffic.requestLimits()) gauge.set({ region }, atATime);
    },
  });
  return {
    busy: metrics.counter({
      name: 'strongroom_store_busy_total',
      help: 'Answers of the store of a region that it is asked for too much: 503, 429 or SlowDown.',
      labels: ['region'],
    }),
    busyWaitSeconds: metrics.counter({
      name: 'strongroom_store_busy_wait_seconds_total',
      help: 'How long requests of this process to the store of a region have waited because it was busy, all of them together.',
      labels: ['region'],
    }),
    moved: metrics.counter({
      name: 'strongroom_vault_bytes_total',
      help: 'Bytes that this process has read from vaults and written to them, by region.',
      labels: ['region', 'direction'],
    }),
    copied: metrics.counter({
      name: 'strongroom_copied_bytes_total',
      help: 'Bytes that copies of this process have brought, by the region that they came from and the one that they went to.',
      labels: ['source', 'region'],
    }),
    waits: metrics.counter({
      name: 'strongroom_transfer_waits_total',
      help: 'How often something waited because of a limit of transfers.',
      labels: ['limit'],
    }),
    waitSeconds: metrics.counter({
      name: 'strongroom_transfer_wait_seconds_total',
      help: 'How long transfers have waited because of a limit, all of them together.',
      labels: ['limit'],
    }),
  };
}
