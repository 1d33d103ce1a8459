import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Credentials } from '@strongroom/credentials';
import { KeyRing, secretKeysIn } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { runStrongroom } from '../../../test/services/run-strongroom.js';

let database: TestDatabase;
let dataSource: DataSource;
let folder: string;
let file: string;
const first = randomBytes(32);
const endpoint = { host: 'db', port: 5432, user: 'backup', tls: 'disable' } as const;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'keys-spec' }));
  folder = mkdtempSync(join(tmpdir(), 'strongroom-keys-'));
  file = join(folder, 'ring');
  writeFileSync(file, first.toString('base64'), { mode: 0o600 });
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
  rmSync(folder, { recursive: true });
});

const run = (...args: string[]) =>
  runStrongroom(['keys', ...args], { STRONGROOM_DATABASE_URL: database.url, STRONGROOM_SECRET_KEY_FILE: file });
const keys = () => secretKeysIn(readFileSync(file, 'utf8')) ?? [];
const ring = () => new KeyRing([keys()[0] ?? first, ...keys().slice(1)]);

describe('strongroom keys', () => {
  it('puts a new key first, whose id alone is told, and drops the former one when nothing is sealed under it', async () => {
    const bound = { accountId: 'acme', instanceId: randomUUID(), endpoint };
    await new Credentials(dataSource, first).put(bound, { password: 'secret' });
    const rotated = await run('rotate');
    expect(rotated.code).toBe(0);
    expect(keys()).toHaveLength(2);
    expect(keys()[1]).toEqual(first);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const [newest, former] = ring().all;
    for (const key of keys()) expect(rotated.output).not.toContain(key.toString('base64'));
    expect(rotated.output).toContain(newest?.id);

    expect((await run('list')).output).toMatch(new RegExp(`${newest?.id} +0 +seals\n${former?.id} +1`));
    expect((await run('rotate', '--drop-unused')).output).toContain('Nothing to drop');
    await new Credentials(dataSource, ring()).resealSome(undefined, async () => bound);
    expect((await run('list')).output).toMatch(new RegExp(`${newest?.id} +1 +seals\n${former?.id} +0`));
    expect((await run('rotate', '--drop-unused')).output).toContain(`Dropped from the ring: ${former?.id}`);
    expect(keys()).toHaveLength(1);
    await expect(new Credentials(dataSource, ring()).get(bound)).resolves.toEqual({ password: 'secret' });
  });

  it('loses no key, though several rotate at once, and one of them was killed', async () => {
    const before = keys().map((key) => key.toString('base64'));
    writeFileSync(`${file}.new`, 'half of a ri');
    const refused = await run('rotate');
    expect([refused.code, refused.output]).toEqual([2, expect.stringContaining('Somebody else changes')]);
    expect(refused.output).toContain(`${file}.new`);
    rmSync(`${file}.new`);
    const rotations = await Promise.all(Array.from({ length: 4 }, () => run('rotate')));
    const done = rotations.filter(({ code }) => code === 0);
    expect(done.length).toBeGreaterThan(0);
    expect(rotations.every(({ code }) => code === 0 || code === 2)).toBe(true);
    expect(keys()).toHaveLength(before.length + done.length);
    expect(
      keys()
        .slice(done.length)
        .map((key) => key.toString('base64')),
    ).toEqual(before);
    for (const { id } of ring().all.slice(0, done.length)) {
      expect(done.filter(({ output }) => output.includes(`Key ${id} is the first`))).toHaveLength(1);
    }
    expect(existsSync(`${file}.new`)).toBe(false);
  });

  it('names a key that the ring lacks, and under which something is sealed', async () => {
    const missing = randomBytes(32);
    const bound = { accountId: 'acme', instanceId: randomUUID(), endpoint };
    await new Credentials(dataSource, missing).put(bound, { password: 'secret' });
    const { id } = new KeyRing([missing]).newest;
    const listed = await run('list');
    expect(listed.output).toMatch(new RegExp(`${id} +1 +not in the ring`));
    expect((await run('list', '--plain')).stdout).toContain(`${id}\t1\tnot in the ring`);
    const { keys: told } = JSON.parse((await run('list', '--json')).stdout);
    expect(told.at(0)).toMatchObject({ id: ring().newest.id, state: 'seals' });
    expect(told).toContainEqual({ id, credentials: 1, state: 'not-in-ring' });
    await dataSource.query('delete from instance_credential where instance_id = $1', [bound.instanceId]);
  });

  it('drops no key as long as something is sealed as an older version did it, which names no key', async () => {
    const before = readFileSync(file, 'utf8');
    expect(keys().length).toBeGreaterThan(1);
    const instanceId = randomUUID();
    const ofOlder = Buffer.concat([Buffer.from([1]), randomBytes(60)]);
    const into = 'insert into instance_credential (instance_id, ciphertext) values ($1, $2)';
    await dataSource.query(into, [instanceId, ofOlder]);
    const { code, output } = await run('rotate', '--drop-unused');
    expect([code, output]).toEqual([2, expect.stringContaining('of an older version name no key')]);
    expect(readFileSync(file, 'utf8')).toBe(before);
    await dataSource.query('delete from instance_credential where instance_id = $1', [instanceId]);
  });

  it('prints the new ring where it is asked to, and writes nothing then', async () => {
    const before = readFileSync(file, 'utf8');
    const { code, stdout } = await run('rotate', '--print');
    expect(code).toBe(0);
    expect(secretKeysIn(stdout)).toHaveLength(keys().length + 1);
    const told = JSON.parse((await run('rotate', '--print', '--json')).stdout);
    expect(secretKeysIn(told.ring)).toHaveLength(told.keys.length);
    expect(told).toMatchObject({ keys: [expect.any(String), ...ring().all.map(({ id }) => id)], dropped: [] });
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  it('makes a key that opens backups, and prints its recipient, for a program with its file', async () => {
    const path = join(folder, 'owner.txt');
    const { code, stdout } = await run('new', path, '--json');
    expect({ code, told: JSON.parse(stdout) }).toEqual({
      code: 0,
      told: { file: path, recipient: expect.stringMatching(/^age1/) },
    });
    expect(stdout).not.toContain('AGE-SECRET-KEY');
    expect(existsSync(path)).toBe(true);
  });

  it('says what to do about a ring that it can not write', async () => {
    const env = { STRONGROOM_DATABASE_URL: database.url, STRONGROOM_SECRET_KEY: first.toString('base64') };
    const { code, output } = await runStrongroom(['keys', 'rotate'], env);
    expect(code).toBe(2);
    expect(output).toContain('--print');
  });
});
