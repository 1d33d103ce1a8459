import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Answer, ApiFault } from '@strongroom/client';
import {
  deleteBackupsId,
  deleteSchedulesId,
  type EventData,
  getExplainId,
  postBackupsIdAction,
  putSchedulesId,
  type RecordedEvent,
  streamOf,
} from '@strongroom/contracts';
import { copyDecider, copyId, scheduledBackupId } from '@strongroom/domain';
import { execute } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import { z } from 'zod';
import { allOf } from '../../../../test/services/all-of.js';
import { faultIn, faultOf, fullFaultOf, nothing } from '../../fixtures/answers.js';
import { accountId, Gateway } from '../../fixtures/gateway.js';

const ids = new RandomIds();
const context = { requestId: 'spec', correlationId: 'spec', causationId: null, actor: 'spec' };
/** A Sunday, and the days after it. */
const slotOf = (day: number) => new Date(Date.UTC(2026, 10, 15 + day, 14, 30));

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open({ env: { STRONGROOM_DELETION_DELAY_SECONDS: '3600' } });
});
afterAll(() => gateway.close());

const explain = (id: string, query: Record<string, string> = {}) => gateway.client().explanations.get(id, query);
const reasonsOf = async (id: string, query: Record<string, string> = {}) =>
  (await explain(id, query)).sentences.map(({ reason }) => reason);
const streamEvents = (kind: 'schedule' | 'backup' | 'copy' | 'instance', id: string): Promise<RecordedEvent[]> =>
  gateway.ledger.readStream(streamOf(kind, id));

/** A schedule whose first slot has run, whose second was skipped, and whose third was missed. */
async function past() {
  const instanceId = await gateway.register();
  const scheduleId = await gateway.schedule(instanceId, { copy_to: ['IAD', 'ORD'], full_backup_retention: 2 });
  const [ran = '', skipped = '', missed = ''] = [0, 1, 2].map((day) => scheduledBackupId(scheduleId, slotOf(day)));
  const of = (day: number) => ({ scheduleId, instanceId, slotAt: slotOf(day).toISOString() });
  const request: EventData<'BackupRequested'> = {
    ...{ ...of(0), backupId: ran, trigger: 'slot', type: 'full', parentId: null, name: 'orders', description: null },
    ...{ datastore: { type: 'postgresql', version: '18' }, copyTo: ['IAD', 'ORD'] },
  };
  const delay = { ground: 'no-scheduler', reason: 'No scheduler ran.', delayMs: 300_000 };
  await gateway.onBackup(ran, instanceId, { type: 'RequestBackup', request, delay });
  await gateway.run(ran, instanceId, 'completed');
  await gateway.onBackup(skipped, instanceId, {
    type: 'SkipSlot',
    slot: { ...of(1), reason: 'The schedule was paused.' },
  });
  await gateway.onBackup(missed, instanceId, { type: 'MissSlot', slot: { ...of(2), reason: 'Nobody looked.' } });
  return { instanceId, scheduleId, ran, skipped, missed };
}

/** Has a copy of the backup made, or fail. */
async function copy(backupId: string, instanceId: string, region: string, isMade: boolean) {
  const body = { 'copy-backup': { target_backup_region: region } };
  expect((await gateway.call(postBackupsIdAction, { id: backupId, body })).status).toBe(202);
  const id = copyId(backupId, region);
  const attempt = { copyId: id, attempt: 1 };
  const result = {
    location: 'x',
    sizeBytes: 5_000_000_000,
    sha256: 'a'.repeat(64),
    startedAt: slotOf(0).toISOString(),
  };
  const retryAt = '2026-11-15T15:00:00.000Z';
  for (const command of [
    { type: 'StartCopy', replicator: 'spec', ...attempt } as const,
    isMade
      ? ({ type: 'CompleteCopy', ...attempt, ...result } as const)
      : ({ type: 'FailCopyAttempt', ...attempt, code: 'vault-unreachable', reason: 'no answer', retryAt } as const),
  ]) {
    const target = { accountId, id, instanceId, context };
    expect(await execute({ ledger: gateway.ledger, ids }, copyDecider, target, command)).not.toHaveProperty('refused');
  }
  return id;
}

