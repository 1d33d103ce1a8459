import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GuestUsers } from './guest-users.js';

let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'strongroom-users-')), '.users');
});
afterEach(() => rmSync(dirname(folder), { recursive: true, force: true }));

const range = { first: 700_000, last: 700_002 };
const uidsOf = (users: GuestUsers, ...servers: string[]) => servers.map((server) => users.claim(server).uid);

describe('the users of built servers', () => {
  it('are one for each server, and the same at each start', () => {
    expect(uidsOf(new GuestUsers(folder, range), 'a', 'b', 'a')).toEqual([700_000, 700_001, 700_000]);
    expect(uidsOf(new GuestUsers(folder, range), 'b', 'c')).toEqual([700_001, 700_002]);
  });

  it('are never shared: where none is free, a server gets none', () => {
    const users = new GuestUsers(folder, range);
    uidsOf(users, 'a', 'b', 'c');
    expect(() => users.claim('d')).toThrow('from 700000 to 700002 has a server already');
    users.release('b');
    expect(users.of('b')).toBeUndefined();
    expect(uidsOf(users, 'd', 'a')).toEqual([700_001, 700_000]);
  });

  it('are passed on as they are, and each claim can be seen', () => {
    const users = new GuestUsers(folder, range);
    uidsOf(users, 'a.1', 'b');
    users.pass('a.1', 'a');
    users.pass('nobody', 'c');
    expect(users.claims().map(({ server, user }) => [server, user.uid])).toEqual([
      ['a', 700_000],
      ['b', 700_001],
    ]);
    expect(users.of('a.1')).toBeUndefined();
  });

  it('stay with their servers when the operator names another range', () => {
    uidsOf(new GuestUsers(folder, range), 'a');
    const users = new GuestUsers(folder, { first: 800_000, last: 800_001 });
    expect(uidsOf(users, 'a', 'b')).toEqual([700_000, 800_000]);
  });
});
