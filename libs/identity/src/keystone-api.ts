/**
 * The two calls of Keystone's Identity API v3 that are needed: one gets a token for this service, the other describes the
 * token of a caller. Source: OpenStack Identity API v3, "Authentication and token management".
 */
import { whyNotFetched } from '@strongroom/contracts';
import { z } from 'zod';
import { IdentityFault } from './identity-fault.js';

export interface KeystoneUser {
  name: string;
  domain: string;
  password: string;
  project: string;
  projectDomain: string;
}

export interface KeystoneServer {
  /** The address of Keystone without `/v3`. */
  url: URL;
  user: KeystoneUser;
  /** How long Keystone may take to answer, in milliseconds. */
  timeoutMs: number;
}

/** A user or a project. Keystone tells its domain, in which alone its name is unique. */
interface InDomain {
  id: string;
  name: string;
  domain?: { name: string } | undefined;
}

/** What Keystone says of a token that is scoped to a project. */
export interface KeystoneToken {
  user: InDomain;
  project: InDomain;
  roles: string[];
  expiresAt: Date;
}

export interface OwnToken {
  token: string;
  expiresAt: Date;
}

/** Keystone did not accept this service's own token. */
export class OwnTokenRefused extends Error {}

const mostBytes = 1_048_576;
const named = z.object({ id: z.string(), name: z.string() });
const inDomain = named.extend({ domain: z.object({ name: z.string() }).optional() });
const described = z.object({
  token: z.object({
    user: inDomain,
    project: inDomain.optional(),
    roles: z.array(named).optional(),
    expires_at: z.iso.datetime({ offset: true }),
  }),
});
const issued = z.object({ token: z.object({ expires_at: z.iso.datetime({ offset: true }) }) });

export class KeystoneApi {
  private readonly tokens: URL;

  constructor(private readonly server: KeystoneServer) {
    this.tokens = new URL(`${server.url.href.replace(/\/+$/, '')}/v3/auth/tokens`);
  }

  /** @throws {IdentityFault} */
  async ownToken(): Promise<OwnToken> {
    const { name, domain, password, project, projectDomain } = this.server.user;
    const auth = {
      identity: { methods: ['password'], password: { user: { name, domain: { name: domain }, password } } },
      scope: { project: { name: project, domain: { name: projectDomain } } },
    };
    const answer = await this.call({ method: 'POST', body: JSON.stringify({ auth }) });
    const token = answer.headers.get('x-subject-token');
    if (answer.status === 401) {
      throw new IdentityFault(
        'keystone-refused',
        `Keystone does not let Strongroom in as ${name}: see its user and password.`,
      );
    }
    if (answer.status !== 201 || !token) throw unexpected(answer.status);
    return { token, expiresAt: new Date(parsed(issued, answer.body).token.expires_at) };
  }

  /**
   * @returns undefined when the token belongs to nobody, has expired, was revoked, or is of no project
   * @throws {OwnTokenRefused | IdentityFault}
   */
  async describe(token: string, own: string): Promise<KeystoneToken | undefined> {
    const answer = await this.call({ method: 'GET', headers: { 'x-auth-token': own, 'x-subject-token': token } });
    if (answer.status === 404) return undefined;
    if (answer.status === 401) throw new OwnTokenRefused();
    if (answer.status !== 200) throw unexpected(answer.status);
    const { user, project, roles = [], expires_at } = parsed(described, answer.body).token;
    if (!project) return undefined;
    return { user, project, roles: roles.map(({ name }) => name), expiresAt: new Date(expires_at) };
  }

  private async call(init: RequestInit): Promise<{ status: number; headers: Headers; body: string }> {
    try {
      const response = await fetch(this.tokens, {
        ...init,
        headers: { accept: 'application/json', 'content-type': 'application/json', ...init.headers },
        redirect: 'error',
        signal: AbortSignal.timeout(this.server.timeoutMs),
      });
      return { status: response.status, headers: response.headers, body: await textOf(response) };
    } catch (cause) {
      if (cause instanceof IdentityFault) throw cause;
      const why = whyNotFetched(cause);
      throw new IdentityFault('keystone-unavailable', `Keystone at ${this.tokens.host} does not answer: ${why}.`, {
        cause,
      });
    }
  }
}

async function textOf(response: Response): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new IdentityFault('keystone-unavailable', 'What Keystone answers has no end.');
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed<T extends z.ZodType>(schema: T, body: string): z.output<T> {
  try {
    return schema.parse(JSON.parse(body));
  } catch (cause) {
    throw new IdentityFault(
      'keystone-unavailable',
      'Something other than Keystone answers: the answer has another form.',
      {
        cause,
      },
    );
  }
}

function unexpected(status: number): IdentityFault {
  return new IdentityFault('keystone-unavailable', `Keystone answered ${status}.`);
}
