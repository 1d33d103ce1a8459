import { beforeEach, describe, expect, it } from '@jest/globals';
import { type AuditEntry, auditEntry } from '@strongroom/contracts';
import type { AuditTrail, NewAuditEntry } from '@strongroom/ledger';
import { FixedClock, Metrics, RandomIds } from '@strongroom/runtime';
import { mostKinds, periodMs, Refusals, type RefusedRequest } from './refusals.js';

const start = new Date('2026-11-24T00:00:00.000Z');
const actor = (id: string) => ({ kind: 'user' as const, id, name: 'jane', domain: null, address: '192.0.2.1' });
const refused = (more: Partial<RefusedRequest> = {}): RefusedRequest => ({
  status: 403,
  because: 'missing-right',
  accountId: 'acme',
  actor: actor('u1'),
  operation: 'deleteBackupsId',
  rights: ['backup.delete'],
  askedAccount: null,
  address: '192.0.2.1',
  requestId: 'r1',
  clientRequestId: null,
  ...more,
});
const byNobody = (address: string, accountId = 'acme') =>
  refused({ status: 401, because: 'unauthorized', actor: null, rights: [], address, accountId });

describe('refused requests', () => {
  let clock: FixedClock;
  let written: NewAuditEntry[];
  let isAway: boolean;
  let refusals: Refusals;
  beforeEach(() => {
    clock = new FixedClock(start);
    written = [];
    isAway = false;
    const add: AuditTrail['add'] = async (entries) => {
      if (isAway) throw new Error('away');
      written.push(...entries);
    };
    refusals = new Refusals({ trail: { add }, clock, ids: new RandomIds(), metrics: new Metrics() });
  });
  const dataOf = (entry: AuditEntry) => {
    if (entry.type !== 'RequestsRefused') throw new TypeError(entry.type);
    return entry.data;
  };
  const counts = () => written.map(({ entry }) => dataOf(entry).count);
  const endOfPeriod = async () => {
    clock.advance(periodMs);
    await refusals.flush();
  };

  it('are written at once, and those that follow alike at the end of the period, with their count', async () => {
    refusals.note(refused());
    await refusals.flush();
    expect(counts()).toEqual([1]);
    for (let n = 0; n < 10_000; n += 1) refusals.note(refused({ requestId: `r${n}` }));
    await refusals.flush();
    expect(counts()).toEqual([1]);
    await endOfPeriod();
    expect(counts()).toEqual([1, 10_000]);
    await endOfPeriod();
    expect(counts()).toEqual([1, 10_000]);
    refusals.note(refused());
    await refusals.flush();
    expect(counts()).toEqual([1, 10_000, 1]);
  });

  it('are told apart by who, what, which right and from where', async () => {
    const others = [
      { actor: actor('u2') },
      { operation: 'getAudit' },
      { rights: ['audit.read' as const] },
      { address: '192.0.2.2' },
      { because: 'rate-limit' as const },
      { askedAccount: 'other' },
    ];
    for (const more of [{}, ...others]) refusals.note(refused(more));
    await refusals.flush();
    expect(written).toHaveLength(others.length + 1);
    for (const { entry } of written) expect(auditEntry.safeParse(entry).success).toBe(true);
  });

  it('of a flood from everywhere are so many entries and no more, and each is counted', async () => {
    for (let n = 0; n < 50_000; n += 1) refusals.note(byNobody(`2001:db8::${n.toString(16)}`, `account-${n % 7_000}`));
    await refusals.flush();
    await endOfPeriod();
    expect(written.length).toBeLessThanOrEqual(mostKinds.nobody + 2);
    expect(counts().reduce((a, b) => a + b, 0)).toBe(50_000);
    // What is beyond belongs to no account: a stranger could name any.
    expect(written.filter(({ accountId }) => accountId === null)).not.toEqual([]);
  });

  it('of one account take no room from those of another', async () => {
    for (let n = 0; n < 1_000; n += 1) refusals.note(refused({ address: `10.0.${n >> 8}.${n & 255}` }));
    refusals.note(refused({ accountId: 'other', actor: actor('u9') }));
    refusals.note(byNobody('192.0.2.9'));
    await refusals.flush();
    const ofAcme = written.filter(({ accountId, entry }) => accountId === 'acme' && dataOf(entry).status === 403);
    expect(ofAcme.length).toBe(mostKinds.account + 1);
    expect(written.find(({ accountId }) => accountId === 'other')?.entry.actor).toEqual(actor('u9'));
    expect(written.find(({ entry }) => dataOf(entry).address === '192.0.2.9')).toBeDefined();
  });

  it('are kept while they cannot be written, and none is lost or told twice', async () => {
    refusals.note(refused());
    isAway = true;
    await expect(refusals.flush()).rejects.toThrow('away');
    refusals.note(refused());
    clock.advance(periodMs);
    await expect(refusals.flush()).rejects.toThrow('away');
    isAway = false;
    await refusals.flush();
    expect(counts()).toEqual([2]);
  });

  it('are written when the process ends', async () => {
    refusals.note(refused());
    await refusals.flush();
    refusals.note(refused());
    await refusals.flush(true);
    expect(counts()).toEqual([1, 1]);
  });
});
