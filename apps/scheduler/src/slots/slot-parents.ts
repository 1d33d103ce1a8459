/**
 * Finds what the incrementals of due slots are built on: the newest completed backup of the instance, whoever asked for that.
 * Without one the run is full. Before an account's views are folded up to date nobody can say that there is none, so its
 * incrementals wait.
 */
import { type RecordedEvent, streamOf } from '@strongroom/contracts';
import { type BackupState, backupDecider, basisOfIncremental, fold, type NewestOfInstance } from '@strongroom/domain';
import { isOutage, type Ledger } from '@strongroom/ledger';
import { Backups, type Views } from '@strongroom/read-model';
import { endsWithin, type Logger } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import type { SlotDecision } from './slot-decision.js';
import type { SlotTimer } from './slot-timers.js';

type CompletedState = Extract<BackupState, { is: 'completed' }>;

/** How long a pass waits for views. Those of a large account may take longer, and are waited for in the next passes. */
const longestWaitMs = 1_000;

export interface SlotParentsParts {
  dataSource: DataSource;
  ledger: Ledger;
  views: Views;
  log: Logger;
}

export class SlotParents {
  private readonly backups: Backups;
  /** The accounts whose views are being folded. */
  private readonly folding = new Map<string, Promise<void>>();

  constructor(private readonly parts: SlotParentsParts) {
    this.backups = new Backups(parts.dataSource);
  }

  /** Those of the accounts whose views do not reflect every event. */
  async behind(accountIds: readonly string[]): Promise<Set<string>> {
    return accountIds.length === 0 ? new Set() : this.parts.views.behind(accountIds);
  }

  /** Brings the views of accounts up to date, as far as it is done in a second. */
  async catchUp(accountIds: Iterable<string>): Promise<void> {
    for (const accountId of accountIds) {
      if (!this.folding.has(accountId)) this.folding.set(accountId, this.fold(accountId));
    }
    if (this.folding.size === 0) return;
    await endsWithin(Promise.all(this.folding.values()), longestWaitMs);
  }

  /** Whether the views of the account may lack a backup that has completed. */
  mayLack(accountId: string): boolean {
    return this.folding.has(accountId);
  }

  /** Gives the incrementals among the decisions their parents. One that has none becomes full, and says why. */
  async find(manager: EntityManager, decisions: readonly SlotDecision[]): Promise<void> {
    const incremental = decisions.flatMap(({ timer, command }) =>
      command.type === 'RequestBackup' && command.request.type === 'incremental' ? [{ timer, command }] : [],
    );
    if (incremental.length === 0) return;
    const ids = incremental.map(({ timer }) => timer.instanceId);
    const newest = await this.backups.newestCompletedOf(manager, ids);
    const parents = await this.states(
      manager,
      [...newest.values()].map(({ id }) => id),
    );
    for (const { timer, command } of incremental) {
      const found = newest.get(timer.instanceId);
      const basis = basisOfIncremental(found && { id: found.id, is: standOf(found, parents.get(found.id), timer) });
      if (basis.type === 'full') {
        Object.assign(command, { madeFull: basis.madeFull, request: { ...command.request, type: 'full' } });
        continue;
      }
      const { parentId } = basis;
      Object.assign(command, { parent: parents.get(parentId), request: { ...command.request, parentId } });
    }
  }

  /**
   * The states of backups by id, without those whose history can't be read. What a newer version tells of a backup besides is
   * passed over: the runner proves the parent before it builds on it.
   */
  private async states(manager: EntityManager, ids: readonly string[]): Promise<Map<string, BackupState>> {
    const streams = ids.map((id) => streamOf('backup', id));
    const { events, unreadable: broken } = await this.parts.ledger.readSome(manager, streams);
    const isBroken = new Set(broken.map(({ stream }) => stream));
    return new Map(
      ids.flatMap((id) => {
        const stream = streamOf('backup', id);
        const state = isBroken.has(stream) ? undefined : stateOf(events.filter((event) => event.stream === stream));
        return state ? [[id, state] as const] : [];
      }),
    );
  }

  private async fold(accountId: string): Promise<void> {
    try {
      await this.parts.views.catchUp(accountId);
    } catch (error) {
      // In an outage the pass fails as well. Otherwise the slot goes by what the views show.
      const says = `the views of account ${accountId} could not be folded before its slots`;
      if (!isOutage(error)) this.parts.log.error({ err: error, accountId }, says);
    } finally {
      this.folding.delete(accountId);
    }
  }
}

/** The view may be a moment behind the ledger: a backup that was just deleted is no parent. */
function standOf(
  { isWhole }: { isWhole: boolean },
  parent: BackupState | undefined,
  timer: SlotTimer,
): NewestOfInstance['is'] {
  if (!parent) return 'unreadable';
  return isWhole && parent.is === 'completed' && isOf(parent, timer) ? 'whole' : 'being-deleted';
}

function isOf({ accountId, request }: CompletedState, timer: SlotTimer): boolean {
  return accountId === timer.accountId && request.instanceId === timer.instanceId;
}

function stateOf(events: readonly RecordedEvent[]): BackupState | undefined {
  try {
    return fold(backupDecider, events);
  } catch (error) {
    // An event of another kind of stream is no event of a backup.
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
