/**
 * Identity from OpenStack's Keystone. Keystone says whose a token is, and its answer counts for a short time. When Keystone
 * can't be asked, nobody is let in. Only digests of tokens are kept.
 */
import { createHash } from 'node:crypto';
import { accountId, uuid } from '@strongroom/contracts';
import type { Clock } from '@strongroom/runtime';
import { Identity, type Principal } from './identity.js';
import { IdentityFault } from './identity-fault.js';
import {
  KeystoneApi,
  type KeystoneServer,
  type KeystoneToken,
  type OwnToken,
  OwnTokenRefused,
} from './keystone-api.js';
import { RoundRobin } from './round-robin.js';

export interface KeystoneOptions extends KeystoneServer {
  clock: Clock;
  /** Which of the project's two names is the account in our paths. It can't be both: they would be two accounts. */
  account: 'project-id' | 'project-name';
  /** A name is unique in its domain alone: with `project-name`, only projects of this domain have accounts. */
  accountDomain: string;
  /** Our role for each of Keystone's roles. A role that is not here means nothing. */
  roles: ReadonlyMap<string, string>;
  /** How long an answer of Keystone counts, in milliseconds. For this time a revoked token may still be let in. */
  cacheMs: number;
  /**
   * How many right tokens are remembered, and how many wrong ones. They are remembered apart: whoever has no right token can send as
   * many wrong ones as he likes, and pushes out no right one. Default: 10,000 of each.
   */
  mostKept?: number;
}

interface Known {
  principal: Principal | undefined;
  until: number;
}

const usualMostKept = 10_000;
/** So many tokens are looked up in Keystone at a time. More wait, and the addresses that they came from take turns. */
const mostAsking = 16;
const mostWaiting = 1_000;
/** How long a refusal counts. It is short, because a new token may not be known everywhere in Keystone yet. */
const refusedMs = 5_000;
/** Keystone's tokens are shorter than 300 characters. Nothing much longer is sent there. */
const longestToken = 8_192;
const renewBeforeMs = 60_000;

export class KeystoneTokens extends Identity {
  private readonly api: KeystoneApi;
  /** The tokens that are known to be right, in the order of their last use. */
  private readonly known = new Map<string, Known>();
  /** Those that were refused lately. */
  private readonly refused = new Map<string, Known>();
  private readonly turns = new RoundRobin({ atOnce: mostAsking, waiting: mostWaiting });
  private readonly asking = new Map<string, Promise<Principal | undefined>>();
  private own: Promise<OwnToken> | undefined;

  constructor(private readonly options: KeystoneOptions) {
    super();
    this.api = new KeystoneApi(options);
  }

  async authenticate(token: string | undefined, from = ''): Promise<Principal | undefined> {
    if (!isToken(token)) return undefined;
    const key = keyOf(token);
    const known = this.knownOf(key);
    if (known) {
      this.keep(key, known);
      return known.principal;
    }
    const running = this.asking.get(key);
    if (running !== undefined) return running;
    const asking = this.turns.run(from, () => this.ask(key, token), tooMany).finally(() => this.asking.delete(key));
    this.asking.set(key, asking);
    return asking;
  }

  override canJudge(token: string | undefined): boolean {
    return !isToken(token) || this.knownOf(keyOf(token)) !== undefined;
  }

  private knownOf(key: string): Known | undefined {
    const known = this.known.get(key) ?? this.refused.get(key);
    return known && known.until > this.now ? known : undefined;
  }

  private get now(): number {
    return this.options.clock.now().getTime();
  }

  private async ask(key: string, token: string): Promise<Principal | undefined> {
    const described = await this.describe(token);
    const isOver = described !== undefined && described.expiresAt.getTime() <= this.now;
    const principal = described && !isOver ? this.principalOf(described) : undefined;
    const until = this.now + (principal ? this.options.cacheMs : Math.min(refusedMs, this.options.cacheMs));
    this.keep(key, { principal, until: Math.min(until, described?.expiresAt.getTime() ?? until) });
    return principal;
  }

  /** When Keystone has revoked or forgotten our own token, this asks once more with a new one. */
  private async describe(token: string): Promise<KeystoneToken | undefined> {
    try {
      return await this.api.describe(token, await this.ownToken());
    } catch (error) {
      if (!(error instanceof OwnTokenRefused)) throw error;
      this.own = undefined;
    }
    try {
      return await this.api.describe(token, await this.ownToken());
    } catch (error) {
      if (!(error instanceof OwnTokenRefused)) throw error;
      throw new IdentityFault('keystone-refused', 'Keystone refuses the token that it has just given to Strongroom.');
    }
  }

  private async ownToken(): Promise<string> {
    const own = await this.own?.catch(() => undefined);
    if (own && own.expiresAt.getTime() - renewBeforeMs > this.now) return own.token;
    const renewed = this.api.ownToken();
    this.own = renewed;
    return (await renewed).token;
  }

  private principalOf({ user, project, roles }: KeystoneToken): Principal | undefined {
    const byName = this.options.account === 'project-name';
    if (byName && project.domain?.name !== this.options.accountDomain) return undefined;
    const account = accountId.safeParse(byName ? project.name : project.id);
    if (!account.success) return undefined;
    return {
      name: user.name.slice(0, 128) || 'nameless',
      accountId: account.data,
      id: user.id,
      ...(user.domain && { domain: user.domain.name }),
      ...this.reachOf(roles),
    };
  }

  /**
   * Our roles for Keystone's. A role like `member@<instance>` counts for that instance alone. A token that has no other role reaches only
   * those instances, with the roles that it has for each of them: whoever hands on a part of its roles hands on no more than it has.
   */
  private reachOf(theirs: readonly string[]): Pick<Principal, 'roles' | 'instances'> {
    const ours = theirs.flatMap((name) => {
      const [, role = name, instance] = /^([^@]+)@([^@]*)$/.exec(name) ?? [];
      const means = this.options.roles.get(role.toLowerCase());
      const id = instance === undefined ? undefined : uuid.safeParse(instance.toLowerCase()).data;
      return means === undefined || (instance !== undefined && id === undefined) ? [] : [{ role: means, instance: id }];
    });
    const ofAll = ours.filter(({ instance }) => instance === undefined);
    if (ofAll.length > 0 || ours.length === 0) return { roles: [...new Set(ofAll.map(({ role }) => role))] };
    const instances = [...new Set(ours.flatMap(({ instance }) => instance ?? []))];
    const isForEach = (role: string) =>
      instances.every((id) => ours.some((each) => each.role === role && each.instance === id));
    return { roles: [...new Set(ours.map(({ role }) => role))].filter(isForEach), instances };
  }

  private keep(key: string, known: Known): void {
    const among = known.principal ? this.known : this.refused;
    const most = this.options.mostKept ?? usualMostKept;
    this.known.delete(key);
    this.refused.delete(key);
    among.set(key, known);
    for (const oldest of among.keys()) {
      if (among.size <= most) return;
      among.delete(oldest);
    }
  }
}

function tooMany(): IdentityFault {
  return new IdentityFault('keystone-unavailable', `${mostWaiting} tokens wait to be looked up in Keystone.`);
}

function isToken(token: string | undefined): token is string {
  return token !== undefined && token.length <= longestToken && /^[\x21-\x7e]+$/.test(token);
}

function keyOf(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
