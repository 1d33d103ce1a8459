import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger } from '@strongroom/runtime';
import { eventually } from '../../../test/services/eventually.js';
import { patience } from '../../../test/services/patience.js';
import { DrippingVault } from '../../../test/vaults/dripping-vault.js';
import { HangingVault, type Verb } from '../../../test/vaults/hanging-vault.js';
import { PassingVault } from '../../../test/vaults/passing-vault.js';
import { readSlowly, slowSource } from '../../../test/vaults/slow-streams.js';
import { chunksOf, heldOf, listOf, putSample, storeSample } from '../fixtures/sample-backup.js';
import { copyBackup } from './copy-backup.js';
import { DirectoryVault } from './directory/directory-vault.js';
import type { Vault } from './vault.js';
import { VaultFault } from './vault-fault.js';
import { Vaults } from './vaults.js';
import { endingWith, watched } from './watched-vault.js';

let folder: string;
let real: DirectoryVault;
let hanging: HangingVault | undefined;
const told: string[] = [];
const log = createLogger({ app: 'spec', level: 'info', to: { write: (line) => void told.push(line) } });
const soon = { limitMs: 1_000 * patience, graceMs: 100, log };
const hangs = { code: 'vault-unavailable', retryable: true, message: expect.stringContaining('hangs') };

beforeEach(async () => {
  told.length = 0;
  folder = await mkdtemp(join(tmpdir(), 'strongroom-watched-'));
  real = new DirectoryVault('DFW', folder);
});
afterEach(async () => {
  hanging?.comeBack();
  await eventually(() => expect(hanging?.hanging ?? 0).toBe(0), { withinMs: 5_000 });
  hanging = undefined;
  // An operation that hung may still write while its folder goes.
  await rm(folder, { recursive: true, force: true, maxRetries: 10 });
});

function inWhich(verbs: readonly Verb[], ofBackup?: string): Vault {
  hanging = new HangingVault(real, verbs, ofBackup);
  return watched(hanging, soon);
}

it('a vault that refuses a read at once is not waited for any more', async () => {
  const fault = new VaultFault('vault-unavailable', 'DFW', 'The vault of DFW is away.');
  class RefusingVault extends PassingVault {
    override read(): never {
      throw fault;
    }
  }
  const vault = watched(new RefusingVault(real), { log });
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  await expect(buffer(vault.read('01a215f5-024d-71e2-8f62-5d8c74389f2c', 'base.tar.zst'))).rejects.toBe(fault);
  expect(timers()).toBeLessThanOrEqual(before);
});

