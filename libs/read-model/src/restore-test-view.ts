/**
 * The view of restores that somebody has tested: for each backup and region, the newest that passed and the newest that failed. A row
 * stays when its backup is deleted, because it still tells that the region has given one back.
 */
import { type RecordedEvent, restoreProof } from '@strongroom/contracts';
import { type DataSource, EntitySchema } from 'typeorm';
import { z } from 'zod';
import { unchanged, type View, type ViewRow } from './view.js';

const testOfRow = z.object({
  region: z.string(),
  /** When it ended, as the event has it. */
  at: z.string(),
  /** The actor that told it. */
  by: z.string(),
  seconds: z.int(),
  /** Null when it failed. */
  proof: restoreProof.nullable(),
  /** Null when it passed. */
  fault: z.object({ code: z.string(), reason: z.string() }).nullable(),
});
export type TestOfRow = z.infer<typeof testOfRow>;

/** The id is that of the backup. */
export interface RestoreTestRow extends ViewRow {
  instanceId: string;
  /** The oldest first. */
  tests: TestOfRow[];
  /** When the newest of them ended. */
  testedAt: Date;
}

export const restoreTestTable = new EntitySchema<RestoreTestRow>({
  name: 'RestoreTestView',
  tableName: 'restore_test_view',
  columns: {
    id: { type: 'uuid', primary: true },
    accountId: { type: 'text', name: 'account_id' },
    instanceId: { type: 'uuid', name: 'instance_id' },
    tests: { type: 'jsonb' },
    testedAt: { type: 'timestamptz', name: 'tested_at' },
    version: { type: 'integer' },
  },
});

export const restoreTestView: View<'backup', RestoreTestRow> = {
  aggregate: 'backup',
  table: restoreTestTable,
  fold: {
    RestoreTested: (row, event) => withTest(row, event, { proof: event.data.proof, fault: null }),
    RestoreTestFailed(row, event) {
      const { code, reason } = event.data;
      return withTest(row, event, { proof: null, fault: { code, reason } });
    },
    SlotSkipped: unchanged,
    SlotMissed: unchanged,
    BackupRequested: unchanged,
    BackupStarted: unchanged,
    BackupAttemptFailed: unchanged,
    BackupDelayed: unchanged,
    BackupMadeFull: unchanged,
    BackupIdentified: unchanged,
    BackupVersionFound: unchanged,
    BackupEncrypted: unchanged,
    AnotherServerFound: unchanged,
    BackupCompleted: unchanged,
    BackupFailed: unchanged,
    BackupCatalogued: unchanged,
    BackupDeletionMarked: unchanged,
    BackupDeletionReverted: unchanged,
    BackupDeletionApproved: unchanged,
    BackupHeld: unchanged,
    BackupHoldLifted: unchanged,
    BackupDeletionRequested: unchanged,
    BackupDeletionFailed: unchanged,
    BackupDeletionPutOff: unchanged,
    BackupDeletionCalledOff: unchanged,
    BackupDeleted: unchanged,
  },
};

/** The row with one more test, in place of the one before it in the same region that ended alike. */
function withTest(
  row: RestoreTestRow | undefined,
  event: RecordedEvent<'RestoreTested'> | RecordedEvent<'RestoreTestFailed'>,
  { proof, fault }: Pick<TestOfRow, 'proof' | 'fault'>,
): RestoreTestRow {
  const { at, accountId, version, context, data } = event;
  const { backupId, instanceId, region, seconds } = data;
  const isOther = (each: TestOfRow) => each.region !== region || (each.fault === null) !== (fault === null);
  const test = { region, at, by: context.actor, seconds, proof, fault };
  const tests = [...(row?.tests ?? []).filter(isOther), test];
  return { id: backupId, accountId, instanceId, tests, testedAt: new Date(at), version };
}

const tested = z.object({ backupId: z.string(), test: testOfRow });
const testedRows = z.array(tested);
/** A tested restore of a backup. */
export type TestedRestore = z.infer<typeof tested>;
const scheduleRows = z.array(tested.extend({ scheduleId: z.string() }));
/** One of a backup of the schedule's instance. */
export type TestOfSchedule = z.infer<typeof scheduleRows>[number];

export class RestoreTests {
  constructor(private readonly dataSource: DataSource) {}

  /** The tests of each backup, the newest first. A backup without any is left out. */
  async ofBackups(backupIds: readonly string[]): Promise<Map<string, TestedRestore[]>> {
    if (backupIds.length === 0) return new Map();
    const rows: unknown = await this.dataSource.query(
      `select t.id as "backupId", told.test from restore_test_view t
       cross join lateral jsonb_array_elements(t.tests) with ordinality as told(test, place)
       where t.id = any($1::uuid[]) order by told.place desc`,
      [backupIds],
    );
    const found = new Map<string, TestedRestore[]>();
    for (const row of testedRows.parse(rows)) found.set(row.backupId, [...(found.get(row.backupId) ?? []), row]);
    return found;
  }

  /**
   * For the instance of each schedule and each region, the newest test that passed and the newest that failed, the newest first.
   * @param most of how many backups of an instance the tests are looked through, those that were tested last
   */
  async ofSchedules(scheduleIds: readonly string[], most: number): Promise<TestOfSchedule[]> {
    const rows: unknown = await this.dataSource.query(
      `select * from (
         select distinct on (s.id, told.test->>'region', told.test->>'fault' is null)
           s.id as "scheduleId", t.id as "backupId", told.test
         from schedule_view s cross join lateral (
           select * from restore_test_view t where t.instance_id = s.instance_id
           order by t.instance_id, t.tested_at desc, t.id desc limit $2
         ) t cross join lateral jsonb_array_elements(t.tests) as told(test)
         where s.id = any($1::uuid[])
         order by s.id, told.test->>'region', told.test->>'fault' is null, told.test->>'at' desc
       ) newest order by newest.test->>'at' desc`,
      [scheduleIds, most],
    );
    return scheduleRows.parse(rows);
  }
}
