/**
 * Finds where a copy can be made from: any region that holds the backup. A region that is away, or whose object is missing or
 * altered, is passed over and named in the log. Whatever the source, the ledger's digest proves the bytes. What a region is
 * found to have lost is asked for again there, once, as soon as another region is seen to have it.
 */
import { type EventData, isRefusal } from '@strongroom/contracts';
import { type CopyCommand, type CopyState, copyDecider, copyId, copyRequest, regionsHolding } from '@strongroom/domain';
import type { CausedLedger } from '@strongroom/ledger';
import type { CopySourceOrder, Logger } from '@strongroom/runtime';
import {
  endingWith,
  isOutageOfVault,
  isSpoilt,
  notHeld,
  type TransferPermit,
  type Vault,
  VaultFault,
  type Vaults,
} from '@strongroom/vault';
import type { OpenCopy } from './ancestor.js';
import type { AwayRegions } from './away-regions.js';
import { nearestFirst } from './nearest-first.js';
import type { TransferRates } from './transfer-rates.js';

export interface CopySourcesParts {
  log: Logger;
  vaults: Vaults;
  away: Pick<AwayRegions, 'faultOf'>;
  rates: Pick<TransferRates, 'to'>;
  config: { copySources: CopySourceOrder };
  /** The copy's permit to move bytes in the vaults. Default: there is room for all. */
  permit?: TransferPermit;
}

export class CopySources {
  constructor(
    private readonly parts: CopySourcesParts,
    private readonly wanted: { copy: OpenCopy; backup: EventData<'BackupCompleted'> },
    private readonly ledger: CausedLedger,
    private readonly signal: AbortSignal,
  ) {}

  /**
   * The regions to copy from, in the order in which they are tried, the nearest first. Where nothing is known of how near they are, the
   * region that the request names comes first, then the others as the configuration has them. The region where the backup was made comes
   * last when it is known to have lost it. Regions without a vault are left out.
   */
  async regions(): Promise<string[]> {
    const { region, sourceRegion, sizeBytes } = this.wanted.copy.request;
    const { vaults, rates, config, away } = this.parts;
    const madeIn = this.wanted.backup.region;
    const others = vaults.regions.filter((each) => each !== region);
    const states = await Promise.all(others.map(async (each) => ({ region: each, ...(await this.stateIn(each)) })));
    const copies = states.flatMap(({ region, is }) =>
      is === 'absent' ? [] : { region, isCompleted: is === 'completed' },
    );
    const holding = regionsHolding({ madeIn, copies });
    const order = nearestFirst({
      holding: [...new Set([sourceRegion, ...others])].filter((each) => holding.includes(each)),
      preferred: config.copySources.get(region) ?? [],
      rates: await this.ledger.outlast('reading how near the regions are', () => rates.to(region)),
      sizeBytes,
      isAway: (each) => away.faultOf(each) !== undefined,
    });
    return [...new Set([...order, madeIn])].filter((each) => others.includes(each));
  }

  /**
   * Makes the copy from the first region that can give it.
   * @throws {VaultFault} the target's own, as it comes; or, when no region can give the backup, why: an outage comes first
   */
  async useFirst<T>(regions: readonly string[], make: (from: Vault) => Promise<T>): Promise<{ made: T; from: string }> {
    const passed: VaultFault[] = [];
    for (const region of regions) {
      const vault = this.parts.vaults.of(region);
      try {
        await this.checkHeld(vault);
        await this.tellLosses(passed, region);
        await this.parts.permit?.also(region, this.signal);
        return { made: await make(vault), from: region };
      } catch (error) {
        if (this.signal.aborted || !(error instanceof VaultFault) || error.region !== region) throw error;
        const { backupId, region: target } = this.wanted.copy.request;
        this.parts.log.warn(
          { err: error, backup: backupId, region: target, source: region },
          `${region} is passed over as a source: ${error.message}`,
        );
        passed.push(error);
      }
    }
    throw whyNone(passed);
  }

  private async checkHeld(vault: Vault): Promise<void> {
    const { backupId, sha256 } = this.wanted.copy.request;
    const sealed = await endingWith(vault, this.signal).manifest(backupId);
    if (!sealed) throw notHeld(backupId, vault.region);
    if (sealed.sha256 === sha256) return;
    const message = `The manifest of backup ${backupId} in the vault of ${vault.region} is not what was backed up: its SHA-256 differs.`;
    throw new VaultFault('object-altered', vault.region, message);
  }

  /** Whoever puts the copy back reads it first: a region that has only failed to read an object has lost nothing. */
  private async tellLosses(passed: readonly VaultFault[], good: string): Promise<void> {
    for (const { code, region, message } of passed.filter(isSpoilt)) {
      const state = await this.stateIn(region);
      if (state.is === 'completed') await this.record(region, { type: 'LoseCopy', code, reason: message });
      // A copy that was given up there stays so until somebody asks for it.
      if (state.is !== 'absent') continue;
      const request = copyRequest(this.wanted.backup, region, good);
      await this.record(region, { type: 'RequestCopy', request });
    }
  }

  private async record(region: string, command: CopyCommand): Promise<void> {
    const { backupId } = this.wanted.copy.request;
    const outcome = await this.ledger.record(copyDecider, copyId(backupId, region), command);
    if (isRefusal(outcome) || outcome.events.length === 0) return;
    this.parts.log.warn(
      { backup: backupId, region },
      `backup ${backupId} is put back into ${region}, which has lost it`,
    );
  }

  private stateIn(region: string): Promise<CopyState> {
    return this.ledger.stateOf(copyDecider, copyId(this.wanted.copy.request.backupId, region));
  }
}

/** A region that is away may have the backup, so it is waited for. */
function whyNone(passed: readonly VaultFault[]): VaultFault {
  const [first] = passed;
  if (!first) throw new TypeError('a copy needs a region to be made from');
  const told = passed.find(({ code }) => isOutageOfVault(code)) ?? passed.find(({ retryable }) => retryable) ?? first;
  const others = passed.filter((fault) => fault !== told);
  if (others.length === 0) return told;
  const all = [told, ...others];
  return new VaultFault(told.code, told.region, all.map(({ message }) => message).join(' '), {
    cause: told,
    told: all.map((fault) => fault.told).join(' '),
  });
}
