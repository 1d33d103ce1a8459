import { describe, expect, it } from '@jest/globals';
import { LookUps } from './look-ups.js';

const never = new AbortController().signal;

/** The names of one server are never answered before `answer`. */
function slow() {
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  const lookup = (host: string) => {
    asked.push(host);
    if (!host.endsWith('.slow.example.com')) return Promise.resolve(['93.184.216.34']);
    return new Promise<string[]>((resolve) => answers.push(() => resolve(['93.184.216.35'])));
  };
  return { asked, lookup, answer: () => answers.shift()?.() };
}

describe('the look-ups of names', () => {
  it('of a tenant whose name server never answers take few turns, and keep neither others nor our own services waiting', async () => {
    const { asked, lookup } = slow();
    const lookUps = new LookUps(lookup, 3);
    for (const name of ['a', 'b', 'c', 'd']) {
      void lookUps.ofTenant(`${name}.slow.example.com`, 'slow', never).catch(() => {});
    }
    expect(await lookUps.ofTenant('db.example.com', 'acme', never)).toEqual(['93.184.216.34']);
    expect(await lookUps.ofService('database', never)).toEqual(['93.184.216.34']);
    await new Promise(setImmediate);
    expect(asked.sort()).toEqual(['a.slow.example.com', 'b.slow.example.com', 'database', 'db.example.com']);
  });

  it('end for who does not wait any more, and keep their turn until the system has given up', async () => {
    const { asked, lookup, answer } = slow();
    const lookUps = new LookUps(lookup, 1);
    const ending = new AbortController();
    const given = ['a', 'b'].map((name) => lookUps.ofTenant(`${name}.slow.example.com`, 'slow', ending.signal));
    ending.abort(new Error('nobody waits'));
    for (const each of given) await expect(each).rejects.toThrow('nobody waits');
    const next = lookUps.ofTenant('db.example.com', 'acme', never);
    await new Promise(setImmediate);
    expect(asked).toEqual(['a.slow.example.com']);
    answer();
    expect(await next).toEqual(['93.184.216.34']);
    expect(asked).toEqual(['a.slow.example.com', 'db.example.com']);
  });

  it('give each address once', async () => {
    const lookUps = new LookUps(async () => ['::1', '127.0.0.1', '::1'], 1);
    expect(await lookUps.ofTenant('localhost', 'acme', never)).toEqual(['::1', '127.0.0.1']);
  });
});