describe('a vault that hangs', () => {
  const before = new Date(0);
  const uses: Record<Verb, (vault: Vault, backupId: string) => Promise<unknown>> = {
    begin: (vault, backupId) => vault.begin(backupId, 2),
    manifest: (vault, backupId) => vault.manifest(backupId),
    glance: (vault, backupId) => vault.glance(backupId),
    locationOf: (vault, backupId) => vault.locationOf(backupId),
    read: (vault, backupId) => buffer(vault.read(backupId, 'base.tar.zst')),
    verify: (vault, backupId) => vault.verify(backupId),
    list: (vault) => listOf(vault),
    purge: (vault, backupId) => vault.purge(backupId, 1),
    held: (vault, backupId) => heldOf(vault, backupId),
    tidy: (vault, backupId) => vault.tidy(backupId, { attempt: 1, location: 'somewhere' }, before),
    forget: (vault, backupId) => vault.forget(backupId, 1, before),
    identify: (vault) => vault.identify(),
    probe: (vault) => vault.probe(),
    put: (vault, backupId) => putSample(vault, backupId, 2),
    seal: (vault, backupId) => storeSample(vault, { backupId, attempt: 2 }),
    discard: async () => Promise.reject(new Error('it never fails')),
  };
  const verbs = (Object.keys(uses) as Verb[]).filter((verb) => verb !== 'discard');

  it.each(verbs)('in %s ends the call with a fault that says so, and works again when it comes back', async (verb) => {
    const { backupId } = await storeSample(real);
    const vault = inWhich([verb, 'discard']);
    await expect(uses[verb](vault, backupId)).rejects.toMatchObject(hangs);
    // What hangs keeps a thread, so nothing else is begun on the same backup, and the caller learns it at once.
    const begun = hanging?.hanging;
    await expect(uses[verb](vault, backupId)).rejects.toMatchObject(hangs);
    expect(hanging?.hanging).toBe(begun);
    hanging?.comeBack();
    await eventually(() => expect(told.join('')).toContain('has come back'), { withinMs: 5_000 });
    const later = await storeSample(vault);
    expect(await vault.manifest(later.backupId)).toBeDefined();
  });

  it('in put and in discard ends the attempt, and no caller waits for what can not be removed', async () => {
    const vault = inWhich(['put', 'discard']);
    const upload = await vault.begin('01a215ed-2e1e-7057-ba0a-a76da3483220', 1);
    await expect(upload.put('base.tar.zst', chunksOf(Buffer.alloc(100_000)))).rejects.toMatchObject(hangs);
    await upload.discard();
  });

  it('with a chunk in hand has its source closed', async () => {
    hanging = new HangingVault(real, []);
    let isClosed = false;
    let end = () => {};
    const never = new Promise<void>((resolve) => {
      end = resolve;
    });
    const stuck = watched(
      new (class extends HangingVault {
        override async begin(): ReturnType<Vault['begin']> {
          const upload = await real.begin('01a215ed-2e1e-7057-ba0a-a76da3483220', 1);
          const put = upload.put.bind(upload);
          upload.put = (name, source) => put(name, afterFirst(source, never));
          return upload;
        }
      })(real, []),
      soon,
    );
    const upload = await stuck.begin('01a215ed-2e1e-7057-ba0a-a76da3483220', 1);
    const source = (async function* () {
      try {
        for (;;) yield Buffer.alloc(1_000);
      } finally {
        isClosed = true;
      }
    })();
    await expect(upload.put('base.tar.zst', source)).rejects.toMatchObject(hangs);
    await eventually(() => expect(isClosed).toBe(true), { withinMs: 1_000 });
    end();
    await upload.discard();
  });

  it('at one backup goes on with all others, as long as it answers', async () => {
    const [stuck, other] = [await storeSample(real), await storeSample(real)];
    const vault = inWhich(['manifest'], stuck.backupId);
    await expect(vault.manifest(stuck.backupId)).rejects.toMatchObject(hangs);
    expect(await vault.verify(other.backupId)).toBeDefined();
    await storeSample(vault);
    await expect(vault.purge(stuck.backupId, 1)).rejects.toMatchObject(hangs);
  });

  it('holds up no other region', async () => {
    const other = await mkdtemp(join(tmpdir(), 'strongroom-other-'));
    hanging = new HangingVault(real, ['manifest', 'probe']);
    const byRegion = new Map<string, Vault>([
      ['DFW', hanging],
      ['IAD', new DirectoryVault('IAD', other)],
    ]);
    const vaults = new Vaults(byRegion, soon);
    const { backupId } = await storeSample(vaults.of('IAD'));
    await expect(vaults.of('DFW').manifest(backupId)).rejects.toMatchObject(hangs);
    await expect(vaults.of('DFW').manifest(backupId)).rejects.toMatchObject(hangs);
    expect(await vaults.of('IAD').verify(backupId)).toBeDefined();
    await rm(other, { recursive: true });
  });

  it('as the target of a copy is told apart from one that hangs as its source', async () => {
    const place = await mkdtemp(join(tmpdir(), 'strongroom-target-'));
    const target = new DirectoryVault('IAD', place);
    const { backupId } = await storeSample(real);
    const expectedSha256 = (await real.verify(backupId)).sha256;
    const copy = (from: Vault, to: Vault, attempt: number) =>
      copyBackup({ from, to, backupId, attempt, expectedSha256, signal: new AbortController().signal });
    const source = inWhich(['read']);
    await expect(copy(source, target, 1)).rejects.toMatchObject({ ...hangs, region: 'DFW' });
    hanging?.comeBack();
    hanging = new HangingVault(target, ['put', 'discard']);
    await expect(copy(real, watched(hanging, soon), 2)).rejects.toMatchObject({ ...hangs, region: 'IAD' });
    hanging.comeBack();
    await rm(place, { recursive: true });
  });

  it('is not to blame for a source that is slow, nor for a slow reader', async () => {
    const vault = watched(real, { limitMs: 1_500 * patience, graceMs: 100, leastBytesPerSecond: 10_000 });
    const backupId = '01a215ed-2e1e-7057-ba0a-a76da3483220';
    const upload = await vault.begin(backupId, 1);
    expect(await upload.put('base.tar.zst', slowSource(Buffer.from('rows'), 2_000 * patience))).toMatchObject({
      sizeBytes: 4,
    });
    await upload.discard();
    const stored = await storeSample(real);
    await readSlowly(vault.read(stored.backupId, 'base.tar.zst'), 600);
  });

  it('ends with the signal of its caller, though nothing can cancel what hangs', async () => {
    const { backupId } = await storeSample(real);
    const ending = new AbortController();
    const vault = endingWith(inWhich(['manifest', 'purge']), ending.signal);
    const asked = expect(vault.manifest(backupId)).rejects.toThrow('the process is stopping');
    ending.abort(new Error('the process is stopping'));
    await asked;
    await expect(vault.purge(backupId, 1)).rejects.toThrow('the process is stopping');
  });

  it('when it is opened is away, and the others are opened', async () => {
    const vaults = new Vaults(new Map([['DFW', inWhich(['identify'])]]));
    await vaults.identify(log);
    expect(told.join('')).toContain('the vault of DFW is away');
  });
});

