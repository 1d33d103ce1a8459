/**
 * Decisions are written as tables. For each aggregate, `decide` has a rule for each type of command, and `evolve` one for each
 * type of event. A type without its rule does not compile.
 */
import type { Aggregate, EventTypeOf, NewEvent, RecordedEvent, Refusal } from '@strongroom/contracts';

/** Something that only one stream may hold at a time, such as the running backup of an instance. */
export interface Claim {
  kind: ClaimKind;
  key: string;
}
export type ClaimKind = 'schedule-of-instance' | 'running-backup-of-instance' | 'idempotency-key';

/** A limit to how many there may be of something, such as an account's schedules. It is counted together with the events. */
export interface Quota {
  kind: QuotaKind;
  key: string;
  by: 1 | -1;
  /** There may not be more than this many. It means nothing where one is given back. */
  most: number;
}
export type QuotaKind =
  | 'schedules-of-account'
  | 'instances-of-account'
  | 'built-servers-of-account'
  | 'webhooks-of-account';
/** What stands for no limit. */
export const noLimit = 2_147_483_647;

/** What a command leads to: events to record, and claims and quotas that are taken or released with them. */
export interface Decision {
  events: NewEvent[];
  claims?: Claim[];
  releases?: Claim[];
  quotas?: Quota[];
}

export interface Decider<A extends Aggregate, State, Command extends { type: string }> {
  aggregate: A;
  /** The state before the first event. */
  initial: State;
  decide: {
    [T in Command['type']]: (command: Extract<Command, { type: T }>, state: State) => Decision | Refusal;
  };
  evolve: { [T in EventTypeOf<A>]: (state: State, event: RecordedEvent<T>) => State };
  /** The refusal when another stream holds a claim that the decision needs. */
  claimed: { [K in ClaimKind]?: (key: string, holder: string) => Refusal };
  /** The refusal when a quota is used up. */
  usedUp?: { [K in QuotaKind]?: (key: string, most: number) => Refusal };
}

/** The state after the given events, which must all be of the decider's aggregate. */
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

/** Decides a command by the rule of its type. */
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
