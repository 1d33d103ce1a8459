import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { RandomIds } from '@strongroom/runtime';
import { eventually } from '../../../../test/services/eventually.js';
import { type OwnLedger, openOwnLedger } from '../../../../test/services/own-ledger.js';
import { RelayLeases } from './relay-leases.js';

const ids = new RandomIds();

describe('the leases of relays', () => {
  let own: OwnLedger;
  let topic: string;
  let one: RelayLeases;
  let other: RelayLeases;
  beforeAll(async () => {
    own = await openOwnLedger();
  });
  afterAll(() => own.close());
  beforeEach(async () => {
    topic = `topic-${ids.next()}`;
    [one, other] = [new RelayLeases(own.dataSource, ids.next()), new RelayLeases(own.dataSource, ids.next())];
    // The first look makes the row.
    await one.take('kafka:a', topic);
    await held(one);
  });
  afterEach(() => {
    for (const leases of [one, other]) leases.stop();
  });

  const held = (leases: RelayLeases) =>
    eventually(async () => expect(await leases.take('kafka:a', topic)).toHaveProperty('position'), {
      withinMs: 20_000,
    });
  /** Nobody in this process has a turn. */
  const stand = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

  it('are kept as long as their process renews them, and others are told for how long', async () => {
    one.start();
    const since = performance.now();
    await eventually(() => expect(performance.now() - since).toBeGreaterThan(3_000), { withinMs: 20_000 });
    const taken = await other.take('kafka:a', topic);
    expect('othersForMs' in taken && taken.othersForMs).toBeGreaterThan(0);
    await expect(one.hold(topic)).resolves.toBeUndefined();
  });

  it('go to another process when they are not renewed, and then nothing more may be sent', async () => {
    other.start();
    await held(other);
    await expect(one.hold(topic)).rejects.toMatchObject({ code: 'lease-lost' });
    expect(await one.take('kafka:a', topic)).toHaveProperty('othersForMs');
  });

  it('that lapsed and that nobody has taken are still those of their process', async () => {
    stand(1_500);
    await expect(one.hold(topic)).resolves.toBeUndefined();
  });

  it('are not taken by a process that had no turn itself, because the relay may have had none either', async () => {
    for (const leases of [one, other]) leases.start();
    stand(2_000);
    expect(await other.take('kafka:a', topic)).toHaveProperty('othersForMs');
    await expect(one.hold(topic)).resolves.toBeUndefined();
  });

  it('that were given back are free at once', async () => {
    await one.giveBack('kafka:a', topic);
    expect(await other.take('kafka:a', topic)).toHaveProperty('position');
  });
});
