import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type StreamName, streamOf } from '@strongroom/contracts';
import { RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { addEvent } from '../../../test/services/unreadable-event.js';
import { heldVerdicts, Ledger } from './index.js';

const ids = new RandomIds();
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'unreadable-spec' }));
  ledger = new Ledger(dataSource);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

async function skipped(): Promise<{ id: string; stream: StreamName }> {
  const [id, instanceId] = [ids.next(), ids.next()];
  const stream = streamOf('backup', id);
  const data = { scheduleId: ids.next(), instanceId, slotAt: '2026-11-23T14:30:00.000Z', reason: 'busy' };
  await ledger.append({
    ...{ stream, expectedVersion: 0, accountId: 'acme', instanceId, context, claims: [], releases: [] },
    events: [{ id: ids.next(), type: 'SlotSkipped', data }],
  });
  return { id, stream };
}

describe('a stream that can not be read', () => {
  it.each([
    [
      'of no known form',
      {},
      /^the history of backup-\S+ can't be read: the event at position \d+ has no known form: backupId/,
    ],
    [
      'of a newer version',
      { type: 'BackupWeighed' },
      /only a newer version knows the event at position \d+, BackupWeighed/,
    ],
  ])('with an event %s says which event it is and what is wrong, and the others are read', async (_, event, says) => {
    const [good, bad] = [await skipped(), await skipped()];
    await addEvent(dataSource, bad.stream, event);
    await expect(ledger.readStream(bad.stream)).rejects.toThrow(says);
    await expect(ledger.readStream(bad.stream)).rejects.toMatchObject({
      code: 'stream-unreadable',
      stream: bad.stream,
    });
    const { told, unreadable } = await ledger.readEach(dataSource.manager, [good.stream, bad.stream]);
    expect([...told.keys()]).toEqual([good.stream]);
    expect([...unreadable.keys()]).toEqual([bad.stream]);
  });

  it('with a time that is none stops no other', async () => {
    const [good, bad] = [await skipped(), await skipped()];
    await dataSource.query(
      `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
       select gen_random_uuid(), stream, 2, aggregate, type, account_id, instance_id, 'infinity', data, context
       from ledger_event where stream = $1`,
      [bad.stream],
    );
    const streams = (await ledger.followAccount('acme', 0, 1_000)).map(({ stream }) => stream);
    expect(streams).toEqual(expect.arrayContaining([good.stream, bad.stream]));
    await expect(ledger.readStream(bad.stream)).rejects.toThrow(/at: /);
    expect(await ledger.readStream(good.stream)).toHaveLength(1);
  });

  it('leaves what a vault holds of its backup where it is, and the others are judged', async () => {
    const [good, bad] = [await skipped(), await skipped()];
    await addEvent(dataSource, bad.stream);
    const verdicts = await heldVerdicts({ ledger, manager: dataSource.manager }, 'DFW', [good.id, bad.id]);
    expect([...verdicts.values()]).toEqual([{ is: 'unknown' }, { is: 'in-hand' }]);
  });
});
