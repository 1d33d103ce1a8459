/** The commands on an encrypted backup of a real server, as whoever restores calls them: with a vault, and a key in a file. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { recipientFrom } from '@strongroom/encryption';
import { storeBackup } from '@strongroom/engines';
import { wholeEngineFor } from '@strongroom/engines/in-this-process';
import { SystemClock } from '@strongroom/runtime/light';
import { PostgresServer } from '@strongroom/server-processes';
import { openVaults } from '@strongroom/vault';
import { z } from 'zod';
import { kmsProgram } from '../../../test/services/kms-program.js';
import { verifiedByPostgres } from '../../../test/services/postgres-tools.js';
import { runStrongroom } from '../../../test/services/run-strongroom.js';

const backupId = randomUUID();
const keptId = randomUUID();
const trial = z.object({ restored: z.object({ started: z.boolean(), databases: z.array(z.unknown()) }) });

let folder: string;
let home: string;
/** The vault of a backup in AES-256-GCM, whose key a program keeps. */
let keptHome: string;
let keptKey: string;
let recipients: Record<'owner' | 'stranger' | 'successor', string>;

/** As on a machine with nothing of a deployment. */
const run = (args: readonly string[], env: Record<string, string> = {}) => runStrongroom(args, env, folder);
const at = (scheme = 'file:') => [
  '--from',
  'DFW',
  '--vault',
  `DFW=${pathToFileURL(home).href.replace('file:', scheme)}`,
];
const atKept = () => ['--from', 'IAD', '--vault', `IAD=${pathToFileURL(keptHome).href}`];
const restored = (name: string) => join(folder, name);
const holderOf = (key: 'owner' | 'successor', name: string) => ({ key: recipients[key], name });

async function newKey(name: string): Promise<string> {
  const { code, stdout } = await run(['keys', 'new', name]);
  expect(code).toBe(0);
  return stdout.trim();
}

