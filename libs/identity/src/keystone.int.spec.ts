import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SystemClock } from '@strongroom/runtime/light';
import { eventually } from '../../../test/services/eventually.js';
import { Keystone } from '../../../test/services/keystone.js';
import { patienceNow } from '../../../test/services/patience.js';
import { type KeystoneOptions, KeystoneTokens } from './keystone-tokens.js';

const password = 'correct horse';
/** A token outlives what a test does with it, but for those that are to expire. */
const tokenSeconds = 600;

describe('tokens of a real Keystone', () => {
  let keystone: Keystone | undefined;
  let acme: string;

  beforeAll(async () => {
    keystone = await Keystone.start({ tokenSeconds });
    if (!keystone) return;
    acme = await keystone.project('acme');
    const other = await keystone.project('other');
    const service = await keystone.project('service');
    await keystone.grant(await keystone.user('strongroom', 'service secret'), service, 'admin');
    for (const role of ['admin', 'member', 'reader', 'auditor']) {
      const user = await keystone.user(`${role}-of-acme`, password);
      await keystone.grant(user, acme, role);
    }
    await keystone.grant(await keystone.user('stranger', password), other, 'admin');
  }, 300_000);
  afterAll(() => keystone?.stop());

  const identity = (more: Partial<KeystoneOptions> = {}) =>
    new KeystoneTokens({
      url: keystone?.url ?? new URL('http://127.0.0.1:1'),
      user: {
        name: 'strongroom',
        domain: 'Default',
        password: 'service secret',
        project: 'service',
        projectDomain: 'Default',
      },
      timeoutMs: 10_000,
      clock: new SystemClock(),
      account: 'project-id',
      accountDomain: 'Default',
      roles: new Map([
        ['admin', 'admin'],
        ['member', 'creator'],
        ['reader', 'observer'],
      ]),
      cacheMs: 0,
      ...more,
    });
  const tokenOf = async (user: string, project: string | null = 'acme') =>
    (await keystone?.token({ user, project }, password)) ?? '';

  it('are their user’s, in the account of their project, with our roles for theirs', async () => {
    if (!keystone) return;
    const principalOf = async (user: string) => identity().authenticate(await tokenOf(user));
    expect(await principalOf('admin-of-acme')).toMatchObject({ name: 'admin-of-acme', accountId: acme });
    expect((await principalOf('admin-of-acme'))?.roles).toContain('admin');
    expect((await principalOf('member-of-acme'))?.roles).toEqual(expect.arrayContaining(['creator']));
    expect(await principalOf('reader-of-acme')).toMatchObject({ roles: ['observer'] });
    expect(await principalOf('auditor-of-acme')).toMatchObject({ roles: [] });
    const byName = identity({ account: 'project-name' });
    expect(await byName.authenticate(await tokenOf('reader-of-acme'))).toMatchObject({ accountId: 'acme' });
    const stranger = await identity().authenticate(await tokenOf('stranger', 'other'));
    expect(stranger?.accountId).not.toBe(acme);
  }, 60_000);

  it('of a project of the same name in another domain are of another account, or of none where names are accounts', async () => {
    if (!keystone) return;
    const partners = await keystone.domain('partners');
    const theirs = await keystone.project('acme', partners);
    await keystone.grant(await keystone.user('admin-of-acme', password, partners), theirs, 'admin');
    const token = await keystone.token({ user: 'admin-of-acme', project: 'acme', domain: 'partners' }, password);
    const stranger = await identity().authenticate(token);
    const own = await identity().authenticate(await tokenOf('admin-of-acme'));
    expect(stranger).toMatchObject({ name: 'admin-of-acme', domain: 'partners', accountId: theirs });
    expect(own).toMatchObject({ name: 'admin-of-acme', domain: 'Default', accountId: acme });
    expect(stranger?.id).not.toBe(own?.id);
    expect(await identity({ account: 'project-name' }).authenticate(token)).toBeUndefined();
    const ofPartners = identity({ account: 'project-name', accountDomain: 'partners' });
    expect(await ofPartners.authenticate(token)).toMatchObject({ domain: 'partners', accountId: 'acme' });
    expect(await ofPartners.authenticate(await tokenOf('admin-of-acme'))).toBeUndefined();
  }, 60_000);

  it('that are of no project, or of nobody, let nobody in', async () => {
    if (!keystone) return;
    expect(await identity().authenticate(await tokenOf('member-of-acme', null))).toBeUndefined();
    expect(await identity().authenticate('gAAAAABnothing')).toBeUndefined();
    expect(await identity().authenticate(undefined)).toBeUndefined();
  }, 60_000);

  it('that were revoked count no longer than Keystone’s answer is kept', async () => {
    if (!keystone) return;
    const token = await tokenOf('member-of-acme');
    const kept = identity({ cacheMs: 2_000 });
    expect(await kept.authenticate(token)).toBeDefined();
    await keystone.revoke(token);
    expect(await identity().authenticate(token)).toBeUndefined();
    await eventually(async () => expect(await kept.authenticate(token)).toBeUndefined(), { withinMs: 10_000 });
  }, 60_000);

  it('can’t be looked up while Keystone is away: only callers whose answer is still kept are let in, until it is back', async () => {
    if (!keystone) return;
    const [known, unknown] = [await tokenOf('member-of-acme'), await tokenOf('reader-of-acme')];
    const one = identity({ cacheMs: 30_000 });
    expect(await one.authenticate(known)).toBeDefined();
    await keystone.kill();
    expect(await one.authenticate(known)).toBeDefined();
    await expect(one.authenticate(unknown)).rejects.toMatchObject({ code: 'keystone-unavailable' });
    await keystone.restart();
    expect(await one.authenticate(await tokenOf('reader-of-acme'))).toMatchObject({ roles: ['observer'] });
  }, 90_000);

  it('that have expired let nobody in, even when Keystone’s answer would be kept for longer', async () => {
    if (!keystone) return;
    const shortSeconds = Math.ceil(4 * patienceNow({ measured: true }));
    await keystone.restart({ tokenSeconds: shortSeconds });
    const one = identity({ cacheMs: 3_600_000 });
    const token = await tokenOf('member-of-acme');
    expect(await one.authenticate(token)).toBeDefined();
    await eventually(async () => expect(await one.authenticate(token)).toBeUndefined(), {
      withinMs: (shortSeconds + 20) * 1_000,
    });
    await keystone.restart({ tokenSeconds });
  }, 90_000);

  it('are not looked up by a service user whom Keystone does not know', async () => {
    if (!keystone) return;
    const wrong = {
      name: 'strongroom',
      domain: 'Default',
      password: 'wrong',
      project: 'service',
      projectDomain: 'Default',
    };
    await expect(identity({ user: wrong }).authenticate(await tokenOf('member-of-acme'))).rejects.toMatchObject({
      code: 'keystone-refused',
      retryable: false,
    });
  }, 60_000);
});
