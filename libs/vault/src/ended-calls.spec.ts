/** Whoever waits for a vault may end that, and then no call of its store goes on. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { storeSample } from '../fixtures/sample-backup.js';
import { DirectoryStore } from './directory/directory-store.js';
import { VaultRoot } from './directory/vault-root.js';
import type { ObjectStore } from './object/object-store.js';
import { ObjectVault } from './object/object-vault.js';
import type { Vault } from './vault.js';
import { endingWith } from './watched-vault.js';

/** A store of which one call never answers, and ends with its signal alone. */
class HangingStore extends DirectoryStore {
  calls = 0;
  readonly reached: Promise<void>;
  /** Whether the call that hung has ended. */
  hasEnded = false;
  private reach: () => void = () => {};

  constructor(
    root: VaultRoot,
    private readonly hangsAt: number,
  ) {
    super(root);
    this.reached = new Promise((resolve) => {
      this.reach = resolve;
    });
  }

  override get keeps(): boolean {
    return true;
  }
  override async get(...[key, signal, range]: Parameters<ObjectStore['get']>): ReturnType<ObjectStore['get']> {
    await this.call(signal);
    return super.get(key, signal, range);
  }
  override async head(...[key, signal]: Parameters<ObjectStore['head']>): ReturnType<ObjectStore['head']> {
    await this.call(signal);
    return super.head(key, signal);
  }
  override async put(...[key, bytes, options, signal]: Parameters<ObjectStore['put']>): ReturnType<ObjectStore['put']> {
    await this.call(signal);
    return super.put(key, bytes, options, signal);
  }
  override async *list(...[prefix, signal]: Parameters<ObjectStore['list']>): ReturnType<DirectoryStore['list']> {
    await this.call(signal);
    yield* super.list(prefix, signal);
  }
  override async delete(...[keys, signal]: Parameters<ObjectStore['delete']>): Promise<void> {
    await this.call(signal);
    return super.delete(keys, signal);
  }
  override async keepUntil(...[, , signal]: Parameters<ObjectStore['keepUntil']>): Promise<boolean> {
    await this.call(signal);
    return true;
  }
  override async roomBytes(signal: AbortSignal): Promise<number | undefined> {
    await this.call(signal);
    return super.roomBytes(signal);
  }

  private async call(signal: AbortSignal): Promise<void> {
    const number = this.calls;
    this.calls += 1;
    if (number !== this.hangsAt) return;
    this.reach();
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.hasEnded = true;
    throw signal.reason;
  }
}

let folder: string;
let backupId: string;
let location: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-ended-'));
  const vault = new ObjectVault('DFW', new DirectoryStore(new VaultRoot('DFW', folder)));
  await vault.identify();
  ({ backupId } = await storeSample(vault, { objects: new Map([['base.tar.zst', Buffer.alloc(1_000, 'x')]]) }));
  location = (await vault.locationOf(backupId)) ?? '';
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function drained(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}

const soon = new Date(Date.now() + 1_000);
/** In this order, because the last ones remove the backup. */
const operations: readonly [string, (vault: Vault) => Promise<unknown>][] = [
  ['identify', (vault) => vault.identify()],
  ['manifest', (vault) => vault.manifest(backupId)],
  ['glance', (vault) => vault.glance(backupId)],
  ['locationOf', (vault) => vault.locationOf(backupId)],
  ['read', (vault) => drained(vault.read(backupId, 'base.tar.zst'))],
  ['keys', (vault) => vault.keys(backupId, 'backup')],
  ['verify', (vault) => vault.verify(backupId)],
  ['list', (vault) => drained(vault.list())],
  ['held', (vault) => drained(vault.held(Number.parseInt(backupId.slice(-2), 16)))],
  ['tidy', (vault) => vault.tidy(backupId, { attempt: 1, location }, soon)],
  ['inside', (vault) => vault.inside(backupId)],
  ['keepUntil', (vault) => vault.keepUntil(backupId, soon)],
  ['keptUntil', (vault) => vault.keptUntil(backupId)],
  ['roomBytes', (vault) => vault.roomBytes()],
  ['begin', (vault) => vault.begin(backupId, 2)],
  ['purge', (vault) => vault.purge(backupId, 3)],
  ['forget', (vault) => vault.forget(backupId, 3, soon)],
];

/** @returns whether the operation has come to that call of the store; it is ended there */
async function endsAt(call: number, operation: (vault: Vault) => Promise<unknown>, how: typeof endingWith) {
  const store = new HangingStore(new VaultRoot('DFW', folder), call);
  const ending = new AbortController();
  const done = operation(how(new ObjectVault('DFW', store), ending.signal)).catch(() => {});
  const isReached = await Promise.race([store.reached.then(() => true), done.then(() => false)]);
  if (!isReached) return false;
  ending.abort(new Error('it was told to end'));
  await done;
  expect([call, store.hasEnded]).toEqual([call, true]);
  return true;
}

it.each(operations)('%s hands the signal of its caller to each call of the store', async (_, operation) => {
  let call = 0;
  while (await endsAt(call, operation, endingWith)) call += 1;
  expect(call).toBeGreaterThan(0);
});

it('a probe, which callers share, does so where it is asked directly', async () => {
  const probe = (vault: Vault) => vault.probe();
  expect(await endsAt(0, probe, (vault, signal) => vault.under(signal))).toBe(true);
});
