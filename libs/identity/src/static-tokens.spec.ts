import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger, FixedClock } from '@strongroom/runtime';
import { type HashedTokens, hashToken, StaticTokens } from './static-tokens.js';

describe('a file of tokens', () => {
  let directory: string;
  let path: string;
  let clock: FixedClock;
  let lines: string[];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'strongroom-tokens-'));
    path = join(directory, 'tokens.json');
    clock = new FixedClock(new Date('2026-11-14T14:30:00Z'));
    lines = [];
  });
  afterEach(() => rm(directory, { recursive: true }));

  const ada = { name: 'ada', sha256: hashToken('ada-secret'), accountId: '1234', roles: ['admin'] };
  const bob = { name: 'bob', sha256: hashToken('bob-secret'), accountId: '5678', roles: ['observer'] };

  const open = () => {
    const log = createLogger({ app: 'test', level: 'info', to: { write: (line) => lines.push(line) } });
    return StaticTokens.open({ path, clock, log });
  };
  const write = (tokens: HashedTokens) => writeFile(path, JSON.stringify(tokens));
  /** Puts a new file in place of the old one, as an operator's tool does. */
  const replace = async (text: string) => {
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
    clock.advance(1_000);
  };

  it('tells whose a token is, and knows no other tokens', async () => {
    await write([ada, bob]);
    const tokens = await open();
    expect(await tokens.authenticate('bob-secret')).toEqual({ name: 'bob', accountId: '5678', roles: ['observer'] });
    expect(await tokens.authenticate('bob-secre')).toBeUndefined();
    expect(await tokens.authenticate(bob.sha256)).toBeUndefined();
    expect(await tokens.authenticate('')).toBeUndefined();
    expect(await tokens.authenticate(undefined)).toBeUndefined();
  });

  it('tells many tokens apart', async () => {
    const number = [...Array(1_000).keys()];
    const name = (n: number) => `name-${n}`;
    await write(number.map((n) => ({ ...ada, name: name(n), sha256: hashToken(`secret-${n}`) })));
    const tokens = await open();
    const found = await Promise.all(number.map((n) => tokens.authenticate(`secret-${n}`)));
    expect(found.map((principal) => principal?.name)).toEqual(number.map(name));
    expect(await tokens.authenticate('secret-1000')).toBeUndefined();
  });

  it('lets a token in until it expires, and not from then on', async () => {
    await write([{ ...ada, expiresAt: '2026-11-14T15:30:01+01:00' }, bob]);
    const tokens = await open();
    expect(await tokens.authenticate('ada-secret')).toMatchObject({ name: 'ada' });
    clock.advance(999);
    expect(await tokens.authenticate('ada-secret')).toMatchObject({ name: 'ada' });
    clock.advance(1);
    expect(await tokens.authenticate('ada-secret')).toBeUndefined();
    expect(await tokens.authenticate('bob-secret')).toMatchObject({ name: 'bob' });
  });

  it('tells what a token reaches, its own rights and who holds it, and tells all of that for each account', async () => {
    const instances = ['44b277eb-39be-4921-be31-3d61b43651d7'];
    await write([{ ...ada, id: 'person-7', instances, rights: ['restore'] }, bob]);
    const tokens = await open();
    const principal = { name: 'ada', id: 'person-7', instances, rights: ['restore'], roles: ['admin'] };
    expect(await tokens.authenticate('ada-secret')).toEqual({ ...principal, accountId: '1234' });
    expect(Object.fromEntries(tokens.tokensInForce())).toEqual({
      1234: [{ ...principal, expires_at: null }],
      5678: [{ name: 'bob', id: 'bob', roles: ['observer'], rights: [], instances: null, expires_at: null }],
    });
  });

  it.each([
    ['expiresAt', { expiresAt: '2026-11-14' }, 'must be a time with its zone'],
    ['expiresAt without a zone', { expiresAt: '2026-11-14T14:30:00' }, 'must be a time with its zone'],
    ['instances', { instances: [] }, 'must name an instance'],
    ['instances that are no ids', { instances: ['orders'] }, 'must be a lower-case UUID'],
    ['rights', { rights: ['delete'] }, 'must be rights: '],
    ['a misspelt field', { expires: '2026-11-14T14:30:00Z' }, 'expires'],
  ])('is refused at the start for wrong %s: a limit that is not understood would be none', async (_, wrong, says) => {
    await writeFile(path, JSON.stringify([{ ...ada, ...wrong }]));
    await expect(open()).rejects.toThrow(says);
  });

  it('lets a new token in and a removed one no longer, without a restart', async () => {
    await write([ada]);
    const tokens = await open();
    await replace(JSON.stringify([bob]));
    expect(await tokens.authenticate('bob-secret')).toMatchObject({ name: 'bob' });
    expect(await tokens.authenticate('ada-secret')).toBeUndefined();
  });

  it('locks nobody out while it is broken or gone, and says once that it is', async () => {
    await write([ada]);
    const tokens = await open();
    await replace('[{"name": ');
    expect(await tokens.authenticate('ada-secret')).toMatchObject({ name: 'ada' });
    clock.advance(1_000);
    expect(await tokens.authenticate('ada-secret')).toMatchObject({ name: 'ada' });
    expect(lines.filter((line) => line.includes('is not JSON'))).toHaveLength(1);

    await rm(path);
    clock.advance(1_000);
    expect(await tokens.authenticate('ada-secret')).toMatchObject({ name: 'ada' });
    await replace(JSON.stringify([bob]));
    expect(await tokens.authenticate('ada-secret')).toBeUndefined();
  });

  it('is refused at the start when it is not of the form, saying where and never repeating a token', async () => {
    await expect(open()).rejects.toMatchObject({ code: 'tokens-file-invalid', retryable: false });
    await writeFile(path, '"my-plain-token"x');
    await expect(open()).rejects.toThrow(/is not JSON/);
    await writeFile(path, JSON.stringify([ada, { ...bob, sha256: 'my-plain-token', role: 'admin' }]));
    const fault = await open().catch((error: unknown) => String(error));
    expect(fault).toContain('entry 2 sha256: must be a SHA-256 in lower-case hexadecimal');
    expect(fault).not.toContain('my-plain-token');
    await write([ada, { ...bob, sha256: ada.sha256 }]);
    await expect(open()).rejects.toThrow(/twice/);
  });
});
