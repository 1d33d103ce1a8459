/** `strongroom profile`: the services that somebody has signed in to. No token is ever printed. */
import { messageOf } from '@strongroom/contracts';
import type { Command } from 'commander';
import { IncompleteFault } from '../command-fault.js';
import { note, sayJson } from '../output.js';
import type { PrintOptions } from './api-options.js';
import { type Config, configPath, readConfig, writeConfig } from './config-file.js';
import { profileIn } from './connection.js';
import { Keychain, type KeychainEntry } from './keychain.js';
import { type Column, printRows } from './printing.js';

interface Shown {
  name: string;
  url: string;
  account: string;
  current: boolean;
  token_in: 'file' | 'keychain';
}

const columns: readonly Column<Shown>[] = [
  { title: 'PROFILE', of: ({ name }) => name },
  { title: 'URL', of: ({ url }) => url },
  { title: 'ACCOUNT', of: ({ account }) => account },
  { title: 'CURRENT', of: ({ current }) => current },
  { title: 'TOKEN IN', of: ({ token_in }) => token_in },
];

export function addProfile(program: Command): void {
  const group = program.command('profile').description('Look after the profiles that strongroom login has made.');
  group
    .command('list')
    .description('List the profiles, without their tokens.')
    .option('--json', 'print them as JSON')
    .option('--plain', 'print lines with tabs between the fields, and no headings')
    .action(async (options: PrintOptions) => {
      const shown = shownOf(await readConfig(configPath()));
      printRows({ profiles: shown }, shown, columns, options);
    });
  group
    .command('use')
    .description('Use a profile from now on.')
    .argument('<name>', 'the profile')
    .option('--json', 'print the profiles then as JSON, as list does')
    .action(async (name: string, { json }: PrintOptions) => {
      const config = await readConfig(configPath());
      const { url } = profileIn(config, name);
      const next = { ...config, current: name };
      await writeConfig(configPath(), next);
      note(`The profile ${name} of ${url} is used from now on.`);
      if (json) sayJson({ profiles: shownOf(next) }, 2);
    });
  group
    .command('remove')
    .description('Remove a profile with its token, from the keychain too. The token stays valid.')
    .argument('<name>', 'the profile')
    .option('--json', 'print the profiles then as JSON, as list does')
    .action(async (name: string, { json }: PrintOptions) => {
      const config = await readConfig(configPath());
      const profile = profileIn(config, name);
      const { [name]: _removed, ...profiles } = config.profiles;
      const { current, ...rest } = config;
      const next = { ...rest, ...(current !== name && current && { current }), profiles };
      await writeConfig(configPath(), next);
      if ('keychain' in profile) await forget({ id: profile.keychain, profile: name });
      note(`The profile ${name} is removed. Its token stays valid until it expires or is withdrawn.`);
      if (json) sayJson({ profiles: shownOf(next) }, 2);
    });
}

/** The profiles as they are printed: without their tokens. */
export function shownOf({ current, profiles }: Config): Shown[] {
  return Object.entries(profiles).map(([name, profile]) => {
    const { url, account } = profile;
    return { name, url, account, current: name === current, token_in: 'keychain' in profile ? 'keychain' : 'file' };
  });
}

/** @throws {IncompleteFault} when the token is left in the keychain */
async function forget(entry: KeychainEntry): Promise<void> {
  try {
    await new Keychain().remove(entry);
  } catch (cause) {
    throw new IncompleteFault(
      `The profile ${entry.profile} is removed, and its token may still be in the keychain as strongroom-${entry.profile}. ${messageOf(cause)}`,
      'See by the program of the keychain whether it is there, and remove it.',
    );
  }
}
