/**
 * How events are written: each in the queue, in the caller's transaction, or several together. An append that throws a `LedgerFault`
 * says whether it may be written all the same.
 */
import { checkNewEvent, type RecordedEvent, type StreamName } from '@strongroom/contracts';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { AppendQueue } from './append-queue.js';
import {
  type AppendOutcome,
  type AppendRequest,
  type ExpectedStream,
  parseAnswers,
  parseOthers,
  type RelyingOutcome,
  type RelyingRequest,
} from './append-request.js';
import { appendStatement, relyingStatement, togetherStatement } from './append-statements.js';
import { isOutage, LedgerFault, mayBeDone } from './ledger-fault.js';
import { settled } from './settled-append.js';

export class Appends {
  private readonly queue: AppendQueue;

  constructor(
    private readonly dataSource: DataSource,
    private readonly readStream: (stream: StreamName) => Promise<RecordedEvent[]>,
  ) {
    this.queue = new AppendQueue({
      write: (batch) => this.onConnection(({ manager }) => this.write(manager, batch)),
      holds: (request) => this.holds(request),
    });
  }

  /** Appends to one stream, in one statement with whatever else waits. */
  async queued(request: AppendRequest): Promise<AppendOutcome> {
    // The check comes before the queue, because a malformed event would fail the others of its batch.
    request.events.forEach(checkNewEvent);
    return this.queue.append(request);
  }

  /** Appends as the last statement of the caller's transaction. */
  async within(manager: EntityManager, requests: AppendRequest[]): Promise<AppendOutcome[]> {
    if (requests.length === 0) return [];
    for (const { events } of requests) events.forEach(checkNewEvent);
    return this.write(manager, requests);
  }

  /** As `within`. A request whose streams have changed is not appended. */
  async relying(manager: EntityManager, requests: readonly RelyingRequest[]): Promise<RelyingOutcome[]> {
    if (requests.length === 0) return [];
    for (const { events } of requests) events.forEach(checkNewEvent);
    const { text, values } = relyingStatement(requests);
    const rows: unknown = await manager.query(text, values);
    return parseOthers(rows, requests.length);
  }

  /** Appends all of the requests or none, in one statement. */
  async together(requests: AppendRequest[], expects: readonly ExpectedStream[]): Promise<AppendOutcome[]> {
    for (const { events } of requests) events.forEach(checkNewEvent);
    return settled({
      write: () => this.onConnection(({ manager }) => this.writeTogether(manager, requests, expects)),
      // All of the events are there, or none.
      recogniseOwn: async (outcomes) => {
        const held = await Promise.all(requests.map((request) => this.holds(request)));
        return held.every((each) => each !== undefined) ? held : outcomes;
      },
    });
  }

  private async writeTogether(
    manager: EntityManager,
    requests: AppendRequest[],
    expects: readonly ExpectedStream[],
  ): Promise<AppendOutcome[]> {
    const { text, values } = togetherStatement(requests, expects);
    const rows: unknown = await manager.query(text, values);
    return parseAnswers(rows);
  }

  /**
   * Writes on a connection of its own. Whatever keeps that connection from being made is no doubt about what is written.
   * @throws {LedgerFault} in an outage
   */
  private async onConnection(write: (run: QueryRunner) => Promise<AppendOutcome[]>): Promise<AppendOutcome[]> {
    const run = this.dataSource.createQueryRunner();
    try {
      await run.connect().catch((error: unknown) => {
        throw isOutage(error) ? new LedgerFault(error, false) : error;
      });
      return await write(run);
    } catch (error) {
      if (error instanceof LedgerFault || !isOutage(error)) throw error;
      throw new LedgerFault(error, mayBeDone(error));
    } finally {
      await run.release();
    }
  }

  private async write(manager: EntityManager, requests: AppendRequest[]): Promise<AppendOutcome[]> {
    const { text, values } = appendStatement(requests);
    const answer: unknown = await manager.query(text, values);
    return parseAnswers(answer, requests.length);
  }

  private async holds({ stream, expectedVersion, events }: AppendRequest): Promise<AppendOutcome | undefined> {
    const written = (await this.readStream(stream)).slice(expectedVersion, expectedVersion + events.length);
    const first = written[0];
    const own = written.length === events.length && written.every(({ id }, index) => id === events[index]?.id);
    return own && first ? { outcome: 'appended', position: first.position, at: new Date(first.at) } : undefined;
  }
}
