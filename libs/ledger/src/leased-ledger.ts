/**
 * The ledger for the holder of a lease. An outage of the ledger's database is no reason to give up work whose bytes may be safe
 * already. So each read and each record is tried again until the database is back, the lease is lost or the process stops.
 */
import {
  type Aggregate,
  causedBy,
  type EventContext,
  type RecordedEvent,
  type Refusal,
  type StreamName,
  streamOf,
} from '@strongroom/contracts';
import { type Decider, fold } from '@strongroom/domain';
import { type Ids, type Logger, persist, tracedContext } from '@strongroom/runtime';
import { commandOn, type Executed, execute, executeTogether, type Target } from './execute.js';
import type { Ledger } from './ledger.js';
import { isOutage } from './ledger-fault.js';

export interface LeasedLedgerParts {
  ledger: Ledger;
  ids: Ids;
  log: Logger;
}

/** What the lease is for. */
export interface LeasedUse {
  /** The work as the log names it, such as `backup 91ae…`. */
  what: string;
  /** Aborted when the lease is lost or the process is to stop. The outage is thrown then. */
  signal: AbortSignal;
}

export class LeasedLedger {
  constructor(
    protected readonly parts: LeasedLedgerParts,
    protected readonly use: LeasedUse,
  ) {}

  /** A stream's events, oldest first; none for a stream that is not there. */
  history(stream: StreamName): Promise<RecordedEvent[]> {
    return this.outlast(`reading ${stream}`, () => this.parts.ledger.readStream(stream));
  }

  /** The state of one aggregate after all its events. */
  async stateOf<A extends Aggregate, State, Command extends { type: string }>(
    decider: Decider<A, State, Command>,
    id: string,
  ): Promise<State> {
    return fold(decider, await this.history(streamOf(decider.aggregate, id)));
  }

  /** @param actor the name of the process, which does what the event asks for */
  causedBy(cause: RecordedEvent, actor: string): CausedLedger {
    return new CausedLedger(this.parts, this.use, cause, actor);
  }

  /**
   * Does something that needs the ledger's database, and tries again in an outage.
   * @param passes whether an error is temporary; any other is thrown at once
   */
  outlast<T>(what: string, action: () => Promise<T>, passes: (error: unknown) => boolean = isOutage): Promise<T> {
    const { signal } = this.use;
    return persist(action, { what: `${what} for ${this.use.what}`, passes, signal, log: this.parts.log });
  }
}

/** Records with one cause, which is the event that asked for the work. Its account and its instance count for everything. */
export class CausedLedger extends LeasedLedger {
  /** The context of everything that is recorded. */
  readonly context: EventContext;

  constructor(
    parts: LeasedLedgerParts,
    use: LeasedUse,
    private readonly cause: RecordedEvent,
    actor: string,
  ) {
    super(parts, use);
    this.context = tracedContext(causedBy(cause, actor));
  }

  /** As `execute`, on the aggregate of that id. @throws {ConflictFault} after five lost races */
  record<A extends Aggregate, State, Command extends { type: string }>(
    decider: Decider<A, State, Command>,
    id: string,
    command: Command,
  ): Promise<Executed | Refusal> {
    return this.outlast(`recording ${command.type}`, () => execute(this.parts, decider, this.target(id), command));
  }

  /** As `executeTogether`: every command is recorded, or none. @throws {ConflictFault} after five lost races */
  recordTogether<A extends Aggregate, State, Command extends { type: string }>(
    decider: Decider<A, State, Command>,
    commands: readonly { id: string; command: Command }[],
  ): Promise<Executed | Refusal> {
    const bound = commands.map(({ id, command }) => commandOn(decider, this.target(id), command));
    const types = [...new Set(commands.map(({ command }) => command.type))].join(', ');
    return this.outlast(`recording ${types}`, () => executeTogether(this.parts, bound));
  }

  private target(id: string): Target {
    const { accountId, instanceId } = this.cause;
    return { id, accountId, instanceId, context: this.context };
  }
}
