import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { idOf, type StreamName, streamOf } from '@strongroom/contracts';
import { type RegisteredInstance, type ScheduleCommand, scheduleDecider } from '@strongroom/domain';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { eventually } from '../../../test/services/eventually.js';
import { context, deletion, ids } from '../fixtures/deletion.js';
import type { ExpectedStream } from './append-request.js';
import { commandOn, execute, executeTogether, type Target } from './execute.js';
import { Ledger } from './ledger.js';

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;

beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'ledger-spec' }));
  ledger = new Ledger(dataSource);
});

afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

function registered(instanceId: string): RegisteredInstance {
  const endpoint = { host: 'db', port: 5432, user: 'backup', database: 'postgres', tls: 'require' as const };
  const server = { instanceId, accountId: 'acme', name: 'orders', endpoint, builtFrom: null, accepted: new Map() };
  return { is: 'registered', datastore: { type: 'postgresql', version: '18' }, ...server };
}

describe('the ledger', () => {
  it('gives back what was appended, and nothing else', async () => {
    const scheduleId = ids.next();
    const request = deletion(scheduleId, 0);
    const outcome = await ledger.append(request);
    expect(outcome).toMatchObject({ outcome: 'appended' });
    const [event, ...more] = await ledger.readStream(streamOf('schedule', scheduleId));
    expect(more).toEqual([]);
    expect(event).toMatchObject({ ...request.events[0], version: 1, accountId: 'acme', context });
  });

  it('refuses an append on a version that is no longer the newest, and writes nothing of it', async () => {
    const scheduleId = ids.next();
    await ledger.append(deletion(scheduleId, 0));
    expect(await ledger.append(deletion(scheduleId, 0))).toEqual({ outcome: 'conflict' });
    expect(await ledger.append(deletion(scheduleId, 5))).toEqual({ outcome: 'conflict' });
    expect(await ledger.readStream(streamOf('schedule', scheduleId))).toHaveLength(1);
  });

  it('lets one of two at once have a stream, and one of two have a claim', async () => {
    const scheduleId = ids.next();
    const onStream = await Promise.all([
      ledger.append(deletion(scheduleId, 0)),
      ledger.append(deletion(scheduleId, 0)),
    ]);
    expect(onStream.map(({ outcome }) => outcome).sort()).toEqual(['appended', 'conflict']);

    const claims = [{ kind: 'schedule-of-instance', key: ids.next() }];
    const winner = ids.next();
    const onClaim = await Promise.all([
      ledger.append(deletion(winner, 0, { claims })),
      ledger.append(deletion(ids.next(), 0, { claims })),
    ]);
    expect(onClaim).toEqual([
      expect.objectContaining({ outcome: 'appended' }),
      { outcome: 'claimed', kind: 'schedule-of-instance', by: streamOf('schedule', winner) },
    ]);
  });

  it('gives a claim back with the append that releases it, and only for its holder', async () => {
    const claims = [{ kind: 'schedule-of-instance', key: ids.next() }];
    const [holder, stranger, next] = [ids.next(), ids.next(), ids.next()];
    await ledger.append(deletion(holder, 0, { claims }));
    await ledger.append(deletion(stranger, 0, { releases: claims }));
    expect(await ledger.append(deletion(next, 0, { claims }))).toMatchObject({ outcome: 'claimed' });
    await ledger.append(deletion(holder, 1, { releases: claims }));
    expect(await ledger.append(deletion(next, 0, { claims }))).toMatchObject({ outcome: 'appended' });
  });

  it('lets those that are appended at the same time through when the database refuses one of them', async () => {
    const bad = deletion(ids.next(), 0);
    for (const event of bad.events) event.id = 'no id';
    const good = Array.from({ length: 3 }, () => deletion(ids.next(), 0));
    // The first append goes alone, and what comes meanwhile is one batch.
    const [first, ...others] = await Promise.allSettled(
      [deletion(ids.next(), 0), good[0], bad, good[1], good[2]].flatMap((each) => (each ? ledger.append(each) : [])),
    );
    expect(first).toMatchObject({ status: 'fulfilled' });
    expect(others.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(await ledger.readStream(bad.stream)).toEqual([]);
    for (const { stream } of good) expect(await ledger.readStream(stream)).toHaveLength(1);
  });

  it('stores an event that quotes what no database stores, with a mark in its place', async () => {
    const instanceId = ids.next();
    const stream = streamOf('instance', instanceId);
    const event = { type: 'InstanceServerDown', data: { instanceId, code: 'x', reason: 'a\0b\ud800\u0001' } } as const;
    const quoting = { ...deletion(ids.next(), 0), instanceId, stream, events: [{ id: ids.next(), ...event }] };
    expect(await ledger.append(quoting)).toMatchObject({ outcome: 'appended' });
    const [recorded] = await ledger.readStream(stream);
    expect(recorded?.data).toMatchObject({ reason: 'a\ufffdb\ufffd\u0001' });
  });

  it('takes no event that is not of its form, and lets those that are appended at the same time through', async () => {
    const [good, bad] = [deletion(ids.next(), 0), deletion(ids.next(), 0)];
    Object.assign(bad.events[0]?.data ?? {}, { mood: 'fine' });
    const [appended, refused] = await Promise.allSettled([ledger.append(good), ledger.append(bad)]);
    expect(appended).toMatchObject({ status: 'fulfilled', value: { outcome: 'appended' } });
    expect(refused).toMatchObject({ status: 'rejected' });
    expect(await ledger.readStream(bad.stream)).toEqual([]);
    await expect(ledger.appendTogether([deletion(ids.next(), 0), bad])).rejects.toThrow(/mood/);
  });

  it('cannot be changed: no update, no delete, no truncate', async () => {
    await ledger.append(deletion(ids.next(), 0));
    for (const sql of [
      `update ledger_event set type = 'Forged'`,
      'delete from ledger_event',
      'truncate ledger_event',
    ]) {
      await expect(dataSource.query(sql)).rejects.toThrow(/append-only|permission denied/);
    }
  });

  it('decides anew when somebody was faster, so that of two equal commands one is refused', async () => {
    const scheduleId = ids.next();
    const instanceId = ids.next();
    const target = { id: scheduleId, accountId: 'acme', instanceId, context };
    const run = (command: ScheduleCommand) => execute({ ledger, ids }, scheduleDecider, target, command);
    await run({
      type: 'CreateSchedule',
      accountId: 'acme',
      scheduleId,
      instanceId,
      instance: registered(instanceId),
      mostSchedules: 1,
      definition: { dayOfWeek: 0, hour: 1, minute: 2, fullBackupRetention: 2, copyTo: [], paused: false },
    });
    const remove = { type: 'DeleteSchedule', accountId: 'acme', scheduleId } as const;
    const outcomes = await Promise.all([run(remove), run(remove), run(remove)]);
    expect(outcomes.filter((outcome) => 'events' in outcome)).toHaveLength(1);
    expect(outcomes.filter((outcome) => 'refused' in outcome && outcome.refused === 'schedule-unknown')).toHaveLength(
      2,
    );
  });

  describe('of several appends together', () => {
    const claim = () => ({ kind: 'schedule-of-instance', key: ids.next() });

    it('lets the next take the claim that one gives back', async () => {
      const claims = [claim()];
      const [holder, heir] = [ids.next(), ids.next()];
      await ledger.append(deletion(holder, 0, { claims }));
      const outcomes = await ledger.appendTogether([
        deletion(holder, 1, { releases: claims }),
        deletion(heir, 0, { claims }),
      ]);
      expect(outcomes).toMatchObject([{ outcome: 'appended' }, { outcome: 'appended' }]);
      await expect(ledger.append(deletion(ids.next(), 0, { claims }))).resolves.toMatchObject({
        outcome: 'claimed',
        by: streamOf('schedule', heir),
      });
    });

    it('writes nothing when the last of them is refused, and gives no claim back', async () => {
      const [released, taken] = [[claim()], [claim()]];
      const [holder, other, heir] = [ids.next(), ids.next(), ids.next()];
      await ledger.append(deletion(holder, 0, { claims: released }));
      await ledger.append(deletion(other, 0, { claims: taken }));
      const outcomes = await ledger.appendTogether([
        deletion(holder, 1, { releases: released }),
        deletion(heir, 0, { claims: [...released, ...taken] }),
      ]);
      expect(outcomes).toMatchObject([
        { outcome: 'appended' },
        { outcome: 'claimed', by: streamOf('schedule', other) },
      ]);
      expect(await ledger.readStream(streamOf('schedule', holder))).toHaveLength(1);
      await expect(ledger.append(deletion(ids.next(), 0, { claims: released }))).resolves.toMatchObject({
        outcome: 'claimed',
        by: streamOf('schedule', holder),
      });
    });

    it('writes nothing when a stream that they expect at a version has changed', async () => {
      const [expected, other, never] = [ids.next(), ids.next(), ids.next()].map((id) => streamOf('schedule', id)) as [
        StreamName,
        StreamName,
        StreamName,
      ];
      await ledger.append(deletion(idOf(expected), 0));
      const append = (expects: ExpectedStream[]) => ledger.appendTogether([deletion(idOf(other), 0)], { expects });
      for (const version of [0, 2]) {
        expect(await append([{ stream: expected, version }])).toEqual([{ outcome: 'conflict' }]);
      }
      expect(await append([{ stream: never, version: 1 }])).toEqual([{ outcome: 'conflict' }]);
      expect(await ledger.readStream(other)).toEqual([]);
      const right = [
        { stream: expected, version: 1 },
        { stream: never, version: 0 },
      ];
      await expect(append(right)).resolves.toMatchObject([{ outcome: 'appended' }]);
      expect(await ledger.readStream(expected)).toHaveLength(1);
    });

    it('cannot pass an append to a stream that they expect at a version', async () => {
      for (let round = 0; round < 10; round += 1) {
        const [expected, other] = [ids.next(), ids.next()];
        const [changed, [relying]] = await Promise.all([
          ledger.append(deletion(expected, 0)),
          ledger.appendTogether([deletion(other, 0)], {
            expects: [{ stream: streamOf('schedule', expected), version: 0 }],
          }),
        ]);
        expect(changed.outcome).toBe('appended');
        if (relying?.outcome !== 'appended' || changed.outcome !== 'appended') continue;
        expect(relying.position).toBeLessThan(changed.position);
      }
    });

    it('are decided anew on what they rest on, when that has changed', async () => {
      const [expected, other] = [ids.next(), ids.next()];
      const expectedStream = streamOf('schedule', expected);
      const [expectedTarget, target] = [expected, other].map((id) => ({
        id,
        accountId: 'acme',
        instanceId: ids.next(),
        context,
      })) as [Target, Target];
      const create = (scheduleId: string, instanceId: string): ScheduleCommand => ({
        type: 'CreateSchedule',
        accountId: 'acme',
        scheduleId,
        instanceId,
        instance: registered(instanceId),
        mostSchedules: 10,
        definition: { dayOfWeek: 0, hour: 1, minute: 2, fullBackupRetention: 2, copyTo: [], paused: false },
      });
      const seen: number[] = [];
      const outcome = await executeTogether({ ledger, ids }, async () => {
        const version = (await ledger.readStream(expectedStream)).length;
        seen.push(version);
        // Somebody is faster, once.
        if (seen.length === 1) {
          await execute({ ledger, ids }, scheduleDecider, expectedTarget, create(expected, expectedTarget.instanceId));
        }
        const expects = [{ stream: expectedStream, version }];
        return [commandOn(scheduleDecider, { ...target, expects }, create(other, target.instanceId))];
      });
      expect(seen).toEqual([0, 1]);
      expect(outcome).toMatchObject({ events: [{ type: 'ScheduleCreated' }] });
    });
  });

  it('gives the texts of events as their reader would write them, whatever is in them', async () => {
    const before = await ledger.head();
    const scheduleId = ids.next();
    const odd = 'a "quote", a \\, a line\nand ü, 𝄞 and \u0001';
    await ledger.append(deletion(scheduleId, 0, { context: { ...context, actor: odd } }));
    const texts = await ledger.textsAfter('schedule', before, 10);
    const rows = await ledger.tail('schedule', before, 10);
    expect(texts).toHaveLength(1);
    expect(texts.map(({ text }) => JSON.parse(text))).toEqual(rows.map(({ event }) => event));
    expect(texts).toMatchObject(
      rows.map(({ position, id, type, stream, instanceId, at }) => ({ position, id, type, stream, instanceId, at })),
    );
    expect(texts[0]).toMatchObject({ requestId: context.requestId, correlationId: context.correlationId });
  });

  it('gives the texts of as many events as have so many bytes together, and always one', async () => {
    const before = await ledger.head();
    for (let n = 0; n < 5; n += 1) await ledger.append(deletion(ids.next(), 0));
    const all = await ledger.textsAfter('schedule', before, 10);
    expect(all).toHaveLength(5);
    const ofOne = JSON.stringify(JSON.parse(all[0]?.text ?? '').data).length;
    expect(await ledger.textsAfter('schedule', before, 10, 1)).toEqual(all.slice(0, 1));
    expect(await ledger.textsAfter('schedule', before, 10, 2 * ofOne)).toEqual(all.slice(0, 2));
    expect(await ledger.textsAfter('schedule', before, 10, 100 * ofOne)).toEqual(all);
  });

  it('wakes those who wait for appends', async () => {
    let woken = 0;
    const stop = await ledger.onAppend(() => {
      woken += 1;
    });
    try {
      await eventually(() => expect(woken).toBeGreaterThan(0), { withinMs: 5_000 });
      const before = woken;
      await ledger.append(deletion(ids.next(), 0));
      await eventually(() => expect(woken).toBeGreaterThan(before), { withinMs: 5_000 });
    } finally {
      await stop();
    }
  });
});
