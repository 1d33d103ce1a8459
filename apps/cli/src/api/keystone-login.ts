/** A token of Keystone for a user and a password, as the Identity API v3 gives it. The password goes to the address of Keystone alone. */
import { messageOf, whyNotFetched } from '@strongroom/contracts';
import { isLoopbackHost } from '@strongroom/runtime/light';
import { z } from 'zod';
import { CredentialFault, UsageFault } from '../command-fault.js';
import { secretIn } from './given-file.js';
import { isAtTerminal, lineTyped } from './prompt.js';

export interface KeystoneOptions {
  authUrl?: string;
  username?: string;
  userDomain: string;
  project?: string;
  projectDomain?: string;
  passwordFile?: string;
  allowHttp?: boolean;
  input: boolean;
}

export interface KeystoneToken {
  token: string;
  /** When it ends, in RFC 3339. */
  expiresAt: string;
  /** The project of the token. */
  project: { id: string; name: string };
}

const otherAddress = 'Give its address by --auth-url, such as https://keystone.example.com/v3.';
const patienceMs = 30_000;
const answer = z.object({
  token: z.object({
    expires_at: z.string().min(1),
    project: z.object({ id: z.string().min(1), name: z.string().min(1) }),
  }),
});

/** @throws {UsageFault | CredentialFault} saying what lacks, or why Keystone gives none */
export async function keystoneToken(options: KeystoneOptions, env = process.env): Promise<KeystoneToken> {
  const { username, userDomain, project, projectDomain = userDomain } = options;
  if (username === undefined || project === undefined)
    throw new UsageFault('Keystone needs to know who signs in, and to what.', 'Say it: --username NAME --project NAME');
  const url = tokensUrl(options);
  const password = await passwordOf(options, username, env);
  const auth = {
    identity: {
      methods: ['password'],
      password: { user: { name: username, domain: { name: userDomain }, password } },
    },
    scope: { project: { name: project, domain: { name: projectDomain } } },
  };
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ auth }),
      // A redirect would take the password along.
      redirect: 'manual',
      signal: AbortSignal.timeout(patienceMs),
    });
  } catch (error) {
    throw new CredentialFault(`Keystone at ${url.origin} does not answer: ${whyNotFetched(error)}.`, otherAddress, {
      cause: error,
    });
  }
  return tokenIn(response, url, username);
}

async function tokenIn(response: Response, { origin }: URL, username: string): Promise<KeystoneToken> {
  const token = response.headers.get('x-subject-token');
  if (response.status === 401)
    throw new CredentialFault(
      `Keystone does not let ${username} in: the password, the user, the project or one of the domains is another one.`,
      'Sign in again: strongroom login',
    );
  if (response.status !== 201 || token === null)
    throw new CredentialFault(
      `What is at ${origin} answers ${response.status}, and not as Keystone does.`,
      otherAddress,
    );
  try {
    const { expires_at: expiresAt, project } = answer.parse(await response.json()).token;
    return { token, expiresAt, project };
  } catch (cause) {
    throw new CredentialFault(`What is at ${origin} answers not as Keystone does: ${messageOf(cause)}`, otherAddress, {
      cause,
    });
  }
}

/** Where tokens are given. The address may end with the version, as that of OpenStack's own client does. */
function tokensUrl({ authUrl = '', allowHttp = false }: KeystoneOptions): URL {
  const base = URL.canParse(authUrl) ? new URL(authUrl) : undefined;
  if (!base || !/^https?:$/.test(base.protocol) || base.username !== '' || base.password !== '')
    throw new UsageFault(`${authUrl} is no address of Keystone.`, 'Give one such as https://keystone.example.com/v3.');
  if (base.protocol === 'http:' && !isLoopbackHost(base.hostname) && !allowHttp)
    throw new UsageFault(
      `The password would go to ${base.host} in clear.`,
      'Use https, or write --allow-http where the network is safe.',
    );
  base.pathname = `${base.pathname.replace(/\/+$/, '').replace(/\/v3$/, '')}/v3/auth/tokens`;
  return base;
}

async function passwordOf(options: KeystoneOptions, username: string, env: NodeJS.ProcessEnv): Promise<string> {
  if (options.passwordFile !== undefined) return secretIn(options.passwordFile, 'password');
  if (env.OS_PASSWORD) return env.OS_PASSWORD;
  if (!options.input || !isAtTerminal())
    throw new UsageFault(
      'There is no password, and nobody can be asked here.',
      'Give it by --password-file or OS_PASSWORD.',
    );
  return lineTyped(`Password of ${username}: `, { hidden: true });
}
