import { appendFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getBackups, getInstances, getSchedules, idOf, type Operation, postSchedules } from '@strongroom/contracts';
import fc from 'fast-check';
import { Gateway } from '../../fixtures/gateway.js';
import { leaksIn } from '../../fixtures/leaks.js';
import { AskedAccounts, nameOf, randomRequest } from '../../fixtures/random-requests.js';

/** The nightly run sends more requests. */
const requests = Number(process.env.STRONGROOM_FUZZ_REQUESTS ?? 1_000);

let gateway: Gateway;
let accounts: AskedAccounts;
beforeAll(async () => {
  gateway = await Gateway.open();
  accounts = await AskedAccounts.create(gateway);
});
afterAll(() => gateway.close());

/** Every id of the other account, and every name that only it has given. */
async function secretsOf(): Promise<string[]> {
  const known = (await gateway.ledger.followAccount('other', 0, 1_000)).flatMap(({ id, stream }) => [id, idOf(stream)]);
  return [nameOf.other, ...new Set([...Object.values(accounts.others), ...known])];
}

describe('whatever is asked', () => {
  it('is answered as the contract says, never by a failure, and never with anything of another account', async () => {
    const written = new Map<string, number>();
    const figures = { requests: 0, of5xx: 0, leaks: 0 };
    const secrets = await secretsOf();
    await fc.assert(
      fc.asyncProperty(randomRequest, async (request) => {
        const { method, path } = request;
        const { answer, said, isRead } = await accounts.ask(request);
        if (!isRead && answer.status < 300) {
          const what = `${method} ${path}`;
          written.set(what, (written.get(what) ?? 0) + 1);
        }
        figures.requests += 1;
        if (answer.status >= 500 && answer.status !== 501) figures.of5xx += 1;
        expect([500, 503]).not.toContain(answer.status);
        const leaks = leaksIn({ said, answer }, secrets);
        figures.leaks += leaks.length;
        expect(leaks).toEqual([]);
        if (answer.status !== 202 || answer.headers.has('idempotent-replayed')) return;
        await accounts.endBackups();
        if (method === 'DELETE') await accounts.replace(path);
        if (method === 'POST' && path === postSchedules.path) throw new Error('the instance has a schedule already');
      }),
      { numRuns: requests },
    );
    const notes = process.env.STRONGROOM_CONTRACT_NOTES;
    if (notes) appendFileSync(notes, `${JSON.stringify({ fuzz: figures })}\n`);
    // Some requests were accepted and wrote something: not all were refused.
    const writes = [...written.values()].reduce((sum, times) => sum + times, 0);
    expect(written.size).toBeGreaterThanOrEqual(4);
    expect(writes).toBeGreaterThan(requests / 100);
  }, 300_000);

  it('has changed nothing of another account', async () => {
    const ofOther = async (list: Operation) => (await gateway.call(list, { as: 'other' })).body;
    expect(await ofOther(getInstances)).toMatchObject({
      instances: [{ id: accounts.others.instance, name: nameOf.other }],
      links: [],
    });
    expect(await ofOther(getSchedules)).toMatchObject({
      schedules: [{ id: accounts.others.schedule, version: 1 }],
      links: [],
    });
    expect(await ofOther(getBackups)).toMatchObject({
      backups: [{ id: accounts.others.backup, status: 'NEW' }],
      links: [],
    });
  });
});
