/**
 * A change of a schedule is previewed by the API, and then made. The slots and the retention of the scheduler go on from there with a clock
 * that is turned by hand, over the same PostgreSQL. What happened is what was told.
 */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { isRefusal, type PreviewedBackupResource, type RecordedEvent, streamOf } from '@strongroom/contracts';
import { type CopyCommand, copyDecider, copyId, copyRequest, scheduledBackupId } from '@strongroom/domain';
import { execute } from '@strongroom/ledger';
import { Views } from '@strongroom/read-model';
import { createLogger, FixedClock, RandomIds } from '@strongroom/runtime';
import { accountId, Gateway } from '../apps/api/fixtures/gateway.js';
import { Retention } from '../apps/scheduler/src/jobs/retention/retention.js';
import { DueClock } from '../apps/scheduler/src/slots/due-clock.js';
import { SlotDispatcher } from '../apps/scheduler/src/slots/slot-dispatcher.js';
import { setTimer } from '../apps/scheduler/src/slots/slot-timers.js';
import { allOf } from './services/all-of.js';

const dayMs = 86_400_000;
const ids = new RandomIds();
const log = createLogger({ app: 'spec', level: 'silent' });
const context = { requestId: 'spec', correlationId: 'spec', causationId: null, actor: 'spec' };
const config = {
  deletion: { delayMs: 3 * dayMs, minimumRetention: { usualMs: 10 * dayMs, byAccount: new Map() }, bulkLimit: 0 },
};
const now = new Date();
/** Half a day from now: no slot comes due while the test runs. */
const hour = (now.getUTCHours() + 12) % 24;

class HandTurnedClock extends DueClock {
  at = now;

  now(): Promise<Date> {
    return Promise.resolve(this.at);
  }
}

const slotTime = new HandTurnedClock();
const clock = new FixedClock(now);
let gateway: Gateway;
beforeAll(async () => {
  const env = { STRONGROOM_DELETION_DELAY_SECONDS: String(3 * 86_400), STRONGROOM_MINIMUM_RETENTION_DAYS: '10' };
  gateway = await Gateway.open({ env });
});
afterAll(() => gateway.close());

/** A schedule that was made some days ago. @returns its id */
async function scheduled(instanceId: string, daysAgo: number): Promise<string> {
  const scheduleId = ids.next();
  const definition = { dayOfWeek: (now.getUTCDay() + 2) % 7, hour, minute: 0, fullBackupRetention: 3 };
  const data = { scheduleId, instanceId, ...definition, copyTo: ['IAD'], paused: false };
  await gateway.dataSource.query(
    `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
     values ($1, $2, 1, 'schedule', 'ScheduleCreated', $3, $4, $5, $6, $7)`,
    [
      ...[ids.next(), streamOf('schedule', scheduleId), accountId, instanceId],
      ...[new Date(now.getTime() - daysAgo * dayMs), data, context],
    ],
  );
  await defined(scheduleId);
  return scheduleId;
}

/** Does what the news of the newest definition asks for. */
async function defined(scheduleId: string): Promise<void> {
  const newest = (await gateway.ledger.readStream(streamOf('schedule', scheduleId))).at(-1);
  if (newest?.type !== 'ScheduleCreated' && newest?.type !== 'ScheduleUpdated') throw new Error('it is not defined');
  await setTimer(gateway.dataSource.manager, newest);
}

/** Has the slot decided, its backup made and copied, and retention applied. @returns the type of its backup */
async function run(scheduleId: string, instanceId: string, slotAt: Date): Promise<string | undefined> {
  const { dataSource, ledger } = gateway;
  const views = new Views(dataSource, ledger);
  slotTime.at = slotAt;
  clock.set(slotAt);
  await new SlotDispatcher(dataSource, ledger, views, ids, slotTime, log, dayMs / 2).decideDue();
  const id = scheduledBackupId(scheduleId, slotAt);
  await gateway.run(id, instanceId, 'completed', { lineage: instanceId, facts: {} });
  const history = await ledger.readStream(streamOf('backup', id));
  const completed = history.find(
    (event): event is RecordedEvent<'BackupCompleted'> => event.type === 'BackupCompleted',
  );
  if (!completed) throw new Error(`the slot of ${slotAt.toISOString()} has no backup`);
  for (const region of completed.data.copyTo) await copy(completed, region);
  await views.catchUp(accountId);
  const parts = { dataSource, ledger, ids, clock, log, config, vaults: { regions: ['DFW', 'IAD', 'ORD'] } };
  await new Retention(parts).apply(accountId, id, completed);
  return completed.data.type;
}

