/**
 * How a decision is written down: as data. `decide` and `evolve` are total tables over the command and event types of
 * one kind of aggregate, so that a type without its rule does not compile.
 */
import type { Aggregate, EventTypeOf, NewEvent, RecordedEvent, Refusal } from '@strongroom/contracts';

/** Something that at most one stream may hold at a time, such as an instance's running backup. */
export interface Claim {
  kind: ClaimKind;
  key: string;
}
export type ClaimKind = 'schedule-of-instance' | 'running-backup-of-instance' | 'idempotency-key';

/** How many of something there may be, such as an account's schedules: counted with the events that make one more or less. */
export interface Quota {
  kind: QuotaKind;
  key: string;
  by: 1 | -1;
  /** More than this many there may not be; without meaning where one is given back. */
  most: number;
}
export type QuotaKind = 'schedules-of-account';

/** What a command leads to: facts to record, and what becomes taken or free with them. */
export interface Decision {
  events: NewEvent[];
  claims?: Claim[];
  releases?: Claim[];
  quotas?: Quota[];
}

export interface Decider<A extends Aggregate, State, Command extends { type: string }> {
  aggregate: A;
  /** Before the first event. */
  initial: State;
  decide: {
    [T in Command['type']]: (command: Extract<Command, { type: T }>, state: State) => Decision | Refusal;
  };
  evolve: { [T in EventTypeOf<A>]: (state: State, event: RecordedEvent<T>) => State };
  /** What to answer when a claim that the decision needs is held by another stream. */
  claimed: { [K in ClaimKind]?: (key: string, holder: string) => Refusal };
  /** What to answer when a quota is used up. */
  usedUp?: { [K in QuotaKind]?: (key: string, most: number) => Refusal };
}

/** The state after the given events. Events of other aggregates are a fault of the caller. */
export function fold<A extends Aggregate, State, Command extends { type: string }>(
  decider: Decider<A, State, Command>,
  events: readonly RecordedEvent[],
): State {
  return events.reduce((state, event) => evolveOne(decider, state, event), decider.initial);
}

function evolveOne<A extends Aggregate, State, Command extends { type: string }>(
  decider: Decider<A, State, Command>,
  state: State,
  event: RecordedEvent,
): State {
  const rules: Partial<Record<string, (state: State, event: never) => State>> = decider.evolve;
  const rule = rules[event.type];
  if (!rule) throw new TypeError(`${event.type} is no event of a ${decider.aggregate}`);
  return rule(state, event as never);
}

/** Applies the rule of the command's type. */
export function decide<A extends Aggregate, State, Command extends { type: string }>(
  decider: Decider<A, State, Command>,
  command: Command,
  state: State,
): Decision | Refusal {
  const rules: Record<string, (command: never, state: State) => Decision | Refusal> = decider.decide;
  const rule = rules[command.type];
  if (!rule) throw new TypeError(`${command.type} is no command of a ${decider.aggregate}`);
  return rule(command as never, state);
}
