/** Whether an outage that a copy has told goes on. A region may be away for weeks: that is recorded once, and not with every attempt. */
import type { EventData } from '@strongroom/contracts';
import type { CausedLedger } from '@strongroom/ledger';
import { isOutageOfVault, VaultFault } from '@strongroom/vault';
import type { OpenCopy } from './ancestor.js';
import type { AwayRegions } from './away-regions.js';
import { CopySources, type CopySourcesParts } from './copy-sources.js';

export interface OutageOfCopyParts extends CopySourcesParts {
  away: Pick<AwayRegions, 'faultOf' | 'tell'>;
}

export class OutageOfCopy {
  constructor(
    private readonly parts: OutageOfCopyParts,
    private readonly signal: AbortSignal,
  ) {}

  /** @returns whether the region of the copy is away, or each that it could come from */
  async goesOn(
    wanted: { copy: OpenCopy; backup: EventData<'BackupCompleted'> },
    ledger: CausedLedger,
  ): Promise<boolean> {
    if (await this.isAway(wanted.copy.request.region)) return true;
    const sources = await new CopySources(this.parts, wanted, ledger, this.signal).regions();
    for (const source of sources) if (!(await this.isAway(source))) return false;
    return sources.length > 0;
  }

  private async isAway(region: string): Promise<boolean> {
    if (this.parts.away.faultOf(region)) return true;
    try {
      await this.parts.vaults.of(region).probe();
      return false;
    } catch (error) {
      if (this.signal.aborted) throw error;
      await this.parts.away.tell(error);
      return error instanceof VaultFault && isOutageOfVault(error.code);
    }
  }
}
