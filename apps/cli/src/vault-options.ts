/** Finds the vault that a command reads: from the call, else from the environment, else from the local stack. */
import { existsSync, readFileSync } from 'node:fs';
import { regionName, uuid, vaultAddresses } from '@strongroom/contracts';
import { whyInClear } from '@strongroom/runtime/light';
import { openVaults, type Vault, VaultFault } from '@strongroom/vault';
import { type Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { UsageFault } from './command-fault.js';

export interface VaultOptions {
  from: string;
  vault: string[];
}

const rightAddress = 'Give the vault: --vault REGION=URL. See docs/stores.md for the addresses.';
const stackFile = '.strongroom/stack.json';
const stack = z.object({ vaults: z.record(regionName, z.url()) });

/** Adds what a command on one backup takes: the backup, the region, and where the vaults are. */
export function withVault(command: Command): Command {
  return fromVault(command.argument('<backup-id>', 'the backup, a UUID', backupIdArgument));
}

/** Adds what every command takes: the region, and where the vaults are. */
export function fromVault(command: Command): Command {
  return command
    .requiredOption('--from <region>', 'the region whose vault to read, such as IAD', regionArgument)
    .option(
      '--vault <region=url>',
      'where a vault is; may be given more than once. Without it: STRONGROOM_VAULTS, else .strongroom/stack.json',
      collectVault,
      [],
    );
}

/** @throws {UsageFault} saying which vaults are known */
export function addressOf({ from, vault }: VaultOptions): URL {
  const [urls, source] = known(vault);
  const url = urls.get(from);
  if (!url) {
    const there = urls.size > 0 ? `there are ${[...urls.keys()].join(', ')}, from ${source}` : 'no vault is known';
    throw new UsageFault(
      `There is no vault of ${from}: ${there}.`,
      `Give it: --vault ${from}=file:///path/of/the/vault`,
    );
  }
  return url;
}

/** Every vault that the call, the environment or the local stack names, by its region. @throws {UsageFault} for what is no address of one */
export function knownVaults(given: string[] = []): Map<string, URL> {
  return known(given)[0];
}

/** @throws {UsageFault} saying which vaults are known */
export function vaultOf(options: VaultOptions): Vault {
  const { from } = options;
  const url = addressOf(options);
  try {
    return openVaults(new Map([[from, url]])).of(from);
  } catch (error) {
    throw error instanceof VaultFault ? new UsageFault(error.message, rightAddress, { cause: error }) : error;
  }
}

function backupIdArgument(text: string): string {
  const id = uuid.safeParse(text.toLowerCase());
  if (!id.success) throw new InvalidArgumentError('It must be the UUID of a backup.');
  return id.data;
}

/** The region that somebody has named, in large or in small letters; undefined when it is no name of one. */
export function regionOf(text: string): string | undefined {
  return regionName.safeParse(text.toUpperCase()).data;
}

function regionArgument(text: string): string {
  const region = regionOf(text);
  if (region === undefined) throw new InvalidArgumentError('It must be the name of a region, such as IAD.');
  return region;
}

function collectVault(text: string, before: string[]): string[] {
  const wrong = vaultAddresses([text]);
  if (typeof wrong === 'string') {
    const isOther = !wrong.includes('right address');
    throw new InvalidArgumentError(isOther ? 'It must be like IAD=file:///var/lib/strongroom/IAD.' : `It ${wrong}.`);
  }
  return [...before, text];
}

function known(given: string[]): [Map<string, URL>, string] {
  if (given.length > 0) return [parsed(given, '--vault'), '--vault'];
  const environment = process.env.STRONGROOM_VAULTS;
  if (environment) return [parsed(environment.split(','), 'STRONGROOM_VAULTS'), 'STRONGROOM_VAULTS'];
  if (!existsSync(stackFile)) return [new Map(), stackFile];
  return [ofStack(), stackFile];
}

function ofStack(): Map<string, URL> {
  try {
    const { vaults } = stack.parse(JSON.parse(readFileSync(stackFile, 'utf8')));
    return new Map(Object.entries(vaults).map(([region, url]) => [region, new URL(url)]));
  } catch (error) {
    throw new UsageFault(`${stackFile} does not tell where the vaults are.`, rightAddress, { cause: error });
  }
}

function parsed(entries: string[], source: string): Map<string, URL> {
  const found = vaultAddresses(entries);
  if (typeof found === 'string') throw new UsageFault(`${source} ${found}`, rightAddress);
  const isAllowed = process.env.STRONGROOM_ALLOW_PLAINTEXT?.split(',').some((each) => each.trim() === 'vaults');
  const why = isAllowed ? undefined : whyInClear(found);
  if (why !== undefined) throw new UsageFault(`${source} ${why}`, rightAddress);
  return found;
}
