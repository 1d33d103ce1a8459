/** Backups as the API shows them, with their copies. What is read is up to date with every event appended before the call. */
import { Inject } from '@nestjs/common';
import {
  type BackupResource,
  type CopyResource,
  isRefusal,
  type RecordedEvent,
  type Refusal,
  warningsInFacts,
} from '@strongroom/contracts';
import { backupDecider, bytesGoAt, keptUntil, whatItDoes } from '@strongroom/domain';
import { Ledger, stateOf } from '@strongroom/ledger';
import {
  type BackupFilter,
  type BackupRow,
  Backups,
  BackupTexts,
  backupView,
  type DeletedBackup,
  deletable,
  isMarked,
  type LineageRow,
  newestOf,
  type PageRequest,
  RestoreTests,
  type ShownBackup,
  type TestedRestore,
  type TextOfBackups,
  type Verification,
  Verifications,
  Views,
  withBackups,
  withVersions,
} from '@strongroom/read-model';
import {
  type AppConfig,
  configToken,
  deletionRulesOf,
  type JobProgress,
  Jobs,
  SetAside,
  toldWhy,
} from '@strongroom/runtime';
import { CopyResources, locationRef, percent, provenFields } from '../copies/resource.js';
import { versionId, versionIdOf } from '../datastores/resource.js';
import { type Reach, reaches } from '../edge/caller.js';
import { notFound } from '../edge/http-fault.js';
import { madeRow } from '../edge/made.js';
import { type TextOfItems, textOfItems } from '../edge/paging.js';
import { utc, utcOrNull } from '../edge/times.js';
import {
  delays,
  failedAttempts,
  faultResource,
  fullBecause,
  madeFullResource,
  notDeletedBecause,
  planned,
} from './reasons.js';
import { restoreTestResource } from './restore-tests.js';

export { delays, failedAttempts, faultResource, fullBecause, madeFullResource } from './reasons.js';
export { restoreTestResource } from './restore-tests.js';

const bytesOfGb = 1_000_000_000;

export class BackupResources {
  constructor(
    @Inject(Views) private readonly views: Views,
    @Inject(Backups) private readonly backups: Backups,
    @Inject(BackupTexts) private readonly texts: BackupTexts,
    @Inject(CopyResources) private readonly copies: CopyResources,
    @Inject(Jobs) private readonly jobs: Jobs,
    @Inject(Ledger) private readonly ledger: Ledger,
    @Inject(SetAside) private readonly setAside: SetAside,
    @Inject(configToken) private readonly config: AppConfig,
    @Inject(Verifications) private readonly verifications: Verifications,
    @Inject(RestoreTests) private readonly restoreTests: RestoreTests,
  ) {}

  /** @throws {HttpFault} itemNotFound */
  async find(reach: Reach, id: string): Promise<ShownBackup> {
    const { accountId } = reach;
    await this.views.catchUp(accountId);
    const row = await this.backups.find(accountId, id);
    if (!row || !reaches(reach, row.instanceId)) throw notFound('Backup', id);
    return row;
  }

  /** A backup that is there, or that is deleted and can be brought back. @throws {HttpFault} itemNotFound */
  async findAny(reach: Reach, id: string): Promise<ShownBackup | DeletedBackup> {
    const { accountId } = reach;
    await this.views.catchUp(accountId);
    const row = (await this.backups.find(accountId, id)) ?? (await this.backups.findDeleted(accountId, id));
    if (!row || !reaches(reach, row.instanceId)) throw notFound('Backup', id);
    return row;
  }

  /** A new backup, as the events that made it say. Nothing is read, so nothing can fail. */
  made(events: readonly RecordedEvent[]): { backup: BackupResource } {
    const row: ShownBackup = { ...madeRow(backupView, events), status: 'NEW' };
    return { backup: backupResource(row, { copies: this.copies.owed(row) }) };
  }

  async of(row: ShownBackup): Promise<{ backup: BackupResource }> {
    const shown = await this.showing([row]);
    return { backup: shown(row) };
  }

  /** @returns undefined when the marker is the id of no backup */
  async page(
    { accountId, instances: among }: Reach,
    { isDeleted = false, ...asked }: PageRequest & BackupFilter,
  ): Promise<TextOfItems | undefined> {
    if (isDeleted) {
      await this.views.catchUp(accountId);
      const deleted = await this.backups.page(accountId, { ...asked, among, isDeleted });
      return (
        deleted && textOfItems({ items: deleted.items.map(await this.showing(deleted.items)), more: deleted.more })
      );
    }
    const { minimumMs } = deletionRulesOf(this.config.deletion, accountId);
    const read = () => this.texts.page(accountId, { ...asked, among }, { planned, minimumMs });
    const page = await this.views.readUpToDate(accountId, read);
    return page && { text: await this.written(accountId, page), last: page.last, more: page.more };
  }

