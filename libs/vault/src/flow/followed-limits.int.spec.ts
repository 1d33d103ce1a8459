import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger, type LimitInForce, type SetLimits, SetTransferLimits } from '@strongroom/runtime';
import { eventually } from '../../../../test/services/eventually.js';
import { type OwnLedger, openOwnLedger } from '../../../../test/services/own-ledger.js';
import { FollowedLimits, type FollowedLimitsTimings } from './followed-limits.js';
import { Traffic } from './traffic.js';

const log = createLogger({ app: 'spec', level: 'silent' });
const hourMs = 3_600_000;
const soon = { withinMs: 10_000 };
const none = { bytesPerSecond: null, atATime: null, requestsAtATime: null };

class CountedLimits extends SetTransferLimits {
  reads = 0;

  override read(): Promise<SetLimits> {
    this.reads += 1;
    return super.read();
  }
}

let own: OwnLedger;
let limits: CountedLimits;
let told: (readonly LimitInForce[])[];
let running: FollowedLimits | undefined;
beforeAll(async () => {
  own = await openOwnLedger();
});
afterAll(() => own.close());
beforeEach(async () => {
  await own.dataSource.query('delete from transfer_limit; delete from transfer_cap');
  limits = new CountedLimits(own.dataSource);
  told = [];
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const ofLedger = (news: () => void) => own.ledger.onAppend(news);
const ended = async () => {};

/** Begins to follow, and has looked for a while. */
async function follow(timings: FollowedLimitsTimings, onAppend = ofLedger): Promise<Traffic> {
  const traffic = new Traffic();
  const tell = async (inForce: readonly LimitInForce[]) => void told.push(inForce);
  running = new FollowedLimits({ limits, traffic, onAppend, tell, log, timings });
  running.start();
  await passes(10);
  return traffic;
}

/** Waits until it was looked so often from now on. */
async function passes(count: number): Promise<void> {
  const enough = told.length + count;
  await eventually(() => expect(told.length).toBeGreaterThanOrEqual(enough), soon);
}

describe('limits of transfers that operators set', () => {
  it('are not asked for while nothing happens', async () => {
    const traffic = await follow({ leastMs: 20, mostMs: hourMs });
    await limits.set('ORD', 5_000);
    await eventually(() => expect(traffic.limits()).toEqual([['ORD', 5_000]]), soon);
    await passes(10);
    const { reads } = limits;
    await passes(20);
    expect(limits.reads).toBe(reads);
  });

  it('count soon after they are set, changed and unset, and are told so', async () => {
    const traffic = await follow({ leastMs: 20, mostMs: hourMs });
    const count = async (expected: LimitInForce[]) => {
      await eventually(() => expect(traffic.inForce()).toEqual(expected), soon);
      await eventually(() => expect(told.at(-1)).toEqual(expected), soon);
    };
    await limits.set('ORD', 5_000);
    await count([{ ...none, scope: 'ORD', bytesPerSecond: 5_000 }]);
    await limits.setCap('ORD', 2);
    await count([{ ...none, scope: 'ORD', bytesPerSecond: 5_000, atATime: 2 }]);
    await limits.unset('ORD');
    await count([{ ...none, scope: 'ORD', atATime: 2 }]);
    await limits.unsetCap('ORD');
    await count([]);
  });

  it('count though nobody has told of them, as an earlier version tells nobody', async () => {
    const traffic = await follow({ leastMs: 20, mostMs: 200 });
    await own.dataSource.query(`insert into transfer_limit (scope, bytes_per_second) values ('process', 70)`);
    await eventually(() => expect(traffic.limits()).toEqual([['process', 70]]), soon);
  });

  it('are read no more often than they have to be, however much is appended', async () => {
    let append = () => {};
    const begunAt = performance.now();
    await follow({ leastMs: 200, mostMs: hourMs }, async (news) => {
      append = news;
      return ended;
    });
    const news = setInterval(() => append(), 5);
    try {
      await eventually(() => expect(limits.reads).toBeGreaterThanOrEqual(6), soon);
    } finally {
      clearInterval(news);
    }
    expect(limits.reads).toBeLessThanOrEqual(1 + (performance.now() - begunAt) / 200);
  });

  it('are read again when they could not be read', async () => {
    const traffic = await follow({ leastMs: 20, mostMs: hourMs });
    await own.dataSource.query('alter table transfer_cap rename to missing_for_spec');
    await limits.set('ORD', 5_000);
    const { reads } = limits;
    await eventually(() => expect(limits.reads).toBeGreaterThan(reads + 1), soon);
    expect(traffic.limits()).toEqual([]);
    await own.dataSource.query('alter table missing_for_spec rename to transfer_cap');
    await eventually(() => expect(traffic.limits()).toEqual([['ORD', 5_000]]), soon);
  });
});
