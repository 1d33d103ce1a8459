/**
 * Takes and restores backups in processes of their own, one for each. What a stranger's server or backup says is parsed there: a
 * loop, or more memory than is allowed, ends that process and that attempt, and nothing else.
 */
import type { DatastoreType } from '@strongroom/contracts';
import { engineFor } from '../engines.js';
import type { BackupTaker, Restorer } from '../open-backup.js';
import { SharedPlaces } from '../shared-places.js';
import { BackupApart } from './backup-apart.js';
import { type ApartOptions, programOf } from './engine-child.js';
import { canRunEngines } from './engine-user.js';
import { restoreApart } from './restore-apart.js';

const usualRestores = 2;
const nobody = { uid: 65_534, gid: 65_534 };

export class EnginesApart {
  private readonly restores: SharedPlaces;

  constructor(private readonly options: ApartOptions) {
    this.restores = new SharedPlaces(options.mostRestores ?? usualRestores);
  }

  /** Whether its processes can have the users that root gives them. Otherwise they have that of this process. */
  get canHaveUsers(): boolean {
    return canRunEngines(this.options.user ?? nobody, programOf(this.options));
  }

  of(datastoreType: DatastoreType): BackupTaker & Restorer {
    return {
      readByIncrementals: engineFor(datastoreType).readByIncrementals,
      backup: (target, options) => new BackupApart(this.options, options).begin(datastoreType, target),
      restore: (chain, directory, options = {}) =>
        this.restores.take(chain.at(-1)?.manifest.accountId ?? '', options.signal, () =>
          restoreApart(this.options, { datastoreType, chain, directory, ...options }),
        ),
    };
  }
}
