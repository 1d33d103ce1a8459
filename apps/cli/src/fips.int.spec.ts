/**
 * The built programs in a Node.js that gives algorithms of FIPS 140 alone, as after `node --enable-fips`. There is no such module of OpenSSL
 * here, so not even those are there: what is refused must be refused before OpenSSL is asked.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newIdentityFile } from '@strongroom/encryption';
import { runStrongroom } from '../../../test/services/run-strongroom.js';

const run = promisify(execFile);
const scheduler = join(__dirname, '..', '..', '..', 'dist', 'apps', 'scheduler', 'src', 'main.js');
const wrongConfiguration = 78;

describe('a Node.js with algorithms of FIPS 140 alone', () => {
  let folder: string;
  let onlyFips: string;
  let recipient: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-fips-'));
    onlyFips = await preloaded('only-fips.cjs', "require('node:crypto').setFips(true);");
    const made = newIdentityFile();
    recipient = made.recipient;
    await writeFile(join(folder, 'owner.txt'), made.text, { mode: 0o600 });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function preloaded(name: string, script: string): Promise<string> {
    await writeFile(join(folder, name), script);
    return `--require ${join(folder, name)}`;
  }

  const strongroom = (...args: string[]) => runStrongroom(args, { NODE_OPTIONS: onlyFips }, folder);

  it('starts no scheduler that would encrypt for keys of age, and the error names the other format', async () => {
    // A service takes digests while it is loaded, for which there is no module here. So it is only told of the mode.
    const told = await preloaded('told.cjs', "require('node:crypto').getFips = () => 1;");
    const env = { PATH: process.env.PATH, NODE_OPTIONS: told };
    const settings = {
      STRONGROOM_DATABASE_URL: 'postgres://strongroom:hush@127.0.0.1:5432/strongroom',
      STRONGROOM_FEED: 'embedded',
      STRONGROOM_VAULTS: 'DFW=file:///vaults/DFW',
      STRONGROOM_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
      STRONGROOM_RECIPIENTS: recipient,
    };
    await expect(run(process.execPath, [scheduler], { env: { ...env, ...settings } })).rejects.toMatchObject({
      code: wrongConfiguration,
      stdout: expect.stringMatching(/STRONGROOM_ENCRYPTION must be aes-gcm, because .* FIPS 140/),
    });
  }, 60_000);

  it('makes no key of age and takes none, and says which Node.js does', async () => {
    const made = await strongroom('keys', 'new', 'new.txt');
    expect(made).toMatchObject({ code: 12, stdout: '', output: expect.stringContaining('without --enable-fips') });
    expect(existsSync(join(folder, 'new.txt'))).toBe(false);
    const backupId = '01a215f5-024d-71e2-8f62-5d8c74389f2c';
    const where = ['--from', 'DFW', '--vault', `DFW=file://${folder}`, '--to', 'restored'];
    const restored = await strongroom('restore', backupId, ...where, '--identity', 'owner.txt');
    expect(restored.code).toBe(2);
    expect(restored.output).toContain("can't be read from owner.txt: A key of age is of no use here");
  }, 60_000);

  it.each([
    'gs://acme-backups/iad?credentials=none&endpoint=http://127.0.0.1:9',
    'az://backups/iad?account=acmebackups&endpoint=http://127.0.0.1:9',
  ])(
    'does not use a store that compares by MD5: %s',
    async (url) => {
      const listed = await strongroom('list', '--from', 'IAD', '--vault', `IAD=${url}`);
      expect(listed.code).not.toBe(0);
      expect(listed.output).toContain('compares what arrives by MD5');
    },
    60_000,
  );
});