async function copy({ data, instanceId }: RecordedEvent<'BackupCompleted'>, region: string): Promise<void> {
  const id = copyId(data.backupId, region);
  const attempt = { copyId: id, attempt: 1 };
  const made = { location: 'there', sizeBytes: data.sizeBytes, sha256: data.sha256, startedAt: data.startedAt };
  const commands: CopyCommand[] = [
    { type: 'RequestCopy', request: copyRequest(data, region) },
    { type: 'StartCopy', ...attempt, replicator: 'spec' },
    { type: 'CompleteCopy', ...attempt, ...made },
  ];
  for (const command of commands) {
    const outcome = await execute(
      { ledger: gateway.ledger, ids },
      copyDecider,
      { accountId, id, instanceId, context },
      command,
    );
    expect(isRefusal(outcome)).toBe(false);
  }
}

/** The slot whose run has deleted the backup, and until when the bytes stay; undefined while it is there. */
async function deletionOf(id: string, slotAt: Date) {
  const history = await gateway.ledger.readStream(streamOf('backup', id));
  const marked = history.find(
    (event): event is RecordedEvent<'BackupDeletionMarked'> => event.type === 'BackupDeletionMarked',
  );
  return marked && { slot: slotAt.toISOString(), root: marked.data.rootId, purgeAt: marked.data.purgeAt };
}

it('what is previewed of a change is what the scheduler does after it', async () => {
  const instanceId = await gateway.register();
  const scheduleId = await scheduled(instanceId, 18);
  const past = Array.from({ length: 17 }, (_, day) => {
    const today = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate(), hour);
    return new Date((today > now.getTime() ? today - dayMs : today) - (16 - day) * dayMs);
  });
  for (const slotAt of past) await run(scheduleId, instanceId, slotAt);

  const change = { full_backup_retention: 1, hour: (hour + 2) % 24, copy_to: ['IAD', 'ORD'] };
  const events = await gateway.events();
  const told = await gateway.client().schedules.preview(scheduleId, change, { runs: '40' });
  const backups = await allOf(gateway.client().schedules.previewedBackups(scheduleId, change));
  expect(await gateway.events()).toEqual(events);
  expect(backups).toHaveLength(17);
  expect(told.summary).toMatchObject({ backups: 17, deleted: 17, kept: 0 });
  expect(told.summary.deleted_sooner).toBeGreaterThan(0);
  expect(new Set(backups.map(({ after }) => after.deleted_by_slot)).size).toBeGreaterThan(1);

  await gateway.client().schedules.update(scheduleId, change);
  await defined(scheduleId);
  const gone = new Map<string, NonNullable<Awaited<ReturnType<typeof deletionOf>>>>();
  for (const { slot, outcome } of told.runs) {
    const slotAt = new Date(slot);
    expect([slot, await run(scheduleId, instanceId, slotAt)]).toEqual([slot, outcome]);
    for (const { id } of backups) {
      const deletion = gone.has(id) ? undefined : await deletionOf(id, slotAt);
      if (deletion) gone.set(id, deletion);
    }
  }
  for (const { id, after } of backups) {
    const { slot, root } = gone.get(id) ?? {};
    expect([id, slot]).toEqual([id, after.deleted_by_slot]);
    expect([id, goesWith(root, backups, gone)]).toEqual([id, true]);
  }
}, 600_000);

/**
 * Whether the bytes of a chain stay until the last of its marks, as was told of each that is listed. By the clock of the ledger, which nobody
 * has turned, what lengthens the newest chain was completed sooner than it was told.
 */
function goesWith(
  root: string | undefined,
  backups: readonly PreviewedBackupResource[],
  gone: ReadonlyMap<string, { root: string; purgeAt: string }>,
): boolean {
  const chain = backups.filter(({ id }) => gone.get(id)?.root === root);
  const told = new Set(chain.map(({ after }) => after.bytes_go_at));
  const last = chain
    .map(({ id }) => gone.get(id)?.purgeAt ?? '')
    .toSorted()
    .at(-1);
  const [until] = told;
  if (told.size !== 1 || !until || !last) return false;
  return chain.some(({ id }) => id === backups[0]?.id) ? until >= last : until === last;
}
