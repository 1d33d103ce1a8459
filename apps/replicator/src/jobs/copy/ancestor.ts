/**
 * What a copy is built on comes first: an incremental is of no use in a region that does not hold its parent. A parent
 * that nobody has asked there is asked there now, unless it was made there; one that is not there any more, as well.
 */
import { type EventContext, streamOf } from '@strongroom/contracts';
import { backupDecider, type CopyState, copyDecider, copyId, copyRequest, fold } from '@strongroom/domain';
import { execute, type Ledger } from '@strongroom/ledger';
import type { Ids } from '@strongroom/runtime';
import { isSpoilt, VaultFault, type Vaults } from '@strongroom/vault';
import type { StallWatch } from '../stall-watch.js';

export const parentNotCopied = 'parent-not-copied';

/** A copy that is still to be made. */
export type OpenCopy = Extract<CopyState, { is: 'pending' | 'copying' }>;

/** Whether the parent is in the region, will be, would be if it were asked for again, or why it never will. */
export type AncestorFound = 'there' | 'awaited' | { is: 'given-up' | 'gone'; code: string; reason: string };

export class Ancestor {
  constructor(
    private readonly parts: { ledger: Ledger; ids: Ids; vaults: Vaults; stalls: StallWatch },
    private readonly copy: OpenCopy,
    private readonly context: EventContext,
    private readonly signal: AbortSignal,
  ) {}

  async look(): Promise<AncestorFound> {
    const { parentId, region } = this.copy.request;
    if (parentId === null) return 'there';
    const id = copyId(parentId, region);
    const parent = fold(copyDecider, await this.parts.ledger.readStream(streamOf('copy', id)));
    switch (parent.is) {
      case 'completed':
        return (await this.isStillThere(parentId)) ? 'there' : this.lose(id, parentId);
      case 'absent':
        return this.ask(id, parentId);
      case 'failed':
        return {
          is: 'given-up',
          code: parentNotCopied,
          reason: `The backup that it is built on, ${parentId}, could not be copied to ${region}. Ask for that copy again; this one follows it.`,
        };
      default:
        return 'awaited';
    }
  }

  private async ask(id: string, parentId: string): Promise<AncestorFound> {
    const { accountId, request } = this.copy;
    const backup = fold(backupDecider, await this.parts.ledger.readStream(streamOf('backup', parentId)));
    if (backup.is === 'completed' && backup.completed) {
      if (backup.completed.region === request.region && (await this.isStillThere(parentId))) return 'there';
      const target = { id, accountId, instanceId: request.instanceId, context: this.context };
      const asked = copyRequest(backup.completed, request.region);
      await execute(this.parts, copyDecider, target, { type: 'RequestCopy', request: asked });
      return 'awaited';
    }
    // Its deletion takes this backup with it.
    return {
      is: 'gone',
      code: 'parent-missing',
      reason: `The backup that it is built on, ${parentId}, is not there any more.`,
    };
  }

  private async lose(id: string, parentId: string): Promise<AncestorFound> {
    const { accountId, request } = this.copy;
    const { region, instanceId } = request;
    const reason = `The vault of ${region} does not hold all of backup ${parentId} any more: it is put back.`;
    const target = { id, accountId, instanceId, context: this.context };
    await execute(this.parts, copyDecider, target, { type: 'LoseCopy', code: 'object-missing', reason });
    return 'awaited';
  }

  /** A vault that can't say so now will not take the copy either. */
  private async isStillThere(parentId: string): Promise<boolean> {
    const { region } = this.copy.request;
    const { vaults, stalls } = this.parts;
    try {
      return (await stalls.over(region, this.signal, () => vaults.of(region).glance(parentId))) !== undefined;
    } catch (error) {
      if (this.signal.aborted || !(error instanceof VaultFault)) throw error;
      return !isSpoilt(error);
    }
  }
}
