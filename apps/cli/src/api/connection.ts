/**
 * Finds the service that a command asks, the account and the token: first from the options, then from the environment, then from a profile, and
 * at last from the local stack. The keychain is asked only where the token of a profile is wanted that is there. A token is sent to the service that
 * it was given for, and to no other.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { accountId as accountForm } from '@strongroom/contracts';
import { isLoopbackHost } from '@strongroom/runtime/light';
import { z } from 'zod';
import { CredentialFault, UsageFault } from '../command-fault.js';
import { type Config, configPath, type Profile, readConfig } from './config-file.js';
import { secretIn } from './given-file.js';
import { Keychain } from './keychain.js';

export interface ConnectionOptions {
  profile?: string;
  url?: string;
  account?: string;
  tokenFile?: string;
  allowHttp?: boolean;
}

export interface Connection {
  url: string;
  account: string;
  token: string;
  /** The profile that any of it comes from. */
  profile: string | undefined;
}

/** Where a profile or the local stack says that the service is. */
type Place = Profile & { name?: string };

const stackFile = '.strongroom/stack.json';
const stack = z.object({ api: z.url(), accountId: accountForm, tokens: z.object({ admin: z.string() }) });

/** @throws {UsageFault | CredentialFault} saying what lacks, and which command gives it */
export async function connectionOf(
  options: ConnectionOptions,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Connection> {
  const wanted = {
    url: options.url ?? given(env.STRONGROOM_URL),
    account: options.account ?? given(env.STRONGROOM_ACCOUNT),
    token: await tokenIn(options, env),
  };
  const named = options.profile ?? given(env.STRONGROOM_PROFILE);
  const isWhole = wanted.url !== undefined && wanted.account !== undefined && wanted.token !== undefined;
  const place = isWhole && named === undefined ? undefined : await placeOf(named, env);
  const url = wanted.url ?? place?.url;
  if (url === undefined)
    throw new UsageFault('No service is known.', 'Run: strongroom login --url URL --account ACCOUNT');
  mustBeSafe(url, options.allowHttp === true || (place?.url === url && place.allowsHttp === true));
  const account = wanted.account ?? place?.account;
  if (account === undefined) throw new UsageFault(`No account of ${url} is known.`, 'Give it: --account ACCOUNT');
  const token = wanted.token ?? (place !== undefined && isSame(place.url, url) ? await tokenOf(place, env) : undefined);
  if (token === undefined) {
    const because = place === undefined ? '' : ` The token of ${place.url} is sent nowhere else.`;
    throw new CredentialFault(
      `There is no token for ${url}.${because}`,
      `Run: strongroom login --profile NAME --url ${url} --account ${account}`,
    );
  }
  return { url, account, token, profile: place?.name };
}

/**
 * The token of the option, else of the environment; undefined when neither has one.
 * @throws {UsageFault} when the file has none
 * @throws {CredentialFault} when it can be no token
 */
export async function tokenIn(
  { tokenFile }: Pick<ConnectionOptions, 'tokenFile'>,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const token = tokenFile === undefined ? given(env.STRONGROOM_TOKEN) : await secretIn(tokenFile, 'token');
  return token === undefined ? undefined : sendable(token);
}

async function tokenOf(place: Place, env: NodeJS.ProcessEnv): Promise<string> {
  if ('token' in place) return place.token;
  const { keychain: id, name = '' } = place;
  return sendable(await new Keychain(env).tokenOf({ id, profile: name }));
}

/** @throws {CredentialFault} when no header can carry the token */
export function sendable(token: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new CredentialFault(
    'What was given as the token is none: it has a space, or a character that no token has.',
    'Give a file that has the token as its one line: --token-file FILE',
  );
}

/** @throws {UsageFault} for what is no address of a service, or one to which a token would go in clear */
export function mustBeSafe(url: string, allowsHttp: boolean): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !['http:', 'https:'].includes(parsed.protocol) || parsed.search || parsed.hash)
    throw new UsageFault(`${url} is no address of a service.`, 'Give one such as https://backups.example.com.');
  if (parsed.username !== '' || parsed.password !== '')
    throw new UsageFault(
      `${parsed.host}: the address of a service has no user and no password in it.`,
      'Give it without them, and the token by --token-file.',
    );
  if (parsed.protocol === 'http:' && !isLoopbackHost(parsed.hostname) && !allowsHttp)
    throw new UsageFault(
      `The token would go to ${parsed.host} in clear.`,
      'Use https, or write --allow-http where the network is safe.',
    );
}

function given(text: string | undefined): string | undefined {
  const value = text?.trim();
  return value === '' ? undefined : value;
}

function isSame(one: string, other: string): boolean {
  return new URL(one).href.replace(/\/$/, '') === new URL(other).href.replace(/\/$/, '');
}

async function placeOf(named: string | undefined, env: NodeJS.ProcessEnv): Promise<Place | undefined> {
  const path = configPath(env);
  const config = await readConfig(path);
  const name = named ?? config.current;
  if (name !== undefined) return { ...profileIn(config, name), name };
  return existsSync(stackFile) ? ofStack() : undefined;
}

/** @throws {UsageFault} which names those that there are */
export function profileIn({ profiles }: Config, name: string): Profile {
  const found = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (found) return found;
  const names = Object.keys(profiles);
  const there = names.length > 0 ? `There are ${names.join(', ')}.` : 'There are none.';
  throw new UsageFault(
    `There is no profile ${name}. ${there}`,
    `Run: strongroom login --profile ${name} --url URL --account ACCOUNT`,
  );
}

async function ofStack(): Promise<Place | undefined> {
  try {
    const { api, accountId, tokens } = stack.parse(JSON.parse(await readFile(stackFile, 'utf8')));
    return { url: api, account: accountId, token: tokens.admin };
  } catch (cause) {
    throw new UsageFault(
      `${stackFile} does not tell where the service is.`,
      'Run: strongroom login --url URL --account ACCOUNT',
      { cause },
    );
  }
}
