/**
 * Where a copy can be made from: every region that holds the backup. One that is away, or whose object is missing or
 * altered, is passed over and told of; whatever the source, the ledger's digest proves the bytes. What a region is found
 * to have lost is asked for anew there, once, as soon as another region is seen to have it.
 */
import { type EventContext, type EventData, isRefusal, streamOf } from '@strongroom/contracts';
import { type CopyCommand, copyDecider, copyId, copyRequest, fold, regionsHolding } from '@strongroom/domain';
import { execute, type Ledger } from '@strongroom/ledger';
import type { Ids, Logger } from '@strongroom/runtime';
import { isOutageOfVault, isSpoilt, notHeld, type Vault, VaultFault, type Vaults } from '@strongroom/vault';
import type { StallWatch } from '../stall-watch.js';
import type { OpenCopy } from './ancestor.js';

export interface CopySourcesParts {
  ledger: Ledger;
  ids: Ids;
  log: Logger;
  vaults: Vaults;
  stalls: StallWatch;
}

export class CopySources {
  constructor(
    private readonly parts: CopySourcesParts,
    private readonly copy: OpenCopy,
    private readonly backup: EventData<'BackupCompleted'>,
    private readonly context: EventContext,
    private readonly signal: AbortSignal,
  ) {}

  /**
   * The regions to copy from, in the order in which to try them: the one that the copy was asked for from, then as the
   * configuration has them; where the backup was made and is known to be lost comes last. Those without a vault are
   * left out.
   */
  async regions(): Promise<string[]> {
    const { region, sourceRegion } = this.copy.request;
    const { vaults } = this.parts;
    const madeIn = this.backup.region;
    const others = vaults.regions.filter((each) => each !== region);
    const states = await Promise.all(others.map(async (each) => ({ region: each, ...(await this.stateIn(each)) })));
    const copies = states.flatMap(({ region, is }) =>
      is === 'absent' ? [] : { region, isCompleted: is === 'completed' },
    );
    const holding = regionsHolding({ madeIn, copies });
    const order = [sourceRegion, ...others].filter((each) => holding.includes(each));
    return [...new Set([...order, madeIn])].filter((each) => others.includes(each));
  }

  /**
   * Makes the copy from the first region that can give it.
   * @throws {VaultFault} of the target, as it comes; when no region can give it, why not: an outage before all else
   */
  async useFirst<T>(regions: readonly string[], make: (from: Vault) => Promise<T>): Promise<{ made: T; from: string }> {
    const passed: VaultFault[] = [];
    for (const region of regions) {
      const vault = this.parts.vaults.of(region);
      try {
        await this.look(vault);
        await this.tellLosses(passed, region);
        return { made: await make(vault), from: region };
      } catch (error) {
        if (this.signal.aborted || !(error instanceof VaultFault) || error.region !== region) throw error;
        const { backupId, region: target } = this.copy.request;
        this.parts.log.warn(
          { err: error, backup: backupId, region: target, source: region },
          `${region} is passed over as a source: ${error.message}`,
        );
        passed.push(error);
      }
    }
    throw whyNone(passed);
  }

  /** A region that hangs is found out here, and not taken for one where the target does. */
  private async look(vault: Vault): Promise<void> {
    const { backupId, sha256 } = this.copy.request;
    const sealed = await this.parts.stalls.over(vault.region, this.signal, () => vault.manifest(backupId));
    if (!sealed) throw notHeld(backupId, vault.region);
    if (sealed.sha256 === sha256) return;
    const message = `The manifest of backup ${backupId} in the vault of ${vault.region} is not what was backed up: its SHA-256 differs.`;
    throw new VaultFault('object-altered', vault.region, message);
  }

  /** Whoever puts it back looks first: a region that has only failed to give back an object has lost nothing. */
  private async tellLosses(passed: readonly VaultFault[], good: string): Promise<void> {
    for (const { code, region, message } of passed.filter(isSpoilt)) {
      const state = await this.stateIn(region);
      if (state.is === 'completed') await this.record(region, { type: 'LoseCopy', code, reason: message });
      // One that was given up there stays so until somebody asks for it.
      if (state.is !== 'absent') continue;
      const request = copyRequest(this.backup, region, good);
      await this.record(region, { type: 'RequestCopy', request });
    }
  }

  private async record(region: string, command: CopyCommand): Promise<void> {
    const { backupId, instanceId } = this.copy.request;
    const target = {
      id: copyId(backupId, region),
      accountId: this.copy.accountId,
      instanceId,
      context: this.context,
    };
    const outcome = await execute(this.parts, copyDecider, target, command);
    if (isRefusal(outcome) || outcome.events.length === 0) return;
    this.parts.log.warn(
      { backup: backupId, region },
      `backup ${backupId} is put back into ${region}, which has lost it`,
    );
  }

  private async stateIn(region: string) {
    const stream = streamOf('copy', copyId(this.copy.request.backupId, region));
    return fold(copyDecider, await this.parts.ledger.readStream(stream));
  }
}

/** A region that is away may have it: it is waited for. */
function whyNone(passed: readonly VaultFault[]): VaultFault {
  const [first] = passed;
  if (!first) throw new TypeError('a copy needs a region to be made from');
  const told = passed.find(({ code }) => isOutageOfVault(code)) ?? passed.find(({ retryable }) => retryable) ?? first;
  const others = passed.filter((fault) => fault !== told).map(({ message }) => message);
  if (others.length === 0) return told;
  return new VaultFault(told.code, told.region, [told.message, ...others].join(' '), { cause: told });
}
