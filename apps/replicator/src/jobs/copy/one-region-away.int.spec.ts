import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { EventData } from '@strongroom/contracts';
import { copyId } from '@strongroom/domain';
import type { Performed } from '@strongroom/runtime';
import { openVaults, Traffic, type TrafficParts, type Vaults } from '@strongroom/vault';
import { eventually } from '../../../../../test/services/eventually.js';
import { type HttpFault, HttpProxy, type PassingRequest } from '../../../../../test/services/http-proxy.js';
import { describeWithVersity, type S3Server } from '../../../../../test/services/s3-servers.js';
import { accountId, CopyingWorld } from '../../../fixtures/copying-world.js';
import { copyWithPermit } from './copy-job.js';

type Backup = EventData<'BackupCompleted'>;

const soon = { withinMs: 30_000 };

/** A replicator with folders for DFW and IAD, and for ORD a bucket behind the proxy. */
class Replicator {
  private readonly parts: Parameters<typeof copyWithPermit>[0];
  private readonly ending = new AbortController();

  constructor(world: CopyingWorld, ord: URL, limits: TrafficParts) {
    const traffic = new Traffic(limits);
    const urls = new Map([...['DFW', 'IAD'].map((name): [string, URL] => [name, world.urlOf(name)]), ['ORD', ord]]);
    this.parts = { ...world.replicator(openVaults(urls, { traffic })), traffic };
  }

  get vaults(): Vaults {
    return this.parts.vaults;
  }

  attempt({ backupId }: Backup, lane: string): Promise<Performed> {
    const id = copyId(backupId, lane);
    const job = { kind: 'copy', id, lane, accountId, attempt: 1, failures: 0, asked: 1, owner: 'spec' };
    return copyWithPermit(this.parts, job, { signal: this.ending.signal, progress: () => {} });
  }

  stop(): void {
    this.ending.abort(new Error('the process is stopping'));
  }
}

describeWithVersity('copies to a region that', (start) => {
  let world: CopyingWorld;
  let server: S3Server;
  let proxy: HttpProxy;
  let bucket: string;
  beforeAll(async () => {
    world = await CopyingWorld.create();
    server = await start();
    proxy = await HttpProxy.before(server.url);
  });
  afterAll(async () => {
    await proxy.close();
    await server.stop();
    await world.remove();
  });
  beforeEach(async () => {
    proxy.calm();
    bucket = await server.bucket();
  });

  const replicator = (limits: TrafficParts) =>
    new Replicator(world, server.vaultUrl(bucket, { endpoint: proxy.url }), limits);

  async function owed(region: string, count: number): Promise<Backup[]> {
    const backups: Backup[] = [];
    for (let made = 0; made < count; made += 1) {
      const backup = await world.backUp('DFW', { copyTo: [region] });
      await world.requestCopy(backup, region);
      backups.push(backup);
    }
    return backups;
  }

  const writes = ({ method }: PassingRequest) => method === 'PUT' || method === 'POST';
  const ofPieces = ({ method, path }: PassingRequest) => method === 'GET' && path.includes('.tar.zst');
  it.each<[what: string, of: (request: PassingRequest) => boolean, fault: HttpFault]>([
    ['hangs', writes, 'hang'],
    ['answers that it is busy', writes, { answer: { status: 503 } }],
    ['resets what it answers', ofPieces, { cutAfter: 10_000 }],
    ['crawls', ofPieces, { crawl: { bytes: 10, pauseMs: 100 } }],
  ])(
    '%s leave the one permit of their source to others; none counts as made that is not',
    async (_, of, fault) => {
      const replicating = replicator({ atATime: new Map([['DFW', 1]]), stillMs: 200 });
      await replicating.vaults.of('ORD').identify();
      const [away, others] = [await owed('ORD', 2), await owed('IAD', 3)];
      let met = 0;
      proxy.fault = (request) => {
        if (!of(request)) return undefined;
        met += 1;
        return fault;
      };
      const pending = away.map((backup) => replicating.attempt(backup, 'ORD').catch(() => undefined));
      await eventually(() => expect(met).toBeGreaterThan(0), soon);

      const made = await Promise.all(others.map((backup) => replicating.attempt(backup, 'IAD')));
      expect(made).toEqual(others.map(() => 'finished'));
      for (const backup of others) expect(await world.isWhole(backup, 'IAD')).toBe(true);

      replicating.stop();
      await Promise.all(pending);
      const truth = openVaults(new Map([['ORD', server.vaultUrl(bucket)]])).of('ORD');
      for (const backup of away) {
        expect(await world.typesOf(backup, 'ORD')).not.toContain('CopyCompleted');
        expect(await truth.manifest(backup.backupId)).toBeUndefined();
      }
      proxy.calm();
      const again = replicator({ atATime: new Map([['DFW', 1]]) });
      for (const backup of away) {
        expect(await again.attempt(backup, 'ORD')).toBe('finished');
        expect(await truth.verify(backup.backupId)).toMatchObject({ sha256: backup.sha256 });
      }
    },
    120_000,
  );

  it('has no permit left begin nothing and record nothing', async () => {
    const [first, second] = (await owed('ORD', 2)) as [Backup, Backup];
    const replicating = replicator({ atATime: new Map([['ORD', 1]]) });
    await replicating.vaults.of('ORD').identify();
    proxy.fault = () => 'hang';
    const pending = replicating.attempt(first, 'ORD');
    expect(await replicating.attempt(second, 'ORD')).toEqual({ retryInMs: 500 });
    expect(await world.typesOf(second, 'ORD')).toEqual(['CopyRequested']);
    await eventually(() => expect(proxy.requests.length).toBeGreaterThan(0), soon);
    proxy.calm();
    proxy.resetAll();
    expect(await pending).toBe('finished');
    expect(await replicating.attempt(second, 'ORD')).toBe('finished');
    expect(await replicating.vaults.of('ORD').verify(second.backupId)).toMatchObject({ sha256: second.sha256 });
  }, 60_000);
});
