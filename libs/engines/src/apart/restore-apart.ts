/**
 * A restore that a process of its own makes, as its owner sees it. The process gets the folder and the backups' manifests, and asks
 * for their objects. One that fails or is cancelled leaves the folder empty. One that has to be killed leaves what it has written:
 * nothing writes there any more, and the caller removes it.
 */
import { resolve } from 'node:path';
import type { DatastoreType } from '@strongroom/contracts';
import { afterMs } from '@strongroom/runtime/light';
import type { RestoredFolder, RestoreOptions } from '../engine.js';
import { EngineFault } from '../engine-fault.js';
import type { OpenedBackup } from '../open-backup.js';
import { outcome } from '../outcome.js';
import { type ApartOptions, EngineChild } from './engine-child.js';
import { progress, restored, sealed, types } from './messages.js';

export interface AskedRestore extends RestoreOptions {
  datastoreType: DatastoreType;
  chain: readonly OpenedBackup[];
  directory: string;
}

/** How long a restore that is cancelled may take to remove what it has written. */
const graceMs = 10_000;

/** @throws {EngineFault | VaultFault} when no process of it is left */
export async function restoreApart(options: ApartOptions, asked: AskedRestore): Promise<RestoredFolder> {
  const { datastoreType, chain, directory, places = new Map(), signal, user } = asked;
  const { standsAlone = false, checksPages, acceptsBadPages = false } = asked;
  const { longestRestoreMs } = options;
  const done = outcome<RestoredFolder>();
  const child = new EngineChild(options, {
    what: 'restore',
    user,
    given: chain,
    signal,
    graceMs,
    told(type, text) {
      if (type === types.result) done.resolve(restored.parse(JSON.parse(text)));
      else if (type === types.progress) asked.progress?.(progress.parse(Number(text)));
      else throw new Error(`a message of type ${type}`);
    },
  });
  void child.failed.then(done.reject);
  const stopWaiting =
    longestRestoreMs === undefined ? () => {} : afterMs(longestRestoreMs, () => child.fail(tooLong(longestRestoreMs)));
  try {
    await child.begin({
      is: 'restore',
      datastoreType,
      chain: chain.map(sealed),
      directory: resolve(directory),
      options: {
        places: [...places].map(([old, place]) => [old, resolve(place)]),
        standsAlone,
        checksPages,
        acceptsBadPages,
      },
    });
    return await done.promise;
  } finally {
    stopWaiting();
    // Nobody may write there any more when this returns.
    child.end();
    await child.exited;
  }
}

function tooLong(ms: number): EngineFault {
  return new EngineFault(
    'backup-limit-reached',
    `The restore was not done after ${Math.round(ms / 1_000)} s, which is the longest that one may take (STRONGROOM_RESTORE_LONGEST_HOURS).`,
  );
}
