import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getAudit, getBackups, postBackupsIdAction } from '@strongroom/contracts';
import { eventually } from '../../../../test/services/eventually.js';
import { faultOf, nothing } from '../../fixtures/answers.js';
import { accountId, Gateway } from '../../fixtures/gateway.js';

const within = { withinMs: 20_000 };
let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open({
    tokens: { scoped: { name: 'scoped', roles: ['admin'], instances: [nothing] } },
  });
});
afterAll(() => gateway.close());

interface Listening {
  types: string[];
  ids: string[];
  resets: number;
  end(): void;
}

const listening = (after?: string, as: 'admin' | 'other' = 'admin'): Listening => {
  const ending = new AbortController();
  const heard: Listening = { types: [], ids: [], resets: 0, end: () => ending.abort() };
  void (async () => {
    const onReset = () => {
      heard.resets += 1;
    };
    const options = { after, signal: ending.signal, onReset };
    for await (const { id, type } of gateway.client(as).audit.follow(options)) {
      heard.types.push(type);
      heard.ids.push(id);
    }
  })();
  return heard;
};
const stream = { accept: 'text/event-stream' };
const held = async () => {
  const instance = await gateway.register();
  const backup = await gateway.backup(instance);
  await gateway.call(postBackupsIdAction, { id: backup, body: { hold: { reason: 'case' } } });
};

describe('the stream of the audit', () => {
  it('tells what is done and what is refused as it happens, and goes on after what was seen last', async () => {
    const first = listening('0');
    await held();
    await gateway.call(getBackups, { as: 'roleless' });
    await eventually(() => {
      expect(first.types).toEqual(expect.arrayContaining(['InstanceRegistered', 'BackupHeld', 'RequestsRefused']));
    }, within);
    first.end();
    await held();
    const second = listening(first.ids.at(-1));
    await held();
    await eventually(() => expect(second.types.filter((type) => type === 'BackupHeld')).toHaveLength(2), within);
    second.end();
    const listed: string[] = [];
    for await (const { id } of gateway.client().audit.list()) listed.push(id);
    expect([...first.ids, ...second.ids]).toEqual(listed.slice(0, first.ids.length + second.ids.length));
  });

  it('begins with what is new when it is not said where', async () => {
    const heard = listening();
    await eventually(async () => {
      await held();
      expect(heard.types).toContain('BackupHeld');
    }, within);
    heard.end();
    const [oldest] = (await gateway.client().call(getAudit)).body.audit;
    expect(heard.ids).not.toContain(oldest?.id);
  });

  it('is for an admin of the whole account, and tells nothing of another one', async () => {
    for (const as of ['creator', 'observer'] as const) {
      expect(faultOf(await gateway.call(getAudit, { as, headers: stream }))).toEqual([403, 'forbidden']);
    }
    const scoped = { as: 'nobody' as const, account: accountId, headers: { ...stream, 'x-auth-token': 'scoped' } };
    expect(faultOf(await gateway.call(getAudit, scoped))).toEqual([403, 'forbidden']);
    const [theirs] = (await gateway.client().call(getAudit)).body.audit;
    const asOther = { as: 'other' as const, headers: stream, query: { marker: theirs?.id } };
    expect(faultOf(await gateway.call(getAudit, asOther))).toEqual([400, 'badRequest']);
    const heard = listening(theirs?.id, 'other');
    await gateway.register('other');
    await eventually(() => expect(heard.types).toContain('InstanceRegistered'), within);
    heard.end();
    expect(heard.resets).toBe(1);
    const own: string[] = [];
    for await (const { id } of gateway.client('other').audit.list()) own.push(id);
    expect(heard.ids.filter((id) => !own.includes(id))).toEqual([]);
  });
});
