/** Which vault a command works on: given in the call, else by the environment, else that of the local stack. */
import { existsSync, readFileSync } from 'node:fs';
import { regionName, uuid } from '@strongroom/contracts';
import { openVaults, type Vault } from '@strongroom/vault';
import { InvalidArgumentError } from 'commander';
import { z } from 'zod';

/** The call can't be carried out as it is written. */
export class UsageFault extends Error {
  override readonly name = 'UsageFault';
}

export interface VaultOptions {
  from: string;
  vault: string[];
}

const stackFile = '.strongroom/stack.json';

/** For commander: collects `--vault REGION=URL`. */
export function collectVault(text: string, before: string[]): string[] {
  const [, region = '', url = ''] = /^([^=]*)=(.*)$/.exec(text) ?? [];
  if (!regionName.safeParse(region).success || !URL.canParse(url)) {
    throw new InvalidArgumentError('It must be like IAD=file:///var/lib/strongroom/IAD.');
  }
  return [...before, text];
}

/** For commander: the id of a backup. */
export function backupIdArgument(text: string): string {
  const id = uuid.safeParse(text.toLowerCase());
  if (!id.success) throw new InvalidArgumentError('It must be the UUID of a backup.');
  return id.data;
}

/** @throws {UsageFault} saying which vaults are known */
export function vaultOf({ from, vault }: VaultOptions): Vault {
  const [urls, source] = known(vault);
  const url = urls.get(from);
  if (!url) {
    const there = urls.size > 0 ? `there are ${[...urls.keys()].join(', ')}, from ${source}` : 'no vault is known';
    throw new UsageFault(`There is no vault of ${from}: ${there}. Give it: --vault ${from}=file:///path/of/the/vault`);
  }
  return openVaults(new Map([[from, url]])).of(from);
}

function known(given: string[]): [Map<string, URL>, string] {
  if (given.length > 0) return [parsed(given, '--vault'), '--vault'];
  const environment = process.env.STRONGROOM_VAULTS;
  if (environment) return [parsed(environment.split(','), 'STRONGROOM_VAULTS'), 'STRONGROOM_VAULTS'];
  if (!existsSync(stackFile)) return [new Map(), stackFile];
  const stack = z
    .object({ vaults: z.record(z.string(), z.string()) })
    .parse(JSON.parse(readFileSync(stackFile, 'utf8')));
  return [new Map(Object.entries(stack.vaults).map(([region, url]) => [region, new URL(url)])), stackFile];
}

function parsed(entries: string[], source: string): Map<string, URL> {
  return new Map(
    entries.map((entry) => {
      const [, region = '', url = ''] = /^\s*([^=]*)=(.*?)\s*$/.exec(entry) ?? [];
      if (!URL.canParse(url)) throw new UsageFault(`${source} has "${entry}", which is not like IAD=file:///path`);
      return [region, new URL(url)];
    }),
  );
}
