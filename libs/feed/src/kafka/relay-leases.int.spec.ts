import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { RandomIds } from '@strongroom/runtime';
import { z } from 'zod';
import { eventually } from '../../../../test/services/eventually.js';
import { type OwnLedger, openOwnLedger } from '../../../../test/services/own-ledger.js';
import { type Held, RelayLeases } from './relay-leases.js';

const ids = new RandomIds();
const source = 'kafka:a';

describe('the leases of relays', () => {
  let own: OwnLedger;
  let topics: { topic: string; aggregate: 'schedule' | 'backup' }[];
  let topic: string;
  let one: RelayLeases;
  let other: RelayLeases;
  beforeAll(async () => {
    own = await openOwnLedger();
  });
  afterAll(() => own.close());
  beforeEach(async () => {
    topic = `topic-${ids.next()}`;
    topics = [
      { topic, aggregate: 'schedule' },
      { topic: `${topic}-too`, aggregate: 'backup' },
    ];
    [one, other] = [new RelayLeases(own.dataSource, ids.next()), new RelayLeases(own.dataSource, ids.next())];
    // The first look makes the rows.
    await one.watch(source, topics);
    await one.take(source, topics);
  });
  afterEach(() => {
    for (const leases of [one, other]) leases.stop();
  });

  const held = (leases: RelayLeases, name = topic): Held => {
    const found = leases.heldOf(name);
    if (!found) throw new Error(`${name} is not held`);
    return found;
  };
  const taken = (leases: RelayLeases) =>
    eventually(
      async () => {
        await leases.take(source, topics);
        return held(leases);
      },
      { withinMs: 20_000 },
    );
  const holdsFor = async () => (await other.watch(source, topics)).map(({ heldForMs }) => heldForMs);
  const changes = async () => {
    const rows: unknown = await own.dataSource.query(
      `select xmin::text, position from relay_cursor where topic = any($1) order by topic`,
      [topics.map((each) => each.topic)],
    );
    return z.array(z.object({ xmin: z.string(), position: z.coerce.number() })).parse(rows);
  };
  const nothing = { ahead: new Map(), ends: new Map(), partitions: 6 };
  /** Nobody in this process has a turn. */
  const stand = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

  it('are kept as long as a relay has something to send, and others are told for how long', async () => {
    one.start();
    one.need(topic, true);
    const since = performance.now();
    await eventually(() => expect(performance.now() - since).toBeGreaterThan(3_000), { withinMs: 20_000 });
    await other.take(source, topics);
    expect(other.heldOf(topic)).toBeUndefined();
    expect(Math.min(...(await holdsFor()))).toBeGreaterThan(0);
    await expect(one.hold(topic, held(one))).resolves.toBeUndefined();
  });

  it('lapse while nothing is to be sent, without a statement, and their process goes on with them', async () => {
    one.start();
    const before = await changes();
    await eventually(async () => expect(Math.max(...(await holdsFor()))).toBeLessThanOrEqual(0), { withinMs: 20_000 });
    expect(await changes()).toEqual(before);
    const had = held(one);
    await expect(one.hold(topic, had)).resolves.toBeUndefined();
    expect(held(one)).toBe(had);
  });

  it('are renewed by one statement for all topics, which moves the cursors too', async () => {
    one.move(topic, held(one), { position: 7, ...nothing });
    one.move(`${topic}-too`, held(one, `${topic}-too`), { position: 9, ...nothing });
    const rows = await eventually(
      async () => {
        const found = await changes();
        expect(found.map(({ position }) => position)).toEqual([7, 9]);
        return found;
      },
      { withinMs: 10_000 },
    );
    expect(new Set(rows.map(({ xmin }) => xmin)).size).toBe(1);
  });

  it('tell a relay that its cursor was set back, and what it sends meanwhile moves nothing', async () => {
    const before = held(one);
    one.move(topic, before, { position: 7, ...nothing });
    await one.renew();
    await own.dataSource.query('update relay_cursor set position = 3 where topic = $1', [topic]);
    one.move(topic, before, { position: 8, ...nothing });
    await one.renew();
    expect((await changes())[0]?.position).toBe(3);
    expect(held(one).reached.position).toBe(3);
    expect(() => one.move(topic, before, { position: 9, ...nothing })).toThrow(/filled anew/);
  });

  it('go to another process when they are not renewed, and then nothing more may be sent', async () => {
    const before = held(one);
    other.start();
    await taken(other);
    await expect(one.hold(topic, before)).rejects.toMatchObject({ code: 'lease-lost' });
    await one.take(source, topics);
    expect(one.heldOf(topic)).toBeUndefined();
  });

  it('that lapsed and that nobody has taken are still those of their process', async () => {
    stand(1_500);
    await expect(one.hold(topic, held(one))).resolves.toBeUndefined();
  });

  it('are not taken by a process that had no turn itself, because the relay may have had none either', async () => {
    for (const leases of [one, other]) leases.start();
    one.need(topic, true);
    stand(2_000);
    await other.take(source, topics);
    expect(other.heldOf(topic)).toBeUndefined();
    await expect(one.hold(topic, held(one))).resolves.toBeUndefined();
  });

  it('that were given back are free at once, with what was sent', async () => {
    one.move(topic, held(one), { position: 7, ...nothing });
    await one.giveBack();
    expect((await other.watch(source, topics)).map(({ isVacant }) => isVacant)).toEqual([true, true]);
    await other.take(source, topics);
    expect(held(other).reached.position).toBe(7);
  });
});
