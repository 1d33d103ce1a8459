import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';
import { hangingFiles, type Region } from './vault-folders.js';

let customer: CustomerDatabase;
let strongroom: Deployment;
let api: AppProcess;
let scheduler: AppProcess;
let replicator: AppProcess;
let instanceId: string;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 1 });
}, 120_000);
afterAll(() => customer.stop());

beforeEach(async () => {
  // As few threads as Node has by default: compression and the names of hosts need some of them, too.
  strongroom = await Deployment.create({
    env: { UV_THREADPOOL_SIZE: '4', STRONGROOM_COPY_STALL_SECONDS: '2', ...hangingFiles },
  });
  [api, scheduler, replicator] = await strongroom.startAll();
  instanceId = await strongroom.register(api, customer.server);
}, 60_000);
afterEach(() => strongroom.remove());

/** Every use of the vault hangs for real, in the system, until it is released: it is read who it is before anything is done. */
async function hang(region: Region): Promise<() => Promise<void>> {
  const pipe = join(strongroom.vaults.of(region), 'vault.json.pipe');
  const released = join(strongroom.vaults.of(region), 'released');
  await promisify(execFile)('mkfifo', [pipe]);
  return async () => {
    await rename(pipe, released);
    // This wakes everybody who waits; it fails when nobody does.
    const writer = await open(released, constants.O_WRONLY | constants.O_NONBLOCK).catch(() => undefined);
    await writer?.close();
  };
}

const isUp = async (app: AppProcess) => expect((await fetch(new URL('/health/live', app.url))).status).toBe(200);
const told = { code: 'vault-unavailable', message: expect.stringContaining('hangs') };

describe('a vault that hangs for real', () => {
  it('of the home region: the backup has its reason, the process answers, and backups go on when it is back', async () => {
    const release = await hang('DFW');
    const backupId = await strongroom.backUp(api, instanceId, { copy_to: [] });
    const hung = await strongroom.until(api, backupId, ({ fault }) => fault !== null, 90_000);
    expect(hung.fault).toMatchObject(told);
    await isUp(scheduler);
    const ready = await (await fetch(new URL('/health/ready', scheduler.url))).json();
    expect(ready).toMatchObject({ status: 'not-ready', checks: { 'vault-DFW': { ok: false } } });
    await release();
    await strongroom.until(api, backupId, ({ status }) => status === 'COMPLETED' || status === 'FAILED', 90_000);
    const again = await strongroom.backUp(api, instanceId, { copy_to: [] });
    await strongroom.until(api, again, ({ status }) => status === 'COMPLETED', 90_000);
  }, 240_000);

  it('of another region: its copy has the reason, the other region has its copy, and deletions end', async () => {
    const backupId = await strongroom.backUp(api, instanceId, { copy_to: ['IAD', 'ORD'] });
    await strongroom.untilCopied(api, backupId);
    const release = await hang('IAD');
    const next = await strongroom.backUp(api, instanceId, { copy_to: ['IAD', 'ORD'] });
    const copied = await strongroom.until(
      api,
      next,
      ({ copies }) => copies.some(({ status }) => status === 'COMPLETED') && copies.some(({ fault }) => fault !== null),
      90_000,
    );
    expect(copied.copies).toMatchObject([
      { region: 'IAD', status: 'PENDING', fault: told },
      { region: 'ORD', status: 'COMPLETED', fault: null },
    ]);
    await strongroom.client(api).backups.delete(backupId);
    await eventually(async () => expect(await strongroom.vaults.holding(backupId)).not.toContain('ORD'), {
      withinMs: 90_000,
    });
    await isUp(replicator);
    await release();
    await strongroom.untilCopied(api, next);
    await strongroom.vaults.proveCopy(next, 'IAD');
  }, 300_000);

  it('keeps no process from ending when it is told to, whatever it waits for', async () => {
    const backupId = await strongroom.backUp(api, instanceId, { copy_to: ['IAD'] });
    await strongroom.until(api, backupId, ({ copies }) => copies.every(({ status }) => status === 'COMPLETED'));
    await hang('DFW');
    await hang('IAD');
    const next = await strongroom.backUp(api, instanceId, { copy_to: ['IAD'] });
    await strongroom.until(api, next, ({ fault }) => fault !== null, 90_000);
    await Promise.all([scheduler.stop(), replicator.stop()]);
  }, 240_000);
});