describe('the explanation of', () => {
  it('a schedule has its own events and those of its runs, each sentence with its event, and what it says', async () => {
    const { scheduleId, instanceId, ran } = await past();
    await gateway.call(putSchedulesId, { id: scheduleId, body: { schedule: { hour: 3, paused: true } } });
    const answer = await explain(scheduleId);
    expect(answer.sentences.map(({ reason }) => reason)).toEqual([
      ...['schedule-created', 'ran-slot-full', 'late-no-scheduler', 'completed-full', 'skipped-paused', 'missed'],
      'schedule-changed-paused',
    ]);
    expect(answer).toMatchObject({
      id: scheduleId,
      kind: 'schedule',
      summary: expect.stringMatching(
        /^The schedule has been paused since .*It runs every day at 03:30 UTC, full on Sunday/,
      ),
      definition: {
        instance_id: instanceId,
        hour: 3,
        minute: 30,
        day_of_week: 0,
        paused: true,
        copy_to: ['IAD', 'ORD'],
      },
    });
    const [first, second] = await streamEvents('backup', ran);
    expect(answer.sentences[1]?.event).toEqual({
      ...{ id: first?.id, type: 'BackupRequested', at: first?.at },
      subject: { kind: 'backup', id: ran },
    });
    expect(answer.sentences[2]).toMatchObject({
      sentence: 'The backup was begun 5 min late, because no scheduler looked for slots. No scheduler ran.',
      ground: 'no-scheduler',
      event: { id: second?.id },
    });
  });

  it('a paused schedule says why, also after something else of it was changed, and as of then what was said then', async () => {
    const { scheduleId } = await past();
    const change = async (schedule: object) => {
      await gateway.call(putSchedulesId, { id: scheduleId, body: { schedule } });
      return (await streamEvents('schedule', scheduleId)).at(-1)?.at ?? '';
    };
    const stands = async (query = {}) => (await explain(scheduleId, query)).summary;
    await change({ paused: true, pause_reason: 'an earlier pause' });
    await change({ paused: false });
    await change({ paused: true, pause_reason: 'the disks are being moved' });
    const then = await change({ hour: 3 });
    await change({ minute: 31 });
    const why = 'The reason that was given: The disks are being moved.';
    expect(await stands()).toContain(`${why} It runs every day at 03:31`);
    await change({ paused: true, pause_reason: 'the fans too' });
    await change({ hour: 4 });
    expect(await stands()).toContain('The reason that was given: The fans too. It runs every day at 04:31');
    expect(await stands({ as_of: then })).toContain(`${why} It runs every day at 03:30`);
    await change({ paused: false });
    await change({ paused: true });
    expect(await stands()).toMatch(/^The schedule has been paused since \S+ It runs/);
  });

  it('a backup says why it ran, where its copies are, and when it goes; and a copy why it waits', async () => {
    const { ran, instanceId } = await past();
    const made = await copy(ran, instanceId, 'IAD', true);
    const waits = await copy(ran, instanceId, 'ORD', false);
    const { summary, definition, kind } = await explain(ran);
    expect([kind, definition]).toEqual(['backup', null]);
    expect(summary).toMatch(
      /^The slot of 2026-11-15T14:30:00Z asked for the backup\. .* late, because no scheduler .* completed, as a full one: .* A copy of it is in IAD\. The copy to ORD waits, because attempt 1 failed \(vault-unreachable\)\. .* Retention deletes it when 2 newer cycles are complete/,
    );
    expect(await reasonsOf(ran)).toEqual([
      ...['ran-slot-full', 'late-no-scheduler', 'attempt', 'completed-full'],
      ...['copy-owed', 'copy-attempt', 'copy-completed', 'copy-owed', 'copy-attempt', 'copy-waits'],
    ]);
    expect(await reasonsOf(waits)).toEqual(['copy-owed', 'copy-attempt', 'copy-waits']);
    expect(await explain(made)).toMatchObject({ kind: 'copy', summary: expect.stringMatching(/^The copy is in IAD/) });
  });

  it('a slot without a backup says why there is none', async () => {
    const { skipped, missed } = await past();
    expect(await explain(skipped)).toMatchObject({
      kind: 'backup',
      summary: 'No backup was made for the slot of 2026-11-16T14:30:00Z, because the schedule was paused.',
    });
    expect((await explain(missed)).summary).toMatch(/it was missed, and is not made up for\. Nobody looked\.$/);
  });

  it('a deleted backup and a deleted schedule says who deleted it, though both are a 404 elsewhere', async () => {
    const { ran, scheduleId } = await past();
    expect((await gateway.call(deleteBackupsId, { id: ran })).status).toBe(202);
    expect((await gateway.call(deleteSchedulesId, { id: scheduleId })).status).toBe(202);
    expect((await explain(ran)).summary).toMatch(/admin deleted the backup\. Its bytes stay until /);
    expect(await explain(scheduleId)).toMatchObject({
      summary: 'admin deleted the schedule. It runs no more, and the backups that it made stay.',
      definition: null,
    });
  });

  it('an instance says how it came there', async () => {
    const { instanceId } = await past();
    expect(await explain(instanceId)).toMatchObject({
      kind: 'instance',
      summary: 'admin registered the server orders, which is reached at 127.0.0.1:1.',
    });
  });
});

