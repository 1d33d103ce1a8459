/** A ledger in memory. The real deciders decide, and their events are there at once. */
import { type Aggregate, isRefusal, type NewEvent, type RecordedEvent, type Refusal } from '@strongroom/contracts';
import { type Decider, decide, fold } from '@strongroom/domain';

const instanceId = '44b277eb-39be-4921-be31-3d61b43651d7';
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };

export class SimulatedLedger {
  readonly accountId = 'acme';
  readonly instanceId = instanceId;
  private readonly streams = new Map<string, RecordedEvent[]>();

  history(stream: string): readonly RecordedEvent[] {
    return this.streams.get(stream) ?? [];
  }

  /** @returns the refusal, if there is one */
  execute<A extends Aggregate, State, Command extends { type: string }>(
    decider: Decider<A, State, Command>,
    stream: string,
    command: Command,
  ): Refusal | undefined {
    const decided = decide(decider, command, fold(decider, this.history(stream)));
    if (isRefusal(decided)) return decided;
    for (const event of decided.events) this.record(stream, event);
    return undefined;
  }

  private record(stream: string, event: NewEvent): void {
    const events = this.streams.get(stream) ?? [];
    const number = events.length + 1;
    const envelope = {
      id: `00000000-0000-7000-8000-${String(number).padStart(12, '0')}`,
      position: number,
      stream,
      version: number,
      accountId: this.accountId,
      instanceId,
      at: new Date(Date.UTC(2026, 0, 1, 0, 0, number)).toISOString(),
      context,
    };
    this.streams.set(stream, [...events, { ...envelope, ...event }]);
  }
}
