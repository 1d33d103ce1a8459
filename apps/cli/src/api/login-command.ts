/** `strongroom login`: tries a token, and keeps it in a profile. A token is never an option's value: others could read it in the list of processes. */
import { randomUUID } from 'node:crypto';
import { Client } from '@strongroom/client';
import { accountId as accountForm, getRegions } from '@strongroom/contracts';
import type { Command } from 'commander';
import { UsageFault } from '../command-fault.js';
import { note, sayJson } from '../output.js';
import { type Config, configPath, type Profile, profileName, readConfig, writeConfig } from './config-file.js';
import { type ConnectionOptions, mustBeSafe, sendable, tokenIn } from './connection.js';
import { Keychain } from './keychain.js';
import { type KeystoneOptions, keystoneToken } from './keystone-login.js';
import { shownOf } from './profile-command.js';
import { isAtTerminal, lineTyped } from './prompt.js';
import { asking } from './session.js';

type LoginOptions = ConnectionOptions & KeystoneOptions & { keychain?: boolean; json?: boolean };

const usualProfile = 'default';

export function addLogin(program: Command): void {
  program
    .command('login')
    .description(
      'Sign in to a service: try a token and keep it in a profile, which only you can read. The token comes from --token-file, from STRONGROOM_TOKEN, or is typed and not shown; or Keystone gives it for a user and a password, with --auth-url. With --keychain, the keychain of the system keeps it.',
    )
    .option(
      '--profile <name>',
      'the profile to write. Without it: STRONGROOM_PROFILE, else the current one, else default',
    )
    .option('--url <url>', 'where the service is. Without it: STRONGROOM_URL, else that of the profile')
    .option(
      '--account <id>',
      'the account. Without it: STRONGROOM_ACCOUNT, else that of the profile. With --auth-url: the id of the project',
    )
    .option('--token-file <path>', 'a file with the token, or - for the standard input')
    .option('--auth-url <url>', 'have Keystone at this address give the token, such as https://keystone.example.com/v3')
    .option('--username <name>', 'who signs in to Keystone')
    .option('--user-domain <name>', 'the domain of the user', 'Default')
    .option('--project <name>', 'the project that the token is for')
    .option('--project-domain <name>', 'the domain of the project. Without it: that of the user')
    .option(
      '--password-file <path>',
      'a file with the password, or - . Without it: OS_PASSWORD, or it is typed and not shown',
    )
    .option(
      '--keychain',
      'keep the token in the keychain of the system, by secret-tool or, on macOS, by security. A profile whose token is there keeps it there',
    )
    .option('--no-keychain', 'keep the token in the file of the profiles')
    .option('--allow-http', 'let the token pass a network in clear, to a service without https')
    .option('--json', 'print the profiles then as JSON, as profile list does')
    .option('--no-input', 'ask nobody anything')
    .action(async (options: LoginOptions) => {
      const path = configPath();
      const config = await readConfig(path);
      const name = options.profile || process.env.STRONGROOM_PROFILE || config.current || usualProfile;
      const { error } = profileName.safeParse(name);
      if (error)
        throw new UsageFault(`The profile ${name} ${error.issues[0]?.message}.`, 'Give another name: --profile NAME');
      const before = Object.hasOwn(config.profiles, name) ? config.profiles[name] : undefined;
      const given = options.authUrl === undefined ? undefined : await keystoneToken(options);
      const place = placeOf({ ...options, account: options.account ?? given?.project.id }, before);
      const token = given?.token ?? (await tokenIn(options, process.env)) ?? (await typedToken(options, place.url));
      await tried({ ...place, token, profile: name });
      const idBefore = before && 'keychain' in before ? before.keychain : undefined;
      const isInKeychain = options.keychain ?? idBefore !== undefined;
      const secret = isInKeychain ? { keychain: await keptInKeychain(token, name, idBefore) } : { token };
      const saved: Profile = { ...place, ...secret, ...(options.allowHttp && { allowsHttp: true }) };
      const next: Config = { current: name, profiles: { ...config.profiles, [name]: saved } };
      await writeConfig(path, next);
      if (idBefore !== undefined && !isInKeychain) await new Keychain().remove({ id: idBefore, profile: name });
      const where = isInKeychain ? 'the keychain has its token' : `it is in ${path}`;
      note(`Signed in to ${place.url} as account ${place.account}. The profile ${name} is used from now on; ${where}.`);
      if (given) note(`The token ends at ${given.expiresAt}. Then sign in again.`);
      if (options.json) sayJson({ profiles: shownOf(next) }, 2);
    });
}

/** @param idBefore the id of the entry that the profile has had @returns that of the one that it has now @throws {CredentialFault} */
async function keptInKeychain(token: string, profile: string, idBefore: string | undefined): Promise<string> {
  const id = idBefore ?? randomUUID();
  await new Keychain().keep({ id, profile }, token);
  return id;
}

/** @throws {UsageFault} */
function placeOf(
  options: Pick<LoginOptions, 'url' | 'allowHttp'> & { account: string | undefined },
  before: Profile | undefined,
): { url: string; account: string } {
  const url = options.url ?? process.env.STRONGROOM_URL ?? before?.url;
  const account = options.account ?? process.env.STRONGROOM_ACCOUNT ?? before?.account;
  if (!url || !account)
    throw new UsageFault(
      'It is not known where to sign in.',
      'Run: strongroom login --url https://HOST --account ACCOUNT',
    );
  mustBeSafe(url, options.allowHttp === true || (before?.url === url && before.allowsHttp === true));
  if (!accountForm.safeParse(account).success)
    throw new UsageFault(
      `The account ${account} must be 1 to 64 characters of A-Z a-z 0-9 _ -.`,
      'Give it: --account ACCOUNT',
    );
  return { url, account };
}

async function typedToken({ input }: LoginOptions, url: string): Promise<string> {
  if (!input || !isAtTerminal())
    throw new UsageFault(
      'There is no token, and nobody can be asked here.',
      'Give it by --token-file or STRONGROOM_TOKEN.',
    );
  return sendable((await lineTyped(`Token for ${url}: `, { hidden: true })).trim());
}

/** Asks for what every role may read. @throws {AdvisedFault} */
async function tried(connection: { url: string; account: string; token: string; profile: string }): Promise<void> {
  const { url, account, token } = connection;
  await asking(connection, 'login', async (signal) => {
    await new Client({ baseUrl: url, accountId: account, token }).call(getRegions, { signal });
  });
}
