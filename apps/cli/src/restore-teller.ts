/** Tells the service that a restore was tested, from where, and how that ended: one that failed is told as one that went well. */
import { randomUUID } from 'node:crypto';
import { Client } from '@strongroom/client';
import { faultOf, messageOf, printable, type RestoreProof, type ToldRestoreTest } from '@strongroom/contracts';
import { EngineFault } from '@strongroom/engines';
import { type Connection, type ConnectionOptions, connectionOf } from './api/connection.js';
import { sentAgain } from './api/sent-again.js';
import { asking } from './api/session.js';
import { IncompleteFault, Interrupted, UsageFault } from './command-fault.js';
import { note } from './output.js';

/** A message of a fault is cut to what the service takes. */
const mostCharacters = 2_000;

export class RestoreTeller {
  private readonly begunAt = performance.now();

  private constructor(
    private readonly backupId: string,
    private readonly region: string,
    private readonly connection: Connection,
  ) {}

  /** Nothing is restored before it is known whom to tell. @throws {UsageFault | CredentialFault} */
  static async of(backupId: string, region: string, options: ConnectionOptions): Promise<RestoreTeller> {
    return new RestoreTeller(backupId, region, await connectionOf(options));
  }

  /** @throws {IncompleteFault} when the service could not be told */
  async passed(seconds: number, proof: RestoreProof): Promise<void> {
    try {
      await this.send({ region: this.region, seconds, proof });
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      throw new IncompleteFault(
        `The restore went well, and the service could not be told. ${messageOf(error)}`,
        'Tell it by POST /backups/{id}/action with restore-tested: strongroom api --help',
      );
    }
  }

  /** Throws nothing: the fault of the restore is what the caller ends with. What the user has ended or called wrongly is no test. */
  async failed(error: unknown): Promise<void> {
    const isNoTest = error instanceof UsageFault || error instanceof IncompleteFault || error instanceof Interrupted;
    if (isNoTest || (error instanceof EngineFault && error.code === 'cancelled')) return;
    const { code, message } = faultOf(error);
    const fault = { code, message: printable(message.slice(0, mostCharacters)) };
    const seconds = Math.ceil((performance.now() - this.begunAt) / 1_000);
    try {
      await this.send({ region: this.region, seconds, fault });
      note(`strongroom: ${this.connection.url} was told that the restore has failed.`);
    } catch (why) {
      note(`strongroom: The service could not be told that the restore has failed. ${messageOf(why)}`);
    }
  }

  private async send(test: ToldRestoreTest): Promise<void> {
    const { url, account, token } = this.connection;
    const client = new Client({ baseUrl: url, accountId: account, token });
    const idempotencyKey = randomUUID();
    await asking(this.connection, 'backup', (signal) =>
      sentAgain(() => client.backups.tellRestoreTest(this.backupId, test, { idempotencyKey, signal }), signal),
    );
  }
}