describe('a vault that gives and takes a little now and then', () => {
  const options = { limitMs: 200 * patience, graceMs: 100, leastBytesPerSecond: 100_000 };
  const isSlow = {
    code: 'vault-unavailable',
    region: 'DFW',
    retryable: true,
    message: expect.stringMatching(/too slow.*STRONGROOM_VAULT_LEAST_KIB_PER_SECOND/),
  };
  const inSmall = (count: number) => chunksOf(Buffer.alloc(count), 1);

  it.each<[verb: string, use: (vault: Vault, backupId: string) => Promise<unknown>]>([
    ['read', (vault, backupId) => buffer(vault.read(backupId, 'base.tar.zst'))],
    ['verify', (vault, backupId) => vault.verify(backupId)],
    ['put', async (vault, backupId) => (await vault.begin(backupId, 2)).put('base.tar.zst', inSmall(100_000))],
    [
      'seal',
      (vault, backupId) =>
        storeSample(vault, { backupId, attempt: 2, objects: new Map([['empty.zst', Buffer.alloc(0)]]) }),
    ],
  ])('is given up in %s, and says what it must give', async (_, use) => {
    const { backupId } = await storeSample(real);
    const vault = watched(new DrippingVault(real, 10), options);
    await expect(use(vault, backupId)).rejects.toMatchObject(isSlow);
  });

  it('is waited for where its operator asks for nothing', async () => {
    const enough = 60 * patience;
    const objects = new Map([
      ['empty.zst', Buffer.alloc(0)],
      ['long.zst', Buffer.alloc(2 * enough)],
    ]);
    const { backupId } = await storeSample(real, { objects });
    const vault = watched(new DrippingVault(real, 10), { ...options, leastBytesPerSecond: 0 });
    expect(await buffer(vault.read(backupId, 'empty.zst'))).toHaveLength(0);
    let bytes = 0;
    for await (const chunk of vault.read(backupId, 'long.zst')) {
      bytes += Buffer.isBuffer(chunk) ? chunk.length : 0;
      if (bytes > enough) break;
    }
    expect(bytes).toBeGreaterThan(enough);
  });
});

async function* afterFirst(source: AsyncIterable<Buffer>, until: Promise<void>): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    yield chunk;
    await until;
  }
}
