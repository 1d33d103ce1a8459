import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';
import { WireProxy } from './services/wire-proxy.js';

const run = promisify(execFile);
/** A backup of the customer has more. */
const halfBytes = 8_000_000;

let customer: CustomerDatabase;
let proxy: WireProxy;
let strongroom: Deployment;
let api: AppProcess;
let scheduler: AppProcess;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 20, settings: { summarize_wal: 'on' } });
  proxy = await WireProxy.before(customer.url);
}, 120_000);
afterAll(async () => {
  await proxy.close();
  await customer.stop();
});

beforeEach(async () => {
  strongroom = await Deployment.create();
  [api, scheduler] = await Promise.all([strongroom.start('api'), strongroom.start('scheduler')]);
});
afterEach(async () => {
  proxy.calm();
  await strongroom.remove();
});

/** The processes that take backups for a scheduler. */
async function takersOf({ pid }: AppProcess): Promise<number[]> {
  const { stdout } = await run('ps', ['-o', 'pid=,args=', '--ppid', String(pid)]).catch(() => ({ stdout: '' }));
  const lines = stdout.split('\n').filter((line) => line.includes('engine-process'));
  return lines.map((line) => Number.parseInt(line, 10));
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Begins a backup whose server falls silent in the middle. */
async function halfABackup(instanceId: string): Promise<{ backupId: string; taker: number }> {
  let sent = 0;
  proxy.toClient = (bytes) => {
    sent += bytes.length;
    return sent > halfBytes ? undefined : bytes;
  };
  const backupId = await strongroom.backUp(api, instanceId);
  await eventually(() => expect(sent).toBeGreaterThan(halfBytes), { withinMs: 60_000, isBrief: true });
  const [taker, ...more] = await takersOf(scheduler);
  expect(more).toEqual([]);
  if (taker === undefined) throw new Error('the scheduler takes the backup in its own process');
  return { backupId, taker };
}

const registered = () =>
  strongroom.register(api, { ...customer.server, port: Number(new URL(proxy.url).port), host: '127.0.0.1' });

describe('the process that takes a backup', () => {
  it('is killed: the attempt fails, the next one completes it, and the one beside it is not disturbed', async () => {
    const instanceId = await registered();
    const beside = await strongroom.register(api, customer.server);
    const { backupId, taker } = await halfABackup(instanceId);
    const besideId = await strongroom.backUp(api, beside);
    process.kill(taker, 'SIGKILL');
    const waiting = await strongroom.until(api, backupId, ({ retry_at }) => retry_at !== null, 30_000);
    expect(waiting.fault).toMatchObject({ code: 'engine-process-ended' });
    proxy.calm();
    const done = await strongroom.until(api, backupId, ({ status }) => status === 'COMPLETED', 120_000);
    expect(done.failed_attempts).toEqual([expect.objectContaining({ attempt: 1, code: 'engine-process-ended' })]);
    const other = await strongroom.until(api, besideId, ({ status }) => status === 'COMPLETED', 60_000);
    expect(other.failed_attempts).toEqual([]);
    // A process is there for a moment after its answer.
    await eventually(async () => expect(await takersOf(scheduler)).toEqual([]), { withinMs: 10_000 });
    // The parent's manifest is read in such a process too.
    const incremental = await strongroom.backUp(api, instanceId, { parent_id: backupId });
    const built = await strongroom.until(api, incremental, ({ status }) => status === 'COMPLETED', 60_000);
    expect(built).toMatchObject({ type: 'incremental', parent_id: backupId });
  }, 240_000);

  it('ends with its scheduler, whether that is asked to stop or is killed, and with it alone', async () => {
    const instanceId = await registered();
    const { backupId, taker } = await halfABackup(instanceId);
    // A supervisor may ask every process of a service to stop.
    process.kill(taker, 'SIGTERM');
    expect(await scheduler.stop()).toBe(0);
    await eventually(() => expect(isThere(taker)).toBe(false), { withinMs: 10_000 });
    const { status, failed_attempts } = await strongroom.backup(api, backupId);
    expect({ status, failed_attempts }).toEqual({ status: 'BUILDING', failed_attempts: [] });
    let sent = 0;
    proxy.toClient = (bytes) => {
      sent += bytes.length;
      return sent > halfBytes ? undefined : bytes;
    };
    scheduler = await strongroom.start('scheduler');
    await eventually(() => expect(sent).toBeGreaterThan(halfBytes), { withinMs: 60_000, isBrief: true });
    const [second = 0] = await takersOf(scheduler);
    await scheduler.kill();
    await eventually(() => expect(isThere(second)).toBe(false), { withinMs: 10_000 });
    proxy.calm();
    scheduler = await strongroom.start('scheduler');
    const done = await strongroom.until(api, backupId, ({ status }) => status === 'COMPLETED', 120_000);
    expect(done.failed_attempts).toEqual([]);
  }, 240_000);
});
