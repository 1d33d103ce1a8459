/**
 * Which regions this process can't reach now: the breaker of each region. An outage is met by one copy, which records it. While it goes
 * on, no other copy of the region is begun, and none records anything: the outage itself is a row that anybody can look at. One probe for
 * each region looks whether it is back, and then all its copies are due at once.
 */
import type { Copies } from '@strongroom/read-model';
import {
  type Clock,
  type Jobs,
  type Logger,
  type RegionOutage,
  type RegionOutages,
  wakeLane,
} from '@strongroom/runtime';
import { isOutageOfVault, TooLargeForRoom, VaultFault, type Vaults } from '@strongroom/vault';
import type { DataSource } from 'typeorm';

export interface AwayRegionsParts {
  dataSource: DataSource;
  copies: Pick<Copies, 'waitingForOutage'>;
  jobs: Pick<Jobs, 'wake'>;
  clock: Clock;
  log: Logger;
  vaults: Vaults;
  outages: Pick<RegionOutages, 'keep'>;
  /** The name of the process that can't reach them. */
  replicator: string;
}

interface Outage {
  fault: VaultFault;
  /** When this process first met it, in milliseconds. */
  since: number;
  /** Whether copies wait. While one copy tries whether a full vault has room again, they do not. */
  isClosed: boolean;
  /** How much room a full vault had; undefined when it can't tell. */
  roomBytes: number | undefined;
  /** When one more copy tries a full vault that seems to have no more room: a quota may have changed. */
  trialAt: number;
}

const shortestTrialMs = 900_000;
const longestTrialMs = 14_400_000;
/** A full vault with so much more room than before is tried again. */
const worthwhileBytes = 1_048_576;
const batchSize = 1_000;

export class AwayRegions {
  private readonly outages = new Map<string, Outage>();
  /** What waited when the process began is due as soon as its region can be reached. */
  private hasLooked = false;

  constructor(private readonly parts: AwayRegionsParts) {}

  /** Why the region can't be reached; undefined when nothing is known against it. */
  faultOf(region: string): VaultFault | undefined {
    const outage = this.outages.get(region);
    return outage?.isClosed ? outage.fault : undefined;
  }

  /**
   * Tells that something failed because of a region. When the region can be reached nevertheless, or has room for others, only this
   * one copy is in trouble.
   */
  async tell(error: unknown): Promise<void> {
    if (!(error instanceof VaultFault) || !isOutageOfVault(error.code) || error instanceof TooLargeForRoom) return;
    const { region } = error;
    const isFull = error.code === 'vault-full';
    const fault = isFull ? error : await this.probed(region);
    if (!fault) return;
    const now = this.now();
    const since = this.outages.get(region)?.since ?? now;
    const pauseMs = Math.min(Math.max(now - since, shortestTrialMs), longestTrialMs);
    const roomBytes = isFull ? await this.roomOf(region) : undefined;
    this.outages.set(region, { fault, since, isClosed: true, roomBytes, trialAt: now + pauseMs });
    this.parts.log.warn({ err: fault, region }, `copies to and from ${region} wait: ${fault.message}`);
  }

  /** The outages that go on, as this process sees them. */
  known(): RegionOutage[] {
    return [...this.outages]
      .filter(([, { isClosed }]) => isClosed)
      .map(([region, { since, fault }]) => ({ region, since: new Date(since), code: fault.code, reason: fault.told }));
  }

  /** Tells that a copy to the region was made. */
  tellSuccess(region: string): void {
    this.outages.delete(region);
  }

  /** Looks whether regions are back. When one is, everything that has waited in its outage is due at once, whatever the others do. */
  async look(): Promise<void> {
    if (!this.hasLooked) await this.wakeAll(this.parts.vaults.regions);
    this.hasLooked = true;
    await Promise.all([...this.outages].map(([region, outage]) => this.lookAt(region, outage)));
    await this.parts.outages.keep(this.parts.replicator, this.known());
  }

  private async lookAt(region: string, outage: Outage): Promise<void> {
    if (!outage.isClosed || !(await this.isBack(region, outage))) return;
    this.parts.log.info({ region }, `${region} is back: its copies are due`);
    outage.isClosed = false;
    if (outage.fault.code !== 'vault-full') this.outages.delete(region);
    await this.wakeAll([region]);
  }

  private async isBack(region: string, outage: Outage): Promise<boolean> {
    if (await this.probed(region)) return false;
    if (outage.fault.code !== 'vault-full' || this.now() >= outage.trialAt) return true;
    const roomBytes = await this.roomOf(region);
    return roomBytes !== undefined && roomBytes >= (outage.roomBytes ?? 0) + worthwhileBytes;
  }

  /** @returns why the region can't be reached */
  private async probed(region: string): Promise<VaultFault | undefined> {
    try {
      await this.parts.vaults.of(region).probe();
      return undefined;
    } catch (error) {
      if (error instanceof VaultFault) return error;
      throw error;
    }
  }

  private roomOf(region: string): Promise<number | undefined> {
    return this.parts.vaults
      .of(region)
      .roomBytes()
      .catch(() => undefined);
  }

  /** A copy whose region is still away waits on, and records nothing. */
  private async wakeAll(back: readonly string[]): Promise<void> {
    const { copies, dataSource, jobs } = this.parts;
    for (const region of back) await wakeLane(dataSource, jobs, 'copy', region);
    // Copies that one of these regions is the source of.
    for (let after: string | undefined; ; ) {
      const ids = await copies.waitingForOutage(after, batchSize);
      await dataSource.transaction((manager) => jobs.wake(manager, 'copy', ids));
      after = ids.at(-1);
      if (ids.length < batchSize) return;
    }
  }

  private now(): number {
    return this.parts.clock.now().getTime();
  }
}
