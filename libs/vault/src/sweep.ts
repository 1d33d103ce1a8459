/**
 * Removes from a vault what lost or late runners have left there, one part of the vault at a time. The ledger says what is
 * kept. What the ledger does not know is never removed, and what an attempt may be working on is left alone. The vault refuses
 * every removal when a newer attempt has begun, so a sweep that freezes and wakes up later does no harm.
 */
import type { Clock, Logger, Metrics, NewJob } from '@strongroom/runtime';
import { v5 } from 'uuid';
import { keepAsLong } from './keep-for.js';
import { type HeldBackup, type Removed, shards, type Vault } from './vault.js';
import { isOutageOfVault, VaultFault } from './vault-fault.js';

/** What the ledger says of a backup in the vault's region. */
export type SweepVerdict =
  | { is: 'unknown' }
  | { is: 'in-hand' }
  | { is: 'kept'; attempt: number; location: string }
  | { is: 'ended'; attempt: number; forGood: boolean };

export interface SweepParts {
  ask: (region: string, backupIds: string[]) => Promise<ReadonlyMap<string, SweepVerdict>>;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  /** What has changed within this time, in milliseconds, is left alone. */
  graceMs: number;
  /** For how long an account's backups are kept from everybody, in milliseconds from their completion. */
  minimumMsOf: (accountId: string) => number;
}

/** The time from one part to the next. A round over all parts takes about four hours. */
const sweepEveryMs = 60_000;
const batchSize = 100;
const sweeps = '0d6b7d8e-3f0d-5b8a-9c5f-6f0e4f6e2b17';

/** The job of sweeping the vault of a region. It never ends, and only the holder of its lease sweeps. */
export function sweepJob(region: string): NewJob {
  return { kind: 'sweep', id: v5(region, sweeps), lane: region, accountId: '' };
}

export class Sweep {
  private readonly sweptPlaces;
  private readonly sweptBytes;
  /** How many backups the ledger does not know, by region and part. */
  private readonly unknown = new Map<string, Map<number, number>>();

  constructor(private readonly parts: SweepParts) {
    const { metrics } = parts;
    const labels = ['region'] as const;
    this.sweptPlaces = metrics.counter({
      name: 'strongroom_swept_places_total',
      help: 'What attempts had left in a vault and this process removed, by region.',
      labels,
    });
    this.sweptBytes = metrics.counter({
      name: 'strongroom_swept_bytes_total',
      help: 'The bytes of what this process removed from a vault, by region.',
      labels,
    });
    metrics.gauge({
      name: 'strongroom_vault_unknown_backups',
      help: 'Backups in a vault that the ledger does not know, as this process has last seen them, by region.',
      labels,
      measure: (gauge) => {
        for (const [region, parts] of this.unknown) {
          gauge.set(
            { region },
            [...parts.values()].reduce((sum, count) => sum + count, 0),
          );
        }
      },
    });
  }

  /** The job goes on after every fault: a vault that is away is swept when it is back. */
  async tryPass(region: string, pass: () => Promise<void>): Promise<{ retryInMs: number }> {
    try {
      await pass();
    } catch (error) {
      if (!(error instanceof VaultFault)) throw error;
      this.parts.log.warn({ err: error, region }, `the vault of ${region} is not swept: ${error.message}`);
    }
    return { retryInMs: sweepEveryMs };
  }

  /**
   * Sweeps one part of a vault.
   * @param round the number of the pass, which says which part is swept
   * @throws {VaultFault} when the vault can't be reached
   */
  async pass(vault: Vault, round: number, signal?: AbortSignal): Promise<void> {
    const shard = round % shards;
    let unknown = 0;
    let batch: HeldBackup[] = [];
    const sweep = async () => {
      unknown += await this.batch(vault, batch, signal);
      batch = [];
    };
    for await (const held of vault.held(shard, signal)) {
      if (batch.push(held) === batchSize) await sweep();
    }
    if (batch.length > 0) await sweep();
    const parts = this.unknown.get(vault.region) ?? new Map<number, number>();
    this.unknown.set(vault.region, parts.set(shard, unknown));
  }

  /** @returns how many of the backups the ledger does not know */
  private async batch(vault: Vault, batch: HeldBackup[], signal?: AbortSignal): Promise<number> {
    const { ask, clock, graceMs, log } = this.parts;
    const verdicts = await ask(
      vault.region,
      batch.map(({ backupId }) => backupId),
    );
    const before = new Date(clock.now().getTime() - graceMs);
    const unknown: string[] = [];
    for (const held of batch) {
      signal?.throwIfAborted();
      const verdict = verdicts.get(held.backupId) ?? { is: 'unknown' };
      if (verdict.is === 'unknown') unknown.push(held.backupId);
      try {
        this.tell(vault, held, await this.sweepOne(vault, held, verdict, before));
      } catch (error) {
        if (!(error instanceof VaultFault) || isOutageOfVault(error.code)) throw error;
        log.warn({ err: error, backup: held.backupId, region: vault.region }, `not swept: ${error.message}`);
      }
    }
    if (unknown.length > 0)
      log.warn(
        { region: vault.region, backups: unknown },
        `the vault of ${vault.region} holds ${unknown.length} backups that the ledger does not know; nothing of them is removed`,
      );
    return unknown.length;
  }

  private async sweepOne(
    vault: Vault,
    held: HeldBackup,
    verdict: SweepVerdict,
    before: Date,
  ): Promise<Removed | undefined> {
    const { backupId } = held;
    switch (verdict.is) {
      case 'unknown':
      case 'in-hand':
        return undefined;
      case 'kept':
        if (held.fault) throw held.fault;
        if (held.location !== verdict.location) throw this.misplaced(vault, held, verdict.location);
        await this.keep(vault, backupId);
        return held.hasLeftovers ? vault.tidy(backupId, verdict, before) : undefined;
      case 'ended': {
        if (held.changedAt >= before) return undefined;
        if (!held.isGone || held.hasLeftovers) return vault.purge(backupId, verdict.attempt);
        if (verdict.forGood) await vault.forget(backupId, verdict.attempt, before);
        return undefined;
      }
    }
  }

  private async keep(vault: Vault, backupId: string): Promise<void> {
    const { minimumMsOf, log } = this.parts;
    const until = await keepAsLong(vault, backupId, minimumMsOf);
    const { region } = vault;
    if (until)
      log.info({ backup: backupId, region }, `${region} now keeps backup ${backupId} until ${until.toISOString()}`);
  }

  private tell({ region }: Vault, { backupId }: HeldBackup, removed: Removed | undefined): void {
    if (!removed || (removed.places === 0 && removed.bytes === 0)) return;
    const { places, bytes } = removed;
    this.sweptPlaces.inc({ region }, places);
    this.sweptBytes.inc({ region }, bytes);
    this.parts.log.info(
      { backup: backupId, region, places, bytes },
      `swept: what late attempts at backup ${backupId} had left in the vault of ${region}, ${bytes} bytes`,
    );
  }

  private misplaced({ region }: Vault, { backupId, location }: HeldBackup, expected: string): VaultFault {
    const there = location === undefined ? 'nothing is sealed' : `it lies at ${location}`;
    return new VaultFault(
      'object-missing',
      region,
      `The ledger says that backup ${backupId} lies at ${expected} in the vault of ${region}, but ${there} there. Run: strongroom verify ${backupId} --from ${region}`,
    );
  }
}
