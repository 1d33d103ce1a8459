/** Executes a command: fold the stream, decide, append, and decide anew when somebody was faster. */
import {
  type Aggregate,
  type EventContext,
  idOf,
  isRefusal,
  type RecordedEvent,
  type Refusal,
  streamOf,
} from '@strongroom/contracts';
import { type ClaimKind, type Decider, decide, fold } from '@strongroom/domain';
import type { Ids } from '@strongroom/runtime';
import type { AppendRequest } from './append-request.js';
import type { Ledger } from './ledger.js';

export interface Target {
  id: string;
  accountId: string;
  /** The key of the events: those of one instance stay in order on the feed. */
  instanceId: string;
  context: EventContext;
}

export interface Executed {
  events: RecordedEvent[];
}

const tries = 5;

/** Somebody else was faster every time: too many writers on one stream. The caller may try again. */
export class ConflictFault extends Error {
  override readonly name = 'ConflictFault';
  readonly code = 'ledger-conflict';
  readonly retryable = true;
}

/**
 * @returns what was recorded (nothing, when the decision was that nothing happened), or the domain's refusal
 * @throws {LedgerFault} when the ledger's database can't be reached
 * @throws {ConflictFault} after five lost races
 */
export async function execute<A extends Aggregate, State, Command extends { type: string }>(
  { ledger, ids }: { ledger: Ledger; ids: Ids },
  decider: Decider<A, State, Command>,
  target: Target,
  command: Command,
): Promise<Executed | Refusal> {
  const stream = streamOf(decider.aggregate, target.id);
  for (let attempt = 1; attempt <= tries; attempt += 1) {
    const history = await ledger.readStream(stream);
    const request = plan({ ids }, decider, target, command, history);
    if (isRefusal(request)) return request;
    if (request.events.length === 0) return { events: [] };
    const outcome = await ledger.append(request);
    if (outcome.outcome === 'claimed') return claimRefusal(decider, request, outcome.kind, outcome.by);
    if (outcome.outcome === 'appended') return { events: recorded(request, outcome) };
  }
  throw new ConflictFault(`stream ${stream} changed ${tries} times while ${command.type} was decided; try again`);
}

/** The append that a command on a known history leads to, or its refusal. For callers that append within a transaction of theirs. */
export function plan<A extends Aggregate, State, Command extends { type: string }>(
  { ids }: { ids: Ids },
  decider: Decider<A, State, Command>,
  { id, accountId, instanceId, context }: Target,
  command: Command,
  history: readonly RecordedEvent[],
): AppendRequest | Refusal {
  const decision = decide(decider, command, fold(decider, history));
  if (isRefusal(decision)) return decision;
  return {
    stream: streamOf(decider.aggregate, id),
    expectedVersion: history.at(-1)?.version ?? 0,
    accountId,
    instanceId,
    context,
    events: decision.events.map((event) => ({ ...event, id: ids.next() })),
    claims: decision.claims ?? [],
    releases: decision.releases ?? [],
  };
}

/** What the decider answers when the ledger says that a claim is taken. */
export function claimRefusal<A extends Aggregate, State, Command extends { type: string }>(
  decider: Decider<A, State, Command>,
  request: AppendRequest,
  kind: string,
  by: string,
): Refusal {
  const claim = request.claims.find((wanted) => wanted.kind === kind);
  const answer = decider.claimed[kind as ClaimKind];
  if (!claim || !answer)
    throw new TypeError(`the ledger refused a claim of kind ${kind} that ${decider.aggregate} has no answer for`);
  return answer(claim.key, idOf(by));
}

function recorded(request: AppendRequest, { position, at }: { position: number; at: Date }): RecordedEvent[] {
  const { stream, accountId, instanceId, context, expectedVersion } = request;
  return request.events.map((event, index) => ({
    ...event,
    stream,
    accountId,
    instanceId,
    context,
    version: expectedVersion + index + 1,
    position: position + index,
    at: at.toISOString(),
  }));
}
