/**
 * Brings what a copy is built on first: an incremental is of no use in a region that does not hold its parent. A parent that
 * nobody has asked for there is asked for now, unless it was made there. So is one that the region has lost.
 */
import { backupDecider, type CopyState, copyDecider, copyId, copyRequest } from '@strongroom/domain';
import type { CausedLedger } from '@strongroom/ledger';
import { endingWith, isSpoilt, VaultFault, type Vaults } from '@strongroom/vault';

export const parentNotCopied = 'parent-not-copied';

/** A copy that is still to be made. */
export type OpenCopy = Extract<CopyState, { is: 'pending' | 'copying' }>;

/** Whether the parent is in the region, will be there, would be if it were asked for again, or why it never will be. */
export type AncestorFound = 'there' | 'awaited' | { is: 'given-up' | 'gone'; code: string; reason: string };

export class Ancestor {
  constructor(
    private readonly parts: { vaults: Vaults },
    private readonly copy: OpenCopy,
    private readonly ledger: CausedLedger,
    private readonly signal: AbortSignal,
  ) {}

  /** Finds the parent in the region, and asks for it there when it is missing. */
  async findOrAsk(): Promise<AncestorFound> {
    const { parentId, region } = this.copy.request;
    if (parentId === null) return 'there';
    const id = copyId(parentId, region);
    const parent = await this.ledger.stateOf(copyDecider, id);
    if (parent.is !== 'absent' && parent.accountId !== this.copy.accountId) return missing(parentId);
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
    const { request } = this.copy;
    const backup = await this.ledger.stateOf(backupDecider, parentId);
    // A deleted backup can be brought back while its bytes are there, and so can this one.
    const isThere = backup.is === 'completed' || backup.is === 'marked';
    if (isThere && backup.completed && backup.accountId === this.copy.accountId) {
      if (backup.completed.region === request.region && (await this.isStillThere(parentId))) return 'there';
      const asked = copyRequest(backup.completed, request.region);
      await this.ledger.record(copyDecider, id, { type: 'RequestCopy', request: asked });
      return 'awaited';
    }
    // The deletion of the parent deletes this backup too.
    return missing(parentId);
  }

  private async lose(id: string, parentId: string): Promise<AncestorFound> {
    const { region } = this.copy.request;
    const reason = `The vault of ${region} does not hold all of backup ${parentId} any more: it is put back.`;
    await this.ledger.record(copyDecider, id, { type: 'LoseCopy', code: 'object-missing', reason });
    return 'awaited';
  }

  /** A vault that can't tell now can't take the copy either. */
  private async isStillThere(parentId: string): Promise<boolean> {
    const { region } = this.copy.request;
    try {
      const vault = endingWith(this.parts.vaults.of(region), this.signal);
      return (await vault.glance(parentId)) !== undefined;
    } catch (error) {
      if (this.signal.aborted || !(error instanceof VaultFault)) throw error;
      return !isSpoilt(error);
    }
  }
}

function missing(parentId: string): AncestorFound {
  const reason = `The backup that it is built on, ${parentId}, is not there any more.`;
  return { is: 'gone', code: 'parent-missing', reason };
}
