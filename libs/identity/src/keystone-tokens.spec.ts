import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FixedClock } from '@strongroom/runtime/light';
import { eventually } from '../../../test/services/eventually.js';
import { type KeystoneOptions, KeystoneTokens } from './keystone-tokens.js';

const start = new Date('2026-11-24T00:00:00.000Z');
const later = (seconds: number) => new Date(start.getTime() + seconds * 1_000).toISOString();
const described = (more: object = {}) => ({
  token: {
    user: { id: 'u', name: 'jane', domain: { id: 'd', name: 'Default' } },
    project: { id: 'p1', name: 'acme', domain: { id: 'd', name: 'Default' } },
    roles: [{ id: 'r', name: 'Member' }],
    expires_at: later(3_600),
    ...more,
  },
});

describe('what Keystone answers', () => {
  let server: Server;
  let clock: FixedClock;
  /** Answers a look-up. */
  let lookUp: (request: IncomingMessage, response: ServerResponse) => void;
  let lookUps: number;
  let logIns: number;

  beforeEach(async () => {
    [lookUps, logIns] = [0, 0];
    clock = new FixedClock(start);
    lookUp = (_, response) => response.end(JSON.stringify(described()));
    server = createServer((request, response) => {
      if (request.method === 'POST') {
        logIns += 1;
        response.writeHead(201, { 'x-subject-token': `own-${logIns}` });
        response.end(JSON.stringify({ token: { expires_at: later(600) } }));
      } else {
        lookUps += 1;
        lookUp(request, response);
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const identity = (more: Partial<KeystoneOptions> = {}) =>
    new KeystoneTokens({
      url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/identity/`),
      user: { name: 's', domain: 'D', password: 'p', project: 'service', projectDomain: 'D' },
      timeoutMs: 60_000,
      clock,
      account: 'project-id',
      accountDomain: 'Default',
      roles: new Map([['member', 'creator']]),
      cacheMs: 60_000,
      ...more,
    });

  it('is asked for once when a token comes often or many times at once, and again when its time is over', async () => {
    const one = identity();
    const all = await Promise.all(Array.from({ length: 10 }, () => one.authenticate('token')));
    expect(new Set(all.map((each) => JSON.stringify(each))).size).toBe(1);
    expect(all[0]).toEqual({ name: 'jane', id: 'u', domain: 'Default', accountId: 'p1', roles: ['creator'] });
    expect([lookUps, logIns]).toEqual([1, 1]);
    clock.advance(61_000);
    await one.authenticate('token');
    expect([lookUps, logIns]).toEqual([2, 1]);
  });

  it('is asked for at /v3/auth/tokens below its address, with our token and the caller’s', async () => {
    const seen: unknown[] = [];
    lookUp = ({ url, headers }, response) => {
      seen.push([url, headers['x-auth-token'], headers['x-subject-token']]);
      response.end(JSON.stringify(described()));
    };
    await identity().authenticate('the-token');
    expect(seen).toEqual([['/identity/v3/auth/tokens', 'own-1', 'the-token']]);
  });

  it.each([
    ['there is no such token', 404, {}],
    ['it is of no project', 200, described({ project: undefined })],
    ['it has expired', 200, described({ expires_at: later(-1) })],
    ['its project cannot be an account', 200, described({ project: { id: 'not/one', name: 'x' } })],
  ])('lets nobody in when %s, and is soon asked for again', async (_, status, body) => {
    lookUp = (__, response) => response.writeHead(status).end(JSON.stringify(body));
    const one = identity();
    expect(await one.authenticate('token')).toBeUndefined();
    expect(await one.authenticate('token')).toBeUndefined();
    clock.advance(6_000);
    await one.authenticate('token');
    expect(lookUps).toBeLessThanOrEqual(3);
    expect(lookUps).toBeGreaterThanOrEqual(2);
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ['it fails', (response) => response.writeHead(500).end()],
    ['it says that it is busy', (response) => response.writeHead(503).end()],
    ['it says nothing', () => {}],
    ['it hangs up', (response) => response.destroy()],
    ['it is no JSON', (response) => response.end('<html>')],
    ['it is of another form', (response) => response.end('{"token": {"user": 5}}')],
    ['it has no end', (response) => void response.write('x'.repeat(2_000_000))],
    ['it sends us elsewhere', (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
  ])('is a fault and no principal when %s', async (_, answer) => {
    lookUp = (__, response) => answer(response);
    await expect(identity({ timeoutMs: 1_000 }).authenticate('token')).rejects.toMatchObject({
      name: 'IdentityFault',
      retryable: true,
    });
  });

  it('is asked for once more, with a new token of ours, when ours is refused', async () => {
    lookUp = ({ headers }, response) => {
      if (headers['x-auth-token'] === 'own-1') response.writeHead(401).end();
      else response.end(JSON.stringify(described()));
    };
    expect(await identity().authenticate('token')).toBeDefined();
    expect([lookUps, logIns]).toEqual([2, 2]);
    lookUp = (_, response) => response.writeHead(401).end();
    await expect(identity().authenticate('token')).rejects.toMatchObject({ code: 'keystone-refused' });
  });

  it('is asked for with a new token of ours before the old one expires', async () => {
    const one = identity();
    await one.authenticate('a');
    clock.advance(545_000);
    await one.authenticate('b');
    expect(logIns).toBe(2);
  });

  describe('for accounts by name', () => {
    const byName = (token: object, accountDomain = 'Default') => {
      lookUp = (_, response) => response.end(JSON.stringify(described(token)));
      return identity({ account: 'project-name', accountDomain }).authenticate('token');
    };
    const acmeOf = (domain?: string) => ({
      project: {
        id: 'p9',
        name: 'acme',
        ...(domain !== undefined && { domain: { id: `id of ${domain}`, name: domain } }),
      },
    });

    it('gives the account to the project of the chosen domain alone, since a name is unique there alone', async () => {
      expect(await byName(acmeOf('Default'))).toMatchObject({ accountId: 'acme' });
      expect(await byName(acmeOf('customers'), 'customers')).toMatchObject({ accountId: 'acme' });
      for (const domain of ['evil', 'default', 'DEFAULT', 'Default ', '', undefined]) {
        expect(await byName(acmeOf(domain))).toBeUndefined();
      }
      expect(await byName(acmeOf('Default'), 'customers')).toBeUndefined();
    });

    it('tells two users of one name in two domains apart', async () => {
      const user = (id: string, domain: string) => ({
        user: { id, name: 'jane', domain: { id: domain, name: domain } },
      });
      const [one, other] = [await byName(user('u1', 'Default')), await byName(user('u2', 'partners'))];
      expect([one, other]).toMatchObject([
        { name: 'jane', id: 'u1', domain: 'Default' },
        { name: 'jane', id: 'u2', domain: 'partners' },
      ]);
    });
  });

  describe('as roles for an instance', () => {
    const [a, b] = ['44b277eb-39be-4921-be31-3d61b43651d7', '5aa277eb-39be-4921-be31-3d61b43651d7'];
    const roles = new Map([
      ['member', 'creator'],
      ['admin', 'admin'],
    ]);
    const reachOf = async (...names: string[]) => {
      const token = { roles: names.map((name) => ({ id: name, name })) };
      lookUp = (_, response) => response.end(JSON.stringify(described(token)));
      const principal = await identity({ roles }).authenticate('token');
      return [principal?.roles, principal?.instances];
    };

    it('lets the token reach those instances alone', async () => {
      expect(await reachOf(`member@${a}`)).toEqual([['creator'], [a]]);
      expect(await reachOf(`Member@${a.toUpperCase()}`, `member@${b}`, 'nothing')).toEqual([['creator'], [a, b]]);
    });

    it('gives no role that the token has for some of its instances only', async () => {
      expect(await reachOf(`member@${a}`, `member@${b}`, `admin@${b}`)).toEqual([['creator'], [a, b]]);
      expect(await reachOf(`member@${a}`, `admin@${b}`)).toEqual([[], [a, b]]);
    });

    it('gives nothing of the account for a role that is written wrongly', async () => {
      for (const wrong of ['member@', '@', `@${a}`, 'member@orders', `member@${a}@${b}`, `member@${a}x`]) {
        expect(await reachOf(wrong)).toEqual([[], undefined]);
      }
      expect(await reachOf('member', `admin@${a}`)).toEqual([['creator'], undefined]);
    });
  });

  it('is not asked for when the text cannot be a token', async () => {
    for (const token of [undefined, '', 'a b', 'a\nb', 'ä', 'x'.repeat(9_000)]) {
      expect(await identity().authenticate(token)).toBeUndefined();
    }
    expect(lookUps).toBe(0);
  });

  it('is asked for sixteen tokens at a time, and for each of the others when it is their turn', async () => {
    let most = 0;
    let answered = 0;
    const held: ServerResponse[] = [];
    lookUp = (_, response) => {
      held.push(response);
      most = Math.max(most, held.length);
    };
    const one = identity();
    const all = Promise.all(Array.from({ length: 50 }, (_, n) => one.authenticate(`t${n}`)));
    await eventually(() => expect(held.length).toBeGreaterThanOrEqual(16), { withinMs: 30_000 });
    // What was sent before these has come by then.
    const { port } = server.address() as AddressInfo;
    for (let turn = 0; turn < 20; turn += 1) await fetch(`http://127.0.0.1:${port}/`, { method: 'POST' });
    expect(held.length).toBe(16);
    for (; answered < 50; ) {
      const response = held.shift();
      if (!response) await new Promise((resolve) => setImmediate(resolve));
      else {
        answered += 1;
        response.end(JSON.stringify(described()));
      }
    }
    expect(new Set((await all).map((each) => each?.name))).toEqual(new Set(['jane']));
    expect(most).toBe(16);
  }, 60_000);

  it('is waited for by a thousand tokens and no more: the next one is told so at once', async () => {
    lookUp = () => {};
    const one = identity();
    const waiting = Array.from({ length: 1_016 }, (_, n) => one.authenticate(`t${n}`).catch(() => undefined));
    await expect(one.authenticate('one-more')).rejects.toMatchObject({ name: 'IdentityFault', retryable: true });
    server.close();
    server.closeAllConnections();
    await Promise.all(waiting);
  }, 60_000);

  it('is asked for the token of an address in its turn, however many tokens another address has sent', async () => {
    const held: ServerResponse[] = [];
    lookUp = (_, response) => void held.push(response);
    const one = identity();
    const flood = Array.from({ length: 1_500 }, (_, n) =>
      one.authenticate(`t${n}`, 'flood').then(
        () => 'asked',
        (error: { code: string }) => error.code,
      ),
    );
    let answered = 0;
    const other = one.authenticate('right', 'other').then((principal) => ({ principal, after: answered }));
    let isOver = false;
    void Promise.all([...flood, other]).then(() => {
      isOver = true;
    });
    while (!isOver) {
      for (const response of held.splice(0)) {
        answered += 1;
        response.end(JSON.stringify(described()));
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { principal, after } = await other;
    expect(principal).toMatchObject({ name: 'jane' });
    expect(after).toBeLessThan(100);
    const outcomes = await Promise.all(flood);
    expect(outcomes.filter((each) => each === 'keystone-unavailable')).toHaveLength(1_500 - 1_016 + 1);
  }, 60_000);

  it('knows a right token still, however many wrong ones came after it', async () => {
    const one = identity({ mostKept: 20 });
    await one.authenticate('right');
    lookUp = (_, response) => response.writeHead(404).end();
    for (let n = 0; n < 100; n += 1) await one.authenticate(`wrong${n}`);
    expect([one.canJudge('right'), one.canJudge('never-seen'), one.canJudge(undefined)]).toEqual([true, false, true]);
    const asked = lookUps;
    expect(await one.authenticate('right')).toMatchObject({ name: 'jane' });
    await one.authenticate('wrong99');
    expect(lookUps).toBe(asked);
    await one.authenticate('wrong0');
    expect(lookUps).toBe(asked + 1);
  });

  it('is kept for ten thousand tokens and no more, those used last', async () => {
    // On a busy machine the last of fifty requests at once has to wait.
    const one = identity();
    for (let n = 0; n < 10_050; n += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, k) => one.authenticate(`t${n + k}`)));
    }
    const asked = lookUps;
    await one.authenticate('t10049');
    expect(lookUps).toBe(asked);
    await one.authenticate('t0');
    expect(lookUps).toBe(asked + 1);
  }, 60_000);
});