  /** The text of a page. Those backups that the database has not written are read, and written here. */
  private async written(accountId: string, { text, unwritten }: TextOfBackups): Promise<string> {
    const withIds = withVersions(text, versionIdOf);
    if (unwritten.length === 0) return withIds;
    const others = await this.findAll(accountId, unwritten);
    return withBackups(withIds, (id) => {
      const other = others.get(id);
      return other && JSON.stringify(other);
    });
  }

  /** The backups that exist, by their ids. */
  async findAll(accountId: string, ids: readonly string[]): Promise<Map<string, BackupResource>> {
    const rows = await this.backups.findAll(accountId, [...ids]);
    const shown = await this.showing(rows);
    return new Map(rows.map((row) => [row.id, shown(row)]));
  }

  /** The backup, and every backup that is built on it. */
  chainBelow({ accountId, id }: ShownBackup): Promise<BackupRow[]> {
    return this.backups.chainBelow(accountId, id);
  }

  /** Every backup of its chain, parents before children. What is deleted is included. */
  wholeChain(row: BackupRow): Promise<BackupRow[]> {
    return this.backups.chainOf(row);
  }

  /** The id of the instance's newest backup that has completed; undefined before the first. */
  async newestCompleted(accountId: string, instanceId: string): Promise<string | undefined> {
    await this.views.catchUp(accountId);
    return (await this.backups.newestCompleted(instanceId))?.id;
  }

  /** The id of the instance's backup that waits for its next attempt; undefined when none does. */
  async waitingOf(accountId: string, instanceId: string): Promise<string | undefined> {
    await this.views.catchUp(accountId);
    return this.backups.waitingOf(accountId, instanceId);
  }

  /** The same outcome. A refusal because of a backup that waits for its next attempt says when that is, and why. */
  async tellingRetry<Outcome>(
    { accountId, instanceId }: { accountId: string; instanceId: string },
    outcome: Outcome | Refusal,
  ): Promise<Outcome | Refusal> {
    if (!isRefusal(outcome) || outcome.refused !== 'backup-running-for-instance') return outcome;
    const id = await this.waitingOf(accountId, instanceId);
    if (id === undefined) return outcome;
    const does = whatItDoes(id, await stateOf(this.ledger, backupDecider, id));
    return { ...outcome, message: `${does} Wait until it has ended, then ask again.` };
  }

  /** Reads what is shown with the rows, for all of them at once, and returns a function that shows one of them. */
  private async showing(
    rows: readonly (ShownBackup | DeletedBackup)[],
  ): Promise<(row: ShownBackup | DeletedBackup) => BackupResource> {
    const shown = new Map(rows.map((row) => [row.id, asThere(row)]));
    const verified = await this.verifications.ofBackups([...shown.keys()]);
    const copies = await this.copies.ofBackups([...shown.values()], verified);
    const progress = await this.jobs.progress('backup', [...shown.keys()]);
    const tests = await this.restoreTests.ofBackups([...shown.keys()]);
    const failed = rows.filter(({ status }) => status === 'DELETE_FAILED');
    const aside = await this.setAside.among(failed.map(({ id }) => ({ kind: 'backup', id })));
    const reasons = new Map(aside.map((each) => [each.id, toldWhy(each)]));
    const mustApprove = await this.mustApprove(rows.filter(isMarked));
    return (row) => ({
      ...backupResource(asThere(row), {
        copies: copies.get(row.id) ?? [],
        progress: progress.get(row.id),
        verification: verified.get(`${row.id} ${row.region}`),
        tests: tests.get(row.id),
      }),
      not_deleted_because: notDeletedBecause(row, reasons.get(row.id)),
      deleted: isMarked(row) ? this.deletedResource(row, mustApprove.has(row.accountId)) : null,
      keep_until: utcOrNull(
        keptUntil(deletable(row).completedAt, deletionRulesOf(this.config.deletion, row.accountId)) ?? null,
      ),
    });
  }

  private deletedResource(row: DeletedBackup, mustApprove: boolean): BackupResource['deleted'] {
    const { at, by, trigger, rootId, approvedBy } = row.mark;
    const goAt = bytesGoAt(deletable(row), deletionRulesOf(this.config.deletion, row.accountId), new Date(at));
    const isNeeded = mustApprove && trigger === 'request' && approvedBy === null;
    return {
      at,
      by,
      trigger,
      with: rootId,
      bytes_go_at: utc(goAt),
      approval: approvedBy !== null ? 'given' : isNeeded ? 'needed' : 'not-needed',
      approved_by: approvedBy,
    };
  }