describe('an explanation as of a past instant', () => {
  it('tells what the schedule said then, and nothing of what came later', async () => {
    const { scheduleId } = await past();
    const then = (await gateway.ledger.followAccount(accountId, (await gateway.ledger.head()) - 1, 1))[0]?.at ?? '';
    await gateway.call(putSchedulesId, { id: scheduleId, body: { schedule: { hour: 3, paused: true } } });
    const answer = await explain(scheduleId, { as_of: then });
    expect(answer).toMatchObject({ as_of: then, definition: { hour: 14, paused: false } });
    expect(answer.sentences.at(-1)?.reason).toBe('missed');
    const [created] = await streamEvents('schedule', scheduleId);
    expect(await reasonsOf(scheduleId, { as_of: created?.at ?? '' })).toEqual(['schedule-created']);
  });

  it('takes any zone, and for an instant to come tells what is known now', async () => {
    const { scheduleId } = await past();
    expect((await explain(scheduleId, { as_of: '2199-01-01T01:00:00+02:00' })).as_of).toBe('2198-12-31T23:00:00.000Z');
  });

  it('is a 404 before the beginning, as that of what never was', async () => {
    const { scheduleId } = await past();
    const query = { as_of: '2001-01-01T00:00:00Z' };
    const unknown = fullFaultOf(await gateway.call(getExplainId, { id: nothing, query }));
    expect(unknown).toEqual([404, 'itemNotFound', expect.stringContaining(nothing)]);
    expect(fullFaultOf(await gateway.call(getExplainId, { id: scheduleId, query }))).toEqual([
      ...unknown.slice(0, 2),
      unknown[2].replace(nothing, scheduleId),
    ]);
  });

  it.each(['yesterday', '2026-11-14', '2026-11-14T14:30:00', '2026-02-31T00:00:00Z', ''])(
    'is a 400 that says what an instant is: %j',
    async (as_of) => {
      const answer = await gateway.call(getExplainId, { id: nothing, query: { as_of } });
      expect(faultOf(answer)).toEqual([400, 'badRequest']);
      expect(faultIn(answer.body).message).toMatch(/^as_of: ".*" is no instant of RFC 3339 with a zone/);
    },
  );
});

describe('the pages of an explanation', () => {
  const page = z.object({
    explanation: z.object({ sentences: z.array(z.object({ event: z.object({ id: z.string() }) })) }),
    links: z.array(z.object({ rel: z.literal('next'), href: z.string() })),
  });
  const shown = (answer: Answer) => page.parse(answer.body);

  it('have the newest sentences first, and lead to the older ones to the end', async () => {
    const { scheduleId } = await past();
    const all = (await explain(scheduleId)).sentences.map(({ event }) => event.id);
    const first = shown(await gateway.call(getExplainId, { id: scheduleId, query: { limit: 4 } }));
    expect(first.explanation.sentences.map(({ event }) => event.id)).toEqual(all.slice(-4));
    expect(new URL(first.links[0]?.href ?? '').searchParams.get('marker')).toBe(all.at(-4));
    const sentences = await allOf(gateway.client().explanations.sentences(scheduleId, { limit: 4 }));
    expect(sentences.map(({ event }) => event.id)).toEqual(all.toReversed());
  });

  it('begin nowhere else than at an event of the account', async () => {
    const { scheduleId } = await past();
    const answer = await gateway.call(getExplainId, { id: scheduleId, query: { marker: nothing } });
    expect(faultOf(answer)).toEqual([400, 'badRequest']);
  });
});

it('an explanation is for nobody of another account: its id is one that nothing has', async () => {
  const { ran, scheduleId, instanceId } = await past();
  const own = await copy(ran, instanceId, 'IAD', true);
  for (const id of [ran, scheduleId, instanceId, own]) {
    await expect(gateway.client('other').explanations.get(id)).rejects.toThrow(ApiFault);
    const [status, type, message] = fullFaultOf(await gateway.call(getExplainId, { id, as: 'other' }));
    const unknown = fullFaultOf(await gateway.call(getExplainId, { id: nothing, as: 'other' }));
    expect([status, type, message.replace(id, nothing)]).toEqual(unknown);
  }
});
