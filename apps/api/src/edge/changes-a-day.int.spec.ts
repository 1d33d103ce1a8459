import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  patchInstancesId,
  postBackupsIdAction,
  putSchedulesId,
  type StreamName,
  streamOf,
} from '@strongroom/contracts';
import { copyId } from '@strongroom/domain';
import { faultOf } from '../../fixtures/answers.js';
import { Gateway } from '../../fixtures/gateway.js';
import { mostChangesADay } from './changes-a-day.js';

let gateway: Gateway;
let instance: string;
beforeAll(async () => {
  gateway = await Gateway.open();
  instance = await gateway.register();
});
afterAll(() => gateway.close());

const changes = {
  schedule: async () => {
    const id = await gateway.schedule(instance);
    const change = (n: number) => gateway.call(putSchedulesId, { id, body: { schedule: { minute: n % 60 } } });
    return { stream: streamOf('schedule', id), change };
  },
  instance: async () => {
    const change = (n: number) =>
      gateway.call(patchInstancesId, { id: instance, body: { instance: { name: `n${n}` } } });
    return { stream: streamOf('instance', instance), change };
  },
  hold: async () => {
    const id = await gateway.backup(instance);
    await gateway.run(id, instance, 'completed');
    const change = (n: number) => gateway.call(postBackupsIdAction, { id, body: { hold: { reason: `case ${n}` } } });
    return { stream: streamOf('backup', id), change };
  },
  copy: async () => {
    const id = await gateway.backup(instance);
    await gateway.run(id, instance, 'completed');
    const body = { 'copy-backup': { target_backup_region: 'IAD' } };
    return {
      stream: streamOf('copy', copyId(id, 'IAD')),
      change: () => gateway.call(postBackupsIdAction, { id, body }),
    };
  },
};

/** Records the last event of the stream so many times more, as changes of an earlier hour. */
async function again(stream: StreamName, times: number): Promise<void> {
  const history = await gateway.ledger.readStream(stream);
  const last = history.at(-1);
  if (!last) throw new Error(`${stream} has no event`);
  const { version: expectedVersion, accountId, instanceId, context } = last;
  await gateway.ledger.append({
    ...{ stream, expectedVersion, accountId, instanceId, context, claims: [], releases: [] },
    events: Array.from({ length: times }, () => ({ ...last, id: randomUUID() })),
  });
}

it.each(Object.entries(changes))(
  'a %s may be changed 200 times a day, so that nobody makes histories grow without end: then it is a 413 that says when',
  async (_, prepare) => {
    const { stream, change } = await prepare();
    expect((await change(1)).status).toBeLessThan(300);
    await again(stream, mostChangesADay - 2);
    expect((await change(2)).status).toBeLessThan(300);
    await again(stream, 1);
    const refused = await change(3);
    expect(faultOf(refused)).toEqual([413, 'overLimit']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(80_000);
    await gateway.sql('alter table ledger_event disable trigger user');
    await gateway.sql(`update ledger_event set at = at - interval '1 day' where stream = '${stream}'`);
    await gateway.sql('alter table ledger_event enable trigger user');
    expect((await change(4)).status).toBeLessThan(300);
  },
);
