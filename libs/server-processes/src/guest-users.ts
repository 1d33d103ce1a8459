/**
 * Users of the operating system for servers whose data are a stranger's, one for each server. They are numbers of a range that the
 * operator has set aside. No two servers of a folder have the same one. A claim is a link with the name of the server as its target, so it is made whole or not at
 * all. Only root can give a process another user.
 */
import { mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ServiceFault } from './service-fault.js';
import type { SystemUser } from './unprivileged.js';

export interface UserRange {
  first: number;
  last: number;
}

export interface UserClaim {
  server: string;
  user: SystemUser;
}

export class GuestUsers {
  /** @param folder where the claims are kept; only this process's user may write into it */
  constructor(
    private readonly folder: string,
    private readonly range: UserRange,
  ) {}

  /** The user of the server; undefined when it has none. */
  of(server: string): SystemUser | undefined {
    const uid = this.claimed().find((each) => this.holderOf(each) === server);
    return uid === undefined ? undefined : userOf(uid);
  }

  /** Every claim, in the order of the user ids. */
  claims(): UserClaim[] {
    return this.claimed()
      .sort((a, b) => a - b)
      .flatMap((uid) => {
        const server = this.holderOf(uid);
        return server === undefined ? [] : [{ server, user: userOf(uid) }];
      });
  }

  /** Gives the user of one server to another, which gives up the one that it has. Nothing happens when there is none to give. */
  pass(from: string, to: string): void {
    const user = this.of(from);
    if (!user) return;
    this.release(to);
    const fresh = join(this.folder, `.${user.uid}`);
    rmSync(fresh, { force: true });
    symlinkSync(to, fresh);
    renameSync(fresh, this.at(user.uid));
  }

  /** Those of some user ids that servers have. */
  among(uids: readonly number[]): SystemUser[] {
    const claimed = new Set(this.claimed());
    return [...new Set(uids)].filter((uid) => claimed.has(uid)).map(userOf);
  }

  /** @throws {ServiceFault} `no-place` when every user of the range has a server */
  claim(server: string): SystemUser {
    const before = this.of(server);
    if (before) return before;
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const taken = new Set(this.claimed());
    for (let uid = this.range.first; uid <= this.range.last; uid += 1) {
      if (!taken.has(uid) && this.take(uid, server)) return userOf(uid);
    }
    throw new ServiceFault(
      'no-place',
      `Each user from ${this.range.first} to ${this.range.last} has a server already.`,
    );
  }

  /** Nothing of the server may run or lie anywhere when this is called: its user may be another's at once. */
  release(server: string): void {
    for (const uid of this.claimed()) if (this.holderOf(uid) === server) rmSync(this.at(uid), { force: true });
  }

  private take(uid: number, server: string): boolean {
    try {
      symlinkSync(server, this.at(uid));
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
      throw error;
    }
  }

  /** Claims of an earlier range count too: a server keeps its user. */
  private claimed(): number[] {
    try {
      return readdirSync(this.folder).map(Number).filter(Number.isSafeInteger);
    } catch {
      return [];
    }
  }

  private holderOf(uid: number): string | undefined {
    try {
      return readlinkSync(this.at(uid));
    } catch {
      return undefined;
    }
  }

  private at(uid: number): string {
    return join(this.folder, String(uid));
  }
}

function userOf(uid: number): SystemUser {
  return { name: `the user ${uid}`, uid, gid: uid };
}
