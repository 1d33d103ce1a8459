/** What every engine promises, shown on a real server of its kind and through a real vault. */
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SystemClock } from '@strongroom/runtime/light';
import { openVaults, type Vault } from '@strongroom/vault';
import type { Engine, EngineTarget } from './engine.js';
import { EngineFault, IncrementalNotPossible } from './engine-fault.js';
import { openChain } from './restore-backup.js';
import { storeBackup } from './store-backup.js';

/** A server to back up, with data in it, of which incremental backups can be taken. */
export interface ServerUnderTest {
  engine: Engine;
  target: EngineTarget;
  /** Changes what the server holds. */
  change(): Promise<void>;
  /** What it holds, to be compared. */
  contents(): Promise<unknown>;
  /** What a server holds that runs on this port with the users of the one under test. */
  contentsAt(port: number): Promise<unknown>;
  /** Another server of the same kind. */
  other(): Promise<EngineTarget>;
  /** Ends every server. */
  remove(): Promise<void>;
}

export function engineContract(kind: string, start: () => Promise<ServerUnderTest>): void {
  describe(`the engine of ${kind}`, () => {
    let server: ServerUnderTest;
    let engine: Engine;
    let folder: string;
    let vault: Vault;
    const never = new AbortController().signal;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'strongroom-engine-'));
      // A server may run as another user, who must be able to pass through.
      await chmod(folder, 0o711);
      for (const name of ['DFW', 'built']) {
        await mkdir(join(folder, name));
        await chmod(join(folder, name), 0o711);
      }
      vault = openVaults(new Map([['DFW', pathToFileURL(join(folder, 'DFW'))]])).of('DFW');
      server = await start();
      engine = server.engine;
    }, 120_000);
    afterAll(async () => {
      await server.remove();
      await rm(folder, { recursive: true, force: true });
    });

    async function take(parentId: string | null = null, target = server.target, signal = never): Promise<string> {
      const backupId = randomUUID();
      const { instanceId } = target;
      const type = parentId === null ? 'full' : 'incremental';
      const ids = { backupId, accountId: 'acme', instanceId, instanceName: 'orders' };
      const backup = { ...ids, type, parentId, startedAt: new Date() } as const;
      await storeBackup({ engine, vault, clock: new SystemClock(), target, backup, attempt: 1, signal });
      return backupId;
    }
    const factsOf = async (backupId: string) => (await openChain(vault, backupId)).at(-1)?.manifest.engine ?? {};
    const newFolder = () => join(folder, randomUUID());

    /** What a server holds that is built from the backup. */
    async function contentsOf(backupId: string): Promise<unknown> {
      const host = engine.serve(join(folder, 'built'));
      const instanceId = randomUUID();
      const build = await host.build(instanceId, 1);
      if (!build) throw new Error('another attempt has begun');
      await engine.restore(await openChain(vault, backupId), build.directory, { standsAlone: true });
      await build.finish('DFW');
      const hosted = await host.start(instanceId, { signal: never });
      try {
        return await server.contentsAt(hosted.port);
      } finally {
        await hosted.stop();
        await host.remove(instanceId);
      }
    }

    it('says what a server is and can do, and what a version can do without asking', async () => {
      const described = await engine.describe(server.target, never);
      expect(described.datastore.type).toBe(engine.datastoreType);
      expect(described.datastore.version).toMatch(/^\d/);
      expect(described.incremental).toEqual({ isPossible: true });
      expect(engine.abilitiesOf(described.datastore.version).incremental).toEqual({ isPossible: true });
      for (const { log } of [described, engine.abilitiesOf(described.datastore.version)]) {
        expect(log).toEqual(expect.objectContaining(log.isPossible ? {} : { why: expect.stringMatching(/\.$/) }));
      }
    });

    it('tests a server, and tells what is missing where it can not be reached', async () => {
      const { target } = server;
      const { version } = (await engine.describe(target, never)).datastore;
      const good = await engine.test(target, { withinMs: 30_000 });
      expect(good).toMatchObject({ server: { version }, full: { missing: [] }, incremental: { missing: [] } });
      expect(good.tried.some(({ fault }) => fault)).toBe(false);
      const away = { ...target, endpoint: { ...target.endpoint, port: 1 } };
      const { full, server: told } = await engine.test(away, { withinMs: 30_000 });
      expect(told).toBeUndefined();
      expect(full).toMatchObject({ fault: { code: 'server-unreachable' }, missing: [expect.stringMatching(/\.$/)] });
    });

    it('says why a server can not be asked, and whether another attempt can help', async () => {
      const { target } = server;
      const away = { ...target, endpoint: { ...target.endpoint, port: 1 } };
      for (const attempt of [() => engine.describe(away, never), () => engine.release(away, [randomUUID()], never)]) {
        await expect(attempt()).rejects.toMatchObject({
          name: 'EngineFault',
          code: 'server-unreachable',
          retryable: true,
        });
      }
      const refused = engine.describe({ ...target, password: 'wrong' }, never);
      await expect(refused).rejects.toMatchObject({ code: 'credentials-refused', retryable: false });
      const cancelled = engine.describe(target, AbortSignal.abort());
      await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
    });

    it('takes full backups and incremental ones, and each restores to what the server held then', async () => {
      const full = await take();
      const atFull = await server.contents();
      await server.change();
      const incremental = await take(full);
      const atIncremental = await server.contents();
      await server.change();
      expect(atIncremental).not.toEqual(atFull);
      expect(await contentsOf(full)).toEqual(atFull);
      expect(await contentsOf(incremental)).toEqual(atIncremental);
    }, 180_000);

    it('ends a backup that is cancelled, and says so', async () => {
      const ending = new AbortController();
      const backupId = randomUUID();
      const running = await engine.backup(server.target, { backupId, signal: ending.signal });
      ending.abort();
      await expect(running.result).rejects.toMatchObject({ code: 'cancelled' });
    });

    it('tells a later state of a server from another server, by what backups and servers say of themselves', async () => {
      const other = await server.other();
      const former = await factsOf(await take());
      const ofOther = await factsOf(await take(null, other));
      await server.change();
      const later = await factsOf(await take());
      for (const now of [later, (await engine.describe(server.target, never)).facts]) {
        expect(engine.whyNoDescendant(former, now)).toBeUndefined();
      }
      for (const now of [ofOther, (await engine.describe(other, never)).facts]) {
        expect(engine.whyNoDescendant(former, now)).toMatch(/\.$/);
      }
      await expect(take(await take(), other)).rejects.toBeInstanceOf(IncrementalNotPossible);
    }, 180_000);

    it('releases what a server keeps for a backup, also twice, and builds nothing on that backup afterwards', async () => {
      const backupId = await take();
      for (const ids of [[backupId], [backupId], [randomUUID()], []]) await engine.release(server.target, ids, never);
      const refused = take(backupId);
      await expect(refused).rejects.toBeInstanceOf(IncrementalNotPossible);
      await expect(refused).rejects.toThrow(/Take a full backup/);
    }, 60_000);

    it('says what of a backup may be left on a server that is gone, and where', () => {
      const [one, another] = [randomUUID(), randomUUID()];
      const { endpoint } = server.target;
      const told = engine.describeLeftover(one, endpoint);
      expect(told).toContain(engine.chainMarker(one));
      expect(told).toContain(`${endpoint.host}:${endpoint.port}`);
      expect(engine.chainMarker(one)).toBe(engine.chainMarker(one));
      expect(engine.chainMarker(one)).not.toBe(engine.chainMarker(another));
    });

    it('restores into an empty folder and from a whole chain, or touches nothing', async () => {
      const full = await take();
      await server.change();
      const chain = await openChain(vault, await take(full));
      const used = newFolder();
      await mkdir(used);
      await writeFile(join(used, 'mine'), '');
      await expect(engine.restore(chain, used)).rejects.toMatchObject({ code: 'restore-target-unusable' });
      expect(await readdir(used)).toEqual(['mine']);
      const empty = newFolder();
      await mkdir(empty);
      for (const broken of [chain.slice(1), [...chain].reverse()]) {
        await expect(engine.restore(broken, empty)).rejects.toBeInstanceOf(EngineFault);
        expect(await readdir(empty)).toEqual([]);
      }
      await expect(engine.restore(chain, empty, { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(EngineFault);
      expect(await readdir(empty)).toEqual([]);
    }, 120_000);

    it('says how a server is started on what it has restored, and reads it to the last table', async () => {
      const backupId = await take();
      const directory = newFolder();
      let written = 0;
      const progress = (bytes: number) => {
        written += bytes;
      };
      const chain = await openChain(vault, backupId);
      const restored = await engine.restore(chain, directory, { standsAlone: true, progress });
      expect(restored.files).toBeGreaterThan(0);
      expect(written).toBeGreaterThan(0);
      expect(restored.advice.at(-1)).toMatch(new RegExp(`^ .*${directory}`));
      const version = chain.at(-1)?.manifest.datastore.version ?? '';
      const scratch = newFolder();
      await mkdir(scratch);
      const read = await engine.tryOut({ directory, scratch, version, signal: never });
      expect(Array.isArray(read) && read.flatMap(({ tables }) => tables).length).toBeGreaterThan(0);
    }, 120_000);

    describe('as a host', () => {
      it('has a whole server or none, and only that of the last attempt that has begun', async () => {
        const host = engine.serve(join(folder, 'built'));
        const id = randomUUID();
        const chain = await openChain(vault, await take());
        const begin = async (attempt: number) => {
          const build = await host.build(id, attempt);
          if (!build) throw new Error(`a later attempt than ${attempt} has begun`);
          await engine.restore(chain, build.directory, { standsAlone: true });
          return build;
        };
        const late = await begin(1);
        const current = await begin(2);
        expect(await host.find(id)).toBeUndefined();
        expect([late.isCurrent, current.isCurrent]).toEqual([false, true]);
        await expect(late.finish('DFW')).rejects.toThrow();
        expect(await host.build(id, 1)).toBeUndefined();
        const data = await current.finish('ORD');
        await current.discard();
        expect(await host.find(id)).toEqual(expect.objectContaining(data));
        expect(data.region).toBe('ORD');
        await host.remove(id);
        expect(await host.find(id)).toBeUndefined();
      }, 120_000);

      it('keeps the data, users and port of a server that is started again, and starts none without data', async () => {
        const host = engine.serve(join(folder, 'built'));
        const id = randomUUID();
        await expect(host.start(id, { signal: never })).rejects.toMatchObject({ code: 'server-did-not-start' });
        const backupId = await take();
        const held = await server.contents();
        const build = await host.build(id, 1);
        if (!build) throw new Error('another attempt has begun');
        await engine.restore(await openChain(vault, backupId), build.directory, { standsAlone: true });
        await build.finish('DFW');
        const first = await host.start(id, { signal: never });
        expect(first.isRunning).toBe(true);
        await first.stop();
        expect(first.isRunning).toBe(false);
        await expect(first.ended).resolves.toEqual(expect.any(String));
        const second = await host.start(id, { port: first.port, signal: never });
        expect(second.port).toBe(first.port);
        expect(await server.contentsAt(second.port)).toEqual(held);
        await second.stop();
        await host.remove(id);
      }, 120_000);

      it('says of which versions it builds no servers', async () => {
        const host = engine.serve(join(folder, 'built'));
        const { version } = (await engine.describe(server.target, never)).datastore;
        expect(host.whyNotBuilt(version)).toBeUndefined();
        expect(host.whyNotBuilt('0.1')).toMatch(/0\.1/);
      });
    });
  });
}
