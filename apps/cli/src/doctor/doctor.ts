/** Looks at everything that backups of the coming night need, and prints a line for each look. */
import { KnownVaults } from '@strongroom/runtime';
import type { ApiOptions } from '../api/api-options.js';
import { type Column, printRows } from '../api/printing.js';
import { endWith } from '../exit-codes.js';
import { note, sayJson } from '../output.js';
import { checkDatabase } from './database-checks.js';
import type { Finding, Part } from './finding.js';
import { checkInstances } from './instance-checks.js';
import { checkKafka } from './kafka-checks.js';
import { checkVaults } from './vault-checks.js';

export interface DoctorOptions extends ApiOptions {
  only: readonly Part[];
}

const columns: readonly Column<Finding>[] = [
  { title: 'RESULT', of: ({ result }) => result },
  { title: 'PART', of: ({ part }) => part },
  { title: 'ABOUT', of: ({ about }) => about },
  { title: 'CHECK', of: ({ check }) => check },
  { title: 'FOUND', of: ({ says }) => says },
  { title: 'WHAT TO DO', of: ({ next }) => next },
];

/** Ends the command with 1 when a look has failed, else with 3 when something could not be looked at. */
export async function examine({ only, ...options }: DoctorOptions): Promise<void> {
  const known = new Map<string, string>();
  const found: Finding[] = [];
  const isAsked = (part: Part) => only.includes(part);
  if (isAsked('database') || isAsked('vaults')) {
    const ofDatabase = await checkDatabase(async (dataSource) => {
      const vaults = new KnownVaults(dataSource);
      for (const region of await vaults.regions()) {
        const id = await vaults.vaultIdOf(region);
        if (id !== undefined) known.set(region, id);
      }
    });
    if (isAsked('database')) found.push(...ofDatabase);
  }
  if (isAsked('vaults')) found.push(...(await checkVaults(async (region) => known.get(region))));
  if (isAsked('kafka')) found.push(...(await checkKafka()));
  if (isAsked('instances')) found.push(...(await checkInstances(options)));
  const count = (result: Finding['result']) => found.filter((each) => each.result === result).length;
  const counts = { ok: count('ok'), warning: count('warning'), failed: count('failed'), unchecked: count('unchecked') };
  if (options.json) sayJson({ findings: found, counts }, 2);
  else {
    printRows(undefined, found, columns, options);
    note(
      `${counts.ok} well, ${counts.warning} with a warning, ${counts.failed} failed, ${counts.unchecked} not looked at.`,
    );
  }
  const next = 'Do what is said beside each of these, and look again: strongroom doctor';
  if (counts.failed > 0) endWith('failed', next);
  else if (counts.unchecked > 0) endWith('incomplete', next);
}
