/**
 * Records in the ledger what a vault was found to hold: a backup that the ledger does not know, or a copy of one that it knows from another
 * region. Each is recorded by itself, and what is known stays as it is. So it can be stopped at any point, run again, and run twice at once.
 */
import {
  begunBy,
  type EventContext,
  isRefusal,
  type RecordedEvent,
  type Refusal,
  streamOf,
} from '@strongroom/contracts';
import { type BackupState, backupDecider, copyDecider, copyId, fold } from '@strongroom/domain';
import { type Executed, execute, type Ledger } from '@strongroom/ledger';
import type { Ids } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import type { FoundBackup, NotRecorded } from './found-backups.js';

export interface CatalogParts {
  dataSource: DataSource;
  ledger: Ledger;
  ids: Ids;
}

/**
 * What became of a backup that was found. `backup`: it is recorded. `copy`: it was known, and that the region has it is recorded.
 * `version`: it was known without the version of its server, which is recorded. `known`: nothing was recorded.
 */
export type Recorded = 'backup' | 'copy' | 'version' | 'known';

/** What the ledger has of a backup and of what belongs to it. */
interface Known {
  history: readonly RecordedEvent[];
  backup: BackupState;
  ofCopy: readonly RecordedEvent[];
  parent: BackupState;
  /** Undefined when the ledger does not know its instance. */
  instanceOwner: string | undefined;
}

const actor = 'strongroom-catalog';

export class Catalog {
  private readonly context: EventContext;

  constructor(private readonly parts: CatalogParts) {
    this.context = begunBy(actor, parts.ids.next());
  }

  /** @throws {LedgerFault} when the ledger's database can't be reached */
  async record(found: FoundBackup): Promise<Recorded | NotRecorded> {
    const { backupId } = found.data;
    const known = await this.knownOf(found);
    if ('reason' in known) return known;
    const outcome = await this.recordBackup(found, known);
    if (isRefusal(outcome)) return notRecorded(found, known, outcome);
    const [event] = outcome.events;
    if (event?.type === 'BackupCatalogued') return 'backup';
    // Another run has recorded it meanwhile, maybe from another region.
    if (!event && known.backup.is === 'absent') return this.record(found);
    const isElsewhere = known.backup.is === 'completed' && known.backup.completed.region !== found.data.region;
    const copied = isElsewhere ? await this.recordCopy(found, known) : { events: [] };
    if (isRefusal(copied)) return { backupId, code: copied.refused, reason: copied.message };
    if (copied.events.length > 0) return 'copy';
    return event ? 'version' : 'known';
  }

  private async knownOf({ data }: FoundBackup): Promise<Known | NotRecorded> {
    const { backupId, instanceId, parentId, region } = data;
    const own = streamOf('backup', backupId);
    const copy = streamOf('copy', copyId(backupId, region));
    const parent = streamOf('backup', parentId ?? backupId);
    const instance = streamOf('instance', instanceId);
    const { ledger, dataSource } = this.parts;
    const { told, unreadable } = await ledger.readEach(dataSource.manager, [...new Set([own, copy, parent, instance])]);
    const [fault] = unreadable.values();
    if (fault) return { backupId, code: fault.code, reason: fault.message };
    const history = told.get(own) ?? [];
    return {
      history,
      backup: fold(backupDecider, history),
      ofCopy: told.get(copy) ?? [],
      parent: parentId === null ? { is: 'absent' } : fold(backupDecider, told.get(parent) ?? []),
      instanceOwner: told.get(instance)?.[0]?.accountId,
    };
  }

  private recordBackup(
    { accountId, data, parentSha256 }: FoundBackup,
    { history, parent, instanceOwner }: Known,
  ): Promise<Executed | Refusal> {
    const { backupId, instanceId } = data;
    return execute(
      this.parts,
      backupDecider,
      { id: backupId, accountId, instanceId, context: this.context, history },
      { type: 'CatalogBackup', accountId, found: data, parent, parentSha256, instanceOwner },
    );
  }

  private recordCopy({ accountId, data }: FoundBackup, { backup, ofCopy }: Known): Promise<Executed | Refusal> {
    const { backupId, instanceId, region, attempt, location, sha256, startedAt, completedAt } = data;
    const found = { backupId, region, attempt, location, sha256, startedAt, completedAt };
    return execute(
      this.parts,
      copyDecider,
      { id: copyId(backupId, region), accountId, instanceId, context: this.context, history: ofCopy },
      { type: 'CatalogCopy', accountId, backup, found },
    );
  }
}

/** Each after the one that it is built on, and else in the order of their making. What is built in a circle comes in some order. */
export function parentsFirst(found: readonly FoundBackup[]): FoundBackup[] {
  const byId = new Map(found.map((each) => [each.data.backupId, each]));
  const placed = new Set<FoundBackup>();
  const made = [...found].sort((one, other) => one.data.completedAt.localeCompare(other.data.completedAt));
  for (const each of made) {
    const chain: FoundBackup[] = [];
    for (let next: FoundBackup | undefined = each; next && !placed.has(next) && !chain.includes(next); ) {
      chain.push(next);
      next = next.data.parentId === null ? undefined : byId.get(next.data.parentId);
    }
    for (const one of chain.reverse()) placed.add(one);
  }
  return [...placed];
}

function notRecorded({ data }: FoundBackup, { parent }: Known, { refused, message }: Refusal): NotRecorded {
  const { backupId, parentId, region } = data;
  const isWithoutParent = refused === 'backup-unknown' && parentId !== null && parent.is === 'absent';
  if (!isWithoutParent) return { backupId, code: refused, reason: message };
  return {
    backupId,
    code: 'parent-missing',
    reason: `Backup ${backupId} is built on backup ${parentId}, which the ledger does not know and the vault of ${region} does not hold whole. Run strongroom catalog rebuild for the region that has it, then for ${region} again.`,
  };
}