  /** The accounts of which somebody has deleted so many backups that a second person has to approve it. */
  private async mustApprove(rows: readonly DeletedBackup[]): Promise<Set<string>> {
    const { bulkLimit } = this.config.deletion;
    if (bulkLimit === 0) return new Set();
    const accounts = [...new Set(rows.map(({ accountId }) => accountId))];
    const over = await Promise.all(accounts.map(async (id) => (await this.backups.deletedByHand(id)) > bulkLimit));
    return new Set(accounts.filter((_, index) => over[index]));
  }
}

/** The backup as it was before it was deleted. */
function asThere(row: ShownBackup | DeletedBackup): ShownBackup {
  return isMarked(row) ? { ...row, status: row.mark.before } : row;
}

/** What is shown with a backup. */
interface Beside {
  copies: CopyResource[];
  progress?: JobProgress | undefined;
  /** The newest one in the region where it was made. */
  verification?: Verification | undefined;
  /** The newest first. */
  tests?: readonly TestedRestore[] | undefined;
}

function backupResource(row: ShownBackup, { copies, progress, verification, tests = [] }: Beside): BackupResource {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    status: row.status,
    created: utc(row.createdAt),
    updated: utc(row.updatedAt),
    instance_id: row.instanceId,
    source: { id: row.instanceId, type: 'instance' },
    parent_id: row.type === 'full' ? null : row.parentId,
    size: row.sizeBytes === null ? null : row.sizeBytes / bytesOfGb,
    size_bytes: row.sizeBytes,
    locationRef: whereItLies(row, copies),
    whole_in: wholeRegions(row, copies),
    ...homeProven(row, copies, verification),
    restore_tests: tests.map(restoreTestResource),
    datastore: {
      type: row.datastoreType,
      version: row.datastoreVersion,
      version_id: versionId({ type: row.datastoreType, version: row.datastoreVersion }),
    },
    is_automated: row.scheduleId === null ? 0 : 1,
    type: row.type,
    schedule_id: row.scheduleId,
    checksum: row.sha256,
    made_full: madeFullResource(row.madeFull),
    full_because: fullBecause(row),
    lineage: row.lineage,
    another_server: row.anotherServer && anotherServerResource({ backupId: row.id, ...row.anotherServer }),
    encrypted_for: row.encryptedFor,
    warnings: warningsInFacts(row.facts),
    progress: row.status === 'COMPLETED' ? 100 : row.status === 'BUILDING' ? percent(progress) : 0,
    attempt: row.attempt,
    fault: faultResource(row.fault),
    retry_at: utcOrNull(row.retryAt),
    retry_until: utcOrNull(row.retryUntil),
    failed_attempts: failedAttempts(row),
    delays: delays(row),
    not_deleted_because: null,
    deleted: null,
    hold: row.hold && { reason: row.hold.reason, since: row.hold.at, by: row.hold.by },
    keep_until: null,
    started: utcOrNull(row.startedAt),
    completed: row.status === 'COMPLETED' ? utcOrNull(row.endedAt) : null,
    copies,
  };
}

/** A backup that was put back into the region where it was made lies elsewhere in its vault than before. */
function whereItLies({ region, location }: ShownBackup, copies: readonly CopyResource[]): string | null {
  const putBack = copies.find((copy) => copy.region === region);
  if (!putBack) return locationRef(region, location);
  const whole = putBack.state === 'WHOLE' ? putBack : copies.find(({ state }) => state === 'WHOLE');
  return whole?.locationRef ?? null;
}

/** The region where it was made is one of them unless it is to get the backup again. */
function wholeRegions({ status, region: madeIn, sha256 }: ShownBackup, copies: readonly CopyResource[]): string[] {
  const regions = copies.filter(({ state }) => state === 'WHOLE').map(({ region }) => region);
  const isAtHome = status === 'COMPLETED' && sha256 !== null && copies.every(({ region }) => region !== madeIn);
  return [...regions, ...(isAtHome && madeIn !== null ? [madeIn] : [])].sort();
}

function homeProven(
  { status, region, startedAt, endedAt }: ShownBackup,
  copies: readonly CopyResource[],
  verification: Verification | undefined,
): Pick<BackupResource, 'verified_at' | 'verified_by'> {
  const putBack = copies.find((copy) => copy.region === region);
  if (putBack) return { verified_at: putBack.verified_at, verified_by: putBack.verified_by };
  return provenFields(status === 'COMPLETED' ? newestOf({ startedAt, endedAt }, verification) : undefined);
}

export function anotherServerResource({
  backupId,
  formerLineage,
  formerBackupId,
  reason,
}: NonNullable<LineageRow['anotherServer']>): NonNullable<BackupResource['another_server']> {
  return { backup_id: backupId, former_lineage: formerLineage, former_backup_id: formerBackupId, reason };
}
