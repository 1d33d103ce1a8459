import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { ids } from '../fixtures/deletion.js';
import { AuditTrail } from './audit-trail.js';
import { Ledger } from './ledger.js';
import type { LedgerItem, LedgerPlace } from './ledger-place.js';

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
let trail: AuditTrail;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'tail-of-accounts-spec' }));
  ledger = new Ledger(dataSource);
  trail = new AuditTrail(dataSource);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

async function happen(accountId: string, events: number, entries: number): Promise<void> {
  const data = { scheduleId: ids.next(), instanceId: ids.next(), slotAt: '2026-11-23T14:30:00.000Z', reason: 'paused' };
  if (events > 0) {
    await ledger.append({
      ...{ stream: `backup-${ids.next()}`, expectedVersion: 0, accountId, instanceId: data.instanceId },
      context: { requestId: 'spec', correlationId: 'spec', causationId: null, actor: 'spec' },
      events: Array.from({ length: events }, () => ({ id: ids.next(), type: 'SlotSkipped', data })),
      ...{ claims: [], releases: [] },
    });
  }
  const entry = { type: 'SettingsInForce' as const, actor: null, data: { key_ids: [], roles: {} } };
  const one = () => ({ id: ids.next(), accountId, isKnown: true, at: new Date(), entry });
  await trail.add(Array.from({ length: entries }, one));
}

async function readBy(limit: number, accounts: string[], from: LedgerPlace): Promise<LedgerItem[]> {
  const found: LedgerItem[] = [];
  for (let after = from; ; ) {
    const { items, end, isMore } = await ledger.tailOfAccounts(accounts, after, limit);
    found.push(...items);
    if (!isMore) return found;
    expect(end).not.toEqual(after);
    after = end;
  }
}

const named = (items: readonly LedgerItem[]) =>
  items.map((item) => {
    const { position, seq } = item;
    return { position, seq, id: 'event' in item ? item.event.id : item.recorded.id };
  });

describe('the tail of some accounts', () => {
  it('is their events and the entries of their audit in one order, however much is read at a time', async () => {
    await happen('before', 2, 2);
    const from = await ledger.end();
    for (let round = 0; round < 12; round += 1) {
      await happen(['anna', 'bob', 'carla'][round % 3] ?? '', (round * 5) % 4, (round * 7) % 3);
    }
    const whole = named(await readBy(1_000, ['anna', 'carla'], from));
    expect(whole.map(({ position }) => position)).toEqual(
      whole.map(({ position }) => position).sort((one, other) => one - other),
    );
    // As the audit gives them, but for the events that are not audited.
    for (const account of ['anna', 'carla']) {
      const entries = (await trail.follow(account, { position: 0, seq: 0 }, 1_000)).items;
      const own = named(await readBy(1_000, [account], from));
      expect(own.filter(({ seq }) => seq > 0)).toEqual(named(entries));
      expect(own.filter(({ seq }) => seq === 0).map(({ id }) => id)).toEqual(
        (await ledger.followAccount(account, 0, 1_000)).map(({ id }) => id),
      );
    }
    for (const limit of [1, 2, 3, 5, 8]) expect(named(await readBy(limit, ['anna', 'carla'], from))).toEqual(whole);
    expect(await readBy(3, ['nobody'], from)).toEqual([]);
  });

  it('ends where the ledger ends, and goes on there', async () => {
    const from = await ledger.end();
    expect(await ledger.tailOfAccounts(['dora'], from, 10)).toEqual({ items: [], end: from, isMore: false });
    await happen('emil', 1, 1);
    const { end } = await ledger.tailOfAccounts(['dora'], from, 10);
    expect(end).toEqual(await ledger.end());
    await happen('dora', 1, 1);
    expect(named((await ledger.tailOfAccounts(['dora'], end, 10)).items)).toHaveLength(2);
  });

  it('leaves out what this version can not read', async () => {
    const from = await ledger.end();
    await happen('frida', 1, 1);
    await dataSource.query(`update audit_entry set entry = '{"type": "NewerThing"}' where account_id = 'frida'`);
    const { items, end } = await ledger.tailOfAccounts(['frida'], from, 10);
    expect(items).toHaveLength(1);
    expect(end).toEqual(await ledger.end());
  });
});
