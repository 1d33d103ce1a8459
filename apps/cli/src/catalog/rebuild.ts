/** The work of `strongroom catalog rebuild`: reads what the vault of a region holds, and has the ledger know it. */
import { Ledger } from '@strongroom/ledger';
import { KnownVaults, RandomIds } from '@strongroom/runtime';
import type { Vault } from '@strongroom/vault';
import type { DataSource } from 'typeorm';
import { endWith } from '../exit-codes.js';
import { type IdentityOptions, identitiesOf } from '../identity-options.js';
import { onDatabase } from '../open-database.js';
import { inLine, note, sayJson } from '../output.js';
import { Progress } from '../progress.js';
import { type VaultOptions, vaultOf } from '../vault-options.js';
import { Catalog, parentsFirst, type Recorded } from './catalog.js';
import { type FoundBackup, foundBackups, type NotRecorded } from './found-backups.js';

export interface RebuildOptions extends VaultOptions, IdentityOptions {
  json?: true;
}

/** The result as `--json` prints it. Fields may be added, and none ever changes. */
interface Result {
  region: string;
  /** How many were recorded as backups that the ledger did not know. */
  backups: number;
  /** How many were known from another region, and are now known to be copied to this one. */
  copies: number;
  /** Of how many only the version of the server was not known before. */
  versions: number;
  /** How many were known already. */
  known: number;
  notRecorded: NotRecorded[];
}

export async function rebuildCatalog(options: RebuildOptions): Promise<void> {
  const vault = vaultOf(options);
  const identities = await identitiesOf(options);
  const { from, json } = options;
  await onDatabase({ applicationName: 'strongroom-catalog', poolSize: 2 }, async (dataSource) => {
    await mustBeOfRegion(vault, dataSource);
    const reading = new Progress(`reading the vault of ${from}`, { json, counted: 'backups' });
    const found: FoundBackup[] = [];
    const notRecorded: NotRecorded[] = [];
    for await (const each of foundBackups(vault, identities)) {
      if ('reason' in each) notRecorded.push(each);
      else found.push(each);
      reading.add(1);
    }
    reading.end();
    const counts: Record<Recorded, number> = { backup: 0, copy: 0, version: 0, known: 0 };
    const recording = new Progress(`recording the backups of ${from}`, {
      json,
      counted: 'backups',
      total: found.length,
    });
    const catalog = new Catalog({ dataSource, ledger: new Ledger(dataSource), ids: new RandomIds() });
    for (const each of parentsFirst(found)) {
      const recorded = await catalog.record(each);
      if (typeof recorded === 'string') counts[recorded] += 1;
      else notRecorded.push(recorded);
      recording.add(1);
    }
    recording.end();
    const { backup: backups, copy: copies, version: versions, known } = counts;
    const unopened = found.filter(({ data }) => data.encryptedFor !== null && data.instanceName === null);
    print({ region: from, backups, copies, versions, known, notRecorded }, unopened, options);
  });
}

/**
 * Nothing is recorded of a store that is another region's vault, or not the one that this deployment knows.
 * @throws {VaultFault}
 */
async function mustBeOfRegion(vault: Vault, dataSource: DataSource): Promise<void> {
  const known = new KnownVaults(dataSource);
  await vault.identify({
    vaultIdOf: (region) => known.vaultIdOf(region),
    remember: (identity) => known.remember(identity),
    givesNone: true,
  });
}

function print(result: Result, unopened: readonly FoundBackup[], { json, from }: RebuildOptions): void {
  const { backups, copies, versions, known, notRecorded } = result;
  if (json) sayJson(result, 2);
  else {
    const also = versions > 0 ? `, and the versions of the servers of ${versions}` : '';
    note(
      `${from}: ${backups} backups and ${copies} copies were recorded${also}. ${known} were known already, and ${notRecorded.length} were not recorded.`,
    );
  }
  if (unopened.length > 0) {
    const keys = [...new Set(unopened.flatMap(({ data }) => data.encryptedFor ?? []))].map(inLine).sort();
    note(
      `strongroom: ${unopened.length} backups are encrypted, and no key was given that tells their servers' names and versions. ${keys.length > 0 ? `They are opened by the key of ${keys.join(', ')}. ` : ''}Run it again with --identity FILE to have the versions recorded too.`,
    );
  }
  for (const { backupId, code, reason } of notRecorded)
    note(`strongroom: backup ${backupId} is not recorded (${code}). ${inLine(reason)}`);
  if (notRecorded.length > 0) endWith('incomplete', 'Mend what these name, and run it again.');
}
