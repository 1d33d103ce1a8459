import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DirectoryVault, manifestBytes, type Vault } from '@strongroom/vault';

const program = join(__dirname, '..', '..', '..', 'dist', 'apps', 'cli', 'src', 'main.js');

describe('strongroom list', () => {
  let folder: string;
  let vault: Vault;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-list-'));
    await mkdir(join(folder, 'IAD'));
    vault = new DirectoryVault('IAD', join(folder, 'IAD'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function stored(instanceName: string, completedAt: string, parentId: string | null = null): Promise<string> {
    const backupId = String(randomUUID());
    const upload = await vault.begin(backupId, 1);
    const object = await upload.put('base.tar.zst', Readable.from([Buffer.alloc(1_500_000)]));
    const manifest = manifestBytes({
      format: 'strongroom-backup/1',
      backupId,
      accountId: 'acme',
      instanceId: '6f1c2b0a-0000-4000-8000-000000000001',
      instanceName,
      type: parentId === null ? 'full' : 'incremental',
      parentId,
      datastore: { type: 'postgresql', version: '18.4' },
      region: 'DFW',
      startedAt: '2026-11-14T14:30:00.000Z',
      completedAt,
      objects: [{ ...object, rawBytes: object.sizeBytes, compression: 'none' }],
      engine: {},
    });
    await upload.seal(manifest);
    return backupId;
  }

  async function run(...args: string[]): Promise<{ code: unknown; out: string; err: string }> {
    const at = ['--from', 'IAD', '--vault', `IAD=${pathToFileURL(join(folder, 'IAD')).href}`];
    const child = spawn(process.execPath, [program, 'list', ...at, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const [[code], out, err] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
    return { code, out, err };
  }

  it("finds last night's backup of a server with nothing but the vault, oldest first, and writes nothing there", async () => {
    const full = await stored('orders', '2026-11-14T02:00:00.000Z');
    const incremental = await stored('orders', '2026-11-15T02:00:00.000Z', full);
    const cut = await stored('billing', '2026-11-13T02:00:00.000Z', randomUUID());
    const { code, out, err } = await run();
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const [heading, ...lines] = out.trimEnd().split('\n');
    expect(heading).toMatch(/^BACKUP +INSTANCE +TYPE +PARENT +COMPLETED +SIZE +ENCRYPTED FOR$/);
    expect(lines).toEqual([
      expect.stringMatching(
        new RegExp(`^${cut} +billing +incremental .* its parent is not in IAD: it can't be restored`),
      ),
      expect.stringMatching(
        new RegExp(`^${full} +orders +full +- +2026-11-14T02:00:00.000Z +1.5 MB +\\(not encrypted\\)$`),
      ),
      expect.stringMatching(new RegExp(`^${incremental} +orders +incremental +${full} +2026-11-15T02:00:00.000Z`)),
    ]);
    const plain = (await run('--plain')).out.trimEnd().split('\n');
    expect(plain.map((line) => line.split('\t').slice(0, 5))).toEqual([
      [cut, 'billing', 'incremental', expect.any(String), '2026-11-13T02:00:00.000Z'],
      [full, 'orders', 'full', '-', '2026-11-14T02:00:00.000Z'],
      [incremental, 'orders', 'incremental', full, '2026-11-15T02:00:00.000Z'],
    ]);
    expect(await readdir(join(folder, 'IAD'))).toEqual(['backups']);
  });

  it('shows a stranger’s name in its line and without what would move the cursor', async () => {
    const name = 'orders\u001b[2J\u009b\nfaked\u202e';
    const backupId = await stored(name, '2026-11-14T02:00:00.000Z');
    const [, line, ...more] = (await run()).out.trimEnd().split('\n');
    expect(line).toMatch(new RegExp(`^${backupId} +orders\ufffd\\[2J\ufffd faked\ufffd +full`));
    expect(more).toEqual([]);
    const { out } = await run('--json');
    expect(out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u);
    expect(JSON.parse(out)).toMatchObject({ instanceName: name });
  });

  it('prints a line of JSON for each, and why one can not be read, which is an error', async () => {
    const whole = await stored('orders', '2026-11-14T02:00:00.000Z');
    const bad = await stored('orders', '2026-11-15T02:00:00.000Z');
    await writeFile(join(folder, 'IAD', (await vault.locationOf(bad)) ?? '', 'manifest.json'), '{');
    const { code, out, err } = await run('--json');
    expect({ code, err }).toEqual({ code: 3, err: expect.stringContaining("1 backups in IAD can't be read") });
    const lines: { backupId: string }[] = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const sealed = await vault.manifest(whole);
    expect(lines.find(({ backupId }) => backupId === whole)).toEqual({
      backupId: whole,
      instanceName: 'orders',
      instanceId: '6f1c2b0a-0000-4000-8000-000000000001',
      accountId: 'acme',
      type: 'full',
      parentId: null,
      completedAt: '2026-11-14T02:00:00.000Z',
      sizeBytes: 1_500_000 + (sealed?.bytes.length ?? 0),
      sha256: createHash('sha256')
        .update(sealed?.bytes ?? '')
        .digest('hex'),
      location: await vault.locationOf(whole),
      encryptedFor: null,
    });
    expect(lines.find(({ backupId }) => backupId === bad)).toEqual({
      backupId: bad,
      fault: { code: 'manifest-invalid', message: expect.stringContaining(bad) },
    });
  });

  it('says that a backup was made by a newer version, and that this one is to be upgraded', async () => {
    const backupId = await stored('orders', '2026-11-14T02:00:00.000Z');
    const place = join(folder, 'IAD', (await vault.locationOf(backupId)) ?? '');
    const [manifest, state] = [join(place, 'manifest.json'), join(place, '..', 'state.000000000002')];
    const newer = (await readFile(manifest, 'utf8')).replace('"postgresql"', '"mariadb"');
    const [former, now] = [
      (await vault.manifest(backupId))?.sha256 ?? '',
      createHash('sha256').update(newer).digest('hex'),
    ];
    await writeFile(manifest, newer);
    await writeFile(state, (await readFile(state, 'utf8')).replace(former, now));
    const { code, out } = await run();
    expect({ code, out }).toEqual({
      code: 3,
      out: expect.stringMatching(/newer version of Strongroom.*Upgrade Strongroom here/),
    });
  });

  it('says that a vault is empty, and that one is away', async () => {
    expect(await run()).toEqual({ code: 0, out: '', err: 'The vault of IAD holds no backups.\n' });
    await rm(join(folder, 'IAD'), { recursive: true });
    expect(await run()).toMatchObject({ code: 1, out: '', err: expect.stringContaining('Mount its disk') });
  });
});
