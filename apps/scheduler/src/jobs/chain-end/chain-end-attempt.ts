/**
 * One attempt at releasing what a server keeps for a backup that nothing can be built on any more. What it keeps for
 * the newest completed backup of its instance stays, because the next incremental knows its server by it. A server that
 * can't be asked is asked again, with growing pauses, for a week. The log then names what it may keep.
 */
import { type Endpoint, streamOf } from '@strongroom/contracts';
import { CredentialFault, type Credentials } from '@strongroom/credentials';
import { backupDecider, fold, instanceDecider, mustBelong } from '@strongroom/domain';
import { EngineFault, type EngineFor, type EngineWithoutBackups, endingWithin } from '@strongroom/engines';
import type { Ledger } from '@strongroom/ledger';
import { Backups, type Views } from '@strongroom/read-model';
import type { Hold, LeasedJob, Logger, Performed } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';

export interface ChainEndAttemptParts {
  dataSource: DataSource;
  ledger: Ledger;
  views: Views;
  credentials: Credentials;
  engineFor: EngineFor;
  log: Logger;
}

const askMs = 5_000;
const firstPauseMs = 5_000;
const longestPauseMs = 3_600_000;
/** With the longest pauses, this many tries take a week. */
const mostTries = 176;

export class ChainEndAttempt {
  constructor(
    private readonly parts: ChainEndAttemptParts,
    private readonly job: LeasedJob,
    private readonly hold: Hold,
  ) {}

  /**
   * Ends with the server keeping nothing, with another attempt due, or given up.
   * @throws when the lease is lost or the process stops
   */
  async perform(): Promise<Performed> {
    const { ledger, credentials, engineFor, log } = this.parts;
    const { id: backupId, failures } = this.job;
    const backup = fold(backupDecider, await ledger.readStream(streamOf('backup', backupId)));
    // A backup that failed or was deleted may have left something too.
    if (!('request' in backup)) return 'finished';
    const { instanceId, datastore } = backup.request;
    const engine = engineFor(datastore.type);
    const instance = fold(instanceDecider, await ledger.readStream(streamOf('instance', instanceId)));
    // A forgotten instance tells no account any more; its server is asked for what its own backups left alone.
    if ('accountId' in instance) {
      mustBelong(`Instance ${instanceId} does not belong to the account of backup ${backupId}.`, instance, backup);
    }
    const isForgotten = instance.is === 'forgotten';
    if (!isForgotten && backup.is === 'completed' && (await this.isNewest(backup.accountId, instanceId)))
      return 'finished';
    if ((!isForgotten && instance.is !== 'registered') || !instance.endpoint) return 'finished';
    // A server that was built here goes with its instance.
    if (isForgotten && instance.builtFrom !== null) return 'finished';
    const { endpoint } = instance;
    try {
      const { accountId } = backup;
      const { credentialId } = instance;
      const credential = await credentials.get({ accountId, instanceId, credentialId, endpoint });
      if (!credential && isForgotten) {
        this.giveUp(engine, endpoint, 'its instance is forgotten, and so is the password');
        return 'finished';
      }
      const { password = '', clientKey } = credential ?? {};
      const target = { accountId, instanceId, endpoint, password, clientKey, isBuiltHere: instance.builtFrom !== null };
      const signal = endingWithin(askMs, this.hold.signal);
      await engine.release(target, [backupId], signal);
      return 'finished';
    } catch (error) {
      const isOfServer = error instanceof EngineFault || error instanceof CredentialFault;
      if (this.hold.signal.aborted || !isOfServer) throw error;
      if (failures + 1 >= mostTries) {
        this.giveUp(engine, endpoint, error.message);
        return 'finished';
      }
      const pauseMs = Math.min(firstPauseMs * 2 ** failures, longestPauseMs);
      log.info(
        { err: error, instance: instanceId, backup: backupId },
        `the server was not asked to release an ended chain: ${error.message} Asked again in ${pauseMs / 1_000} s`,
      );
      return { retryInMs: pauseMs, hasFailed: true };
    }
  }

  private async isNewest(accountId: string, instanceId: string): Promise<boolean> {
    const { dataSource, views } = this.parts;
    await views.catchUp(accountId);
    return (await new Backups(dataSource).newestCompleted(instanceId))?.id === this.job.id;
  }

  private giveUp(engine: EngineWithoutBackups, endpoint: Endpoint, why: string): void {
    const { host, port } = endpoint;
    const backup = this.job.id;
    this.parts.log.warn(
      { backup, marker: engine.chainMarker(backup), host, port },
      `the server is not asked any more to release backup ${backup}: ${why}. ${engine.describeLeftover(backup, endpoint)}`,
    );
  }
}