/** The digest of each file of the vault that is no key and no state. */
function dataInVault(): ReadonlyMap<string, string> {
  const files = readdirSync(home, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const data = files.filter(({ name }) => name.includes('.zst') || name === 'manifest.json');
  return new Map(
    data.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path, createHash('sha256').update(readFileSync(path)).digest('hex')];
    }),
  );
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-keys-'));
  // When root runs this, PostgreSQL runs as another user, who must be able to enter the folder.
  chmodSync(folder, 0o711);
  home = join(folder, 'DFW');
  mkdirSync(home);
  keptHome = join(folder, 'IAD');
  mkdirSync(keptHome);
  keptKey = `command:${kmsProgram(folder)} backups`;
  recipients = {
    owner: await newKey('owner.txt'),
    stranger: await newKey('stranger.txt'),
    successor: await newKey('successor.txt'),
  };
  const password = randomBytes(8).toString('hex');
  const server = await PostgresServer.start({
    directory: join(folder, 'server'),
    password,
    settings: { wal_level: 'replica' },
    logFile: join(folder, 'server.log'),
  });
  try {
    const instanceId = randomUUID();
    const { port } = server;
    const endpoint = { host: '127.0.0.1', port, user: 'postgres', database: 'postgres', tls: 'disable' } as const;
    const vaults = openVaults(
      new Map([
        ['DFW', pathToFileURL(home)],
        ['IAD', pathToFileURL(keptHome)],
      ]),
    );
    const ways = [
      ['DFW', backupId, 'age-encryption.org/v1', recipients.owner, 'office safe'],
      ['IAD', keptId, 'tink/AES256_GCM_HKDF_1MB', keptKey, 'the KMS'],
    ] as const;
    for (const [region, id, format, key, name] of ways) {
      const vault = vaults.of(region);
      await vault.identify();
      await storeBackup({
        engine: wholeEngineFor('postgresql'),
        vault,
        clock: new SystemClock(),
        target: { instanceId, endpoint, password },
        backup: {
          ...{ backupId: id, type: 'full', parentId: null, startedAt: new Date() },
          ...{ accountId: 'acme', instanceId, instanceName: 'orders' },
        },
        encryption: { format, recipients: [recipientFrom(key, name)], chainRecipients: [], chainIdentities: [] },
        attempt: 1,
        signal: new AbortController().signal,
      });
    }
  } finally {
    // From here on the server is down, and so is everything else.
    await server.stop();
  }
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('strongroom, on an encrypted backup', () => {
  it('makes a key that only its owner can read, and never another one in its place', async () => {
    const path = join(folder, 'owner.txt');
    const text = readFileSync(path, 'utf8');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(text).toContain(`# public key: ${recipients.owner}\n`);
    expect(recipients.owner).toMatch(/^age1[0-9a-z]{58}$/);
    const again = await run(['keys', 'new', path]);
    expect(again).toMatchObject({ code: 2, stdout: '', output: expect.stringContaining('a key is never replaced') });
    expect(readFileSync(path, 'utf8')).toBe(text);
    const nowhere = await run(['keys', 'new', join(folder, 'none', 'key.txt')]);
    expect(nowhere).toMatchObject({ code: 2, stdout: '', output: expect.stringContaining('ENOENT') });
  });

  it('lists and shows for whom it is, and nothing of the server', async () => {
    const table = await run(['list', ...at()]);
    expect([table.code, table.stdout]).toEqual([
      0,
      expect.stringMatching(new RegExp(`${backupId}  - +full +- .* MB +office safe\n`)),
    ]);
    const line: unknown = JSON.parse((await run(['list', '--json', ...at()])).stdout);
    expect(line).toMatchObject({ backupId, encryptedFor: ['office safe'] });
    expect(line).not.toHaveProperty('instanceName');
    const shown: unknown = JSON.parse((await run(['show', backupId, ...at()])).stdout);
    expect(shown).toMatchObject({
      backupId,
      encryptedFor: ['office safe'],
      encryption: { format: expect.any(String) },
    });
    expect(shown).not.toHaveProperty('instanceName');
  });

  it('is verified without a key, and restored by nobody who has none or another one, who is told which is needed', async () => {
    expect(await run(['verify', backupId, ...at()])).toMatchObject({ code: 0 });
    const needed = `opens with the key of office safe (${recipients.owner})`;
    for (const [command, why] of [
      [['restore', '--to', restored('none')], 'no key was given'],
      [['restore', '--to', restored('none'), '--identity', 'stranger.txt'], 'none of the given keys opens it'],
      [['verify', '--restore', '--identity', 'stranger.txt'], 'none of the given keys opens it'],
    ] as const) {
      const ended = await run([...command, backupId, ...at()]);
      expect([command, ended.code, ended.output]).toEqual([command, 12, expect.stringContaining(needed)]);
      expect(ended.output).toContain(why);
    }
    const unreadable = await run(['restore', backupId, ...at(), '--to', restored('none'), '--identity', 'lost.txt']);
    expect(unreadable).toMatchObject({ code: 2, output: expect.stringContaining("can't be read from lost.txt") });
  }, 60_000);

  it('is restored with the right one among others, and a server starts on it for a trial', async () => {
    const given = ['--identity', 'stranger.txt', '--identity', 'owner.txt'];
    const { code, output } = await run(['restore', backupId, ...at(), '--to', restored('first'), ...given]);
    expect([code, output]).toEqual([0, expect.stringContaining(`Restored backup ${backupId} of orders`)]);
    await verifiedByPostgres(restored('first'));
    const env = { STRONGROOM_IDENTITY_FILE: join(folder, 'owner.txt') };
    const tried = await run(['verify', backupId, '--restore', '--json', '--scratch', folder, ...at()], env);
    expect(tried.code).toBe(0);
    expect(trial.parse(JSON.parse(tried.stdout)).restored.started).toBe(true);
  }, 120_000);

  it('has its keys wrapped for others: then those open it, the former ones do not, and no byte of the data has moved', async () => {
    const before = dataInVault();
    expect(before.size).toBeGreaterThan(2);
    writeFileSync(join(folder, 'recipients.json'), JSON.stringify({ default: [holderOf('successor', 'new safe')] }));
    const rewrap = (identity: string) =>
      run(['keys', 'rewrap', ...at(), '--recipients', 'recipients.json', '--identity', identity]);
    const refused = await rewrap('stranger.txt');
    expect([refused.code, refused.output]).toEqual([1, expect.stringContaining('office safe')]);
    expect(await rewrap('owner.txt')).toMatchObject({
      code: 0,
      output: expect.stringContaining('the keys of 1 backups were wrapped anew'),
    });
    expect(dataInVault()).toEqual(before);
    const again = [
      'keys',
      'rewrap',
      ...at(),
      '--recipients',
      'recipients.json',
      '--identity',
      'successor.txt',
      '--json',
    ];
    const { stdout } = await run(again);
    expect(JSON.parse(stdout)).toEqual({ region: expect.any(String), changed: 0, same: 1, clear: 0, failed: 0 });
    const to = restored('second');
    const former = await run(['restore', backupId, ...at(), '--to', to, '--identity', 'owner.txt']);
    expect([former.code, former.output]).toEqual([12, expect.stringContaining('opens with the key of new safe')]);
    expect(await run(['restore', backupId, ...at(), '--to', to, '--identity', 'successor.txt'])).toMatchObject({
      code: 0,
    });
    await verifiedByPostgres(to);
  }, 120_000);

  it('in AES-256-GCM is restored with the key that a program keeps, and is wrapped for no key of age', async () => {
    const shown: unknown = JSON.parse((await run(['show', keptId, ...atKept()])).stdout);
    expect(shown).toMatchObject({ encryptedFor: ['the KMS'], encryption: { format: 'tink/AES256_GCM_HKDF_1MB' } });
    const to = restored('kept');
    const refused = await run(['restore', keptId, ...atKept(), '--to', to, '--identity', 'owner.txt']);
    const needed = 'opens with the key of the KMS (command:backups)';
    expect([refused.code, refused.output]).toEqual([12, expect.stringContaining(needed)]);
    writeFileSync(join(folder, 'kms.txt'), `# it asks the KMS\n${keptKey}\n`);
    const rewrap = (key: string) => {
      writeFileSync(join(folder, 'kept.json'), JSON.stringify({ default: [{ key, name: 'new safe' }] }));
      return run(['keys', 'rewrap', ...atKept(), '--recipients', 'kept.json', '--identity', 'kms.txt']);
    };
    const unfit = await rewrap(recipients.successor);
    expect([unfit.code, unfit.output]).toEqual([1, expect.stringContaining('is wrapped by programs, like command:')]);
    const other = `${keptKey}-of-2027`;
    expect(await rewrap(other)).toMatchObject({
      code: 0,
      stdout: '',
      output: expect.stringContaining('1 backups were wrapped anew'),
    });
    writeFileSync(join(folder, 'kms.txt'), `${other}\n`);
    expect(await run(['restore', keptId, ...atKept(), '--to', to, '--identity', 'kms.txt'])).toMatchObject({ code: 0 });
    await verifiedByPostgres(to);
  }, 120_000);

  it('lies as objects after its vault was moved, for the same holders', async () => {
    const moved = await run(['vault', 'upgrade', ...at()]);
    expect([moved.code, moved.output]).toEqual([0, expect.stringContaining('1 backups were moved and compared')]);
    const table = await run(['list', ...at('objects:')]);
    expect([table.code, table.stdout]).toEqual([0, expect.stringContaining('new safe')]);
    const given = ['--identity', 'successor.txt', '--scratch', folder];
    const tried = await run(['verify', backupId, '--restore', '--json', ...at('objects:'), ...given]);
    expect(tried.code).toBe(0);
    expect(trial.parse(JSON.parse(tried.stdout)).restored.started).toBe(true);
  }, 120_000);
});
