/**
 * Executes a command in four steps: read the stream, fold it, let the decider decide, append. When somebody else has
 * appended meanwhile, all of it is done again. Events that are returned are on disk.
 */
import {
  type Aggregate,
  type EventContext,
  Fault,
  idOf,
  isRefusal,
  type RecordedEvent,
  type Refusal,
  refuse,
  type StreamName,
  streamOf,
} from '@strongroom/contracts';
import { type Claim, type ClaimKind, type Decider, decide, fold, type QuotaKind } from '@strongroom/domain';
import { type Ids, inSpan, tracedContext } from '@strongroom/runtime';
import {
  type AppendOutcome,
  type AppendRequest,
  type ExpectedStream,
  isAppended,
  type KeptRequest,
} from './append-request.js';
import type { Ledger } from './ledger.js';

export interface Target {
  id: string;
  accountId: string;
  /** The key of the events. The feed delivers the events of one instance in order. */
  instanceId: string;
  context: EventContext;
  /** Nothing has been recorded of it as far as the sender knows: its stream is read only when that turns out to be wrong. */
  isNew?: boolean | undefined;
  /** The version of the stream that the sender has read; at any other version the command is refused. */
  ifVersion?: number | undefined;
  /** They are taken together with the claims of the decision. */
  claims?: Claim[] | undefined;
  /** The request of a client that is kept together with the decision. */
  keeps?: KeptRequest | undefined;
  /** The events of the stream, when the sender has read them: it is read again only when there are more by then. */
  history?: readonly RecordedEvent[] | undefined;
  /** It has to come true before anything is appended. When it fails, nothing is. */
  after?: Promise<unknown> | undefined;
  /** Other streams that the command relies on. When one of them has another version, the command is decided anew. */
  expects?: readonly ExpectedStream[] | undefined;
}

export interface Executed {
  events: RecordedEvent[];
}

export interface ExecuteParts {
  ledger: Ledger;
  ids: Ids;
}

/** A command with its decider and its target, so that commands on several kinds of aggregates can be executed together. */
export interface BoundCommand {
  stream: StreamName;
  name: string;
  /** The events of the stream as far as the sender knows; undefined when it has not read them. */
  history: readonly RecordedEvent[] | undefined;
  /** The place in the trace of what asks for it. */
  traceparent: string | undefined;
  after: Promise<unknown> | undefined;
  expects: readonly ExpectedStream[];
  plan(ids: Ids, history: readonly RecordedEvent[]): AppendRequest | Refusal;
  /** What the domain answers when the ledger says that a claim is taken or a quota is used up. */
  refusal(request: AppendRequest, outcome: NotFree): Refusal;
}

type NotFree = Extract<AppendOutcome, { outcome: 'claimed' | 'used-up' }>;

/** The kind of claim for a request's Idempotency-Key. Only one append can take it. */
export const idempotencyKey = 'idempotency-key';

const tries = 5;

/** Somebody else was faster every time: too many writers on one stream. The caller may try again. */
export class ConflictFault extends Fault<'ledger-conflict'> {
  override readonly name = 'ConflictFault';

  constructor(message: string) {
    super('ledger-conflict', true, message);
  }
}

/**
 * Executes one command.
 * @returns the events that were recorded, which are none when nothing had to happen; or the domain's refusal
 * @throws {LedgerFault} when the ledger's database can't be reached
 * @throws {ConflictFault} after five lost races
 */
export function execute<A extends Aggregate, State, Command extends { type: string }>(
  parts: ExecuteParts,
  decider: Decider<A, State, Command>,
  target: Target,
  command: Command,
): Promise<Executed | Refusal> {
  return executeTogether(parts, [commandOn(decider, target, command)]);
}

/**
 * Executes commands on different streams: all of them, or none when one is refused. A command may take a claim that an earlier
 * one gives back.
 * @param given the commands, or a function that makes them. The function is called before each try, so that commands which rely
 *   on other streams are made from what it reads then
 * @returns the events that were recorded, in the order of the commands, or the first refusal
 * @throws {LedgerFault} when the ledger's database can't be reached
 * @throws {ConflictFault} after five lost races
 */
export async function executeTogether(
  parts: ExecuteParts,
  given: readonly BoundCommand[] | (() => Promise<readonly BoundCommand[]>),
): Promise<Executed | Refusal> {
  let commands: readonly BoundCommand[] = [];
  for (let attempt = 1; attempt <= tries; attempt += 1) {
    commands = typeof given === 'function' ? await given() : given;
    const places = commands.map(({ traceparent }) => traceparent);
    const types = [...new Set(commands.map(({ name }) => name))].join(', ');
    const done = await inSpan(places, { name: `record ${types}`, kind: 'producer' }, () =>
      executeOnce(parts, commands, attempt === 1),
    );
    if (done) return done;
  }
  const names = commands.map(({ name, stream }) => `${name} on ${stream}`).join(', ');
  throw new ConflictFault(`the ledger changed ${tries} times while ${names} was decided; try again`);
}

/** @returns undefined when somebody else was faster */
async function executeOnce(
  { ledger, ids }: ExecuteParts,
  commands: readonly BoundCommand[],
  isFirst: boolean,
): Promise<Executed | Refusal | undefined> {
  const planned: { command: BoundCommand; request: AppendRequest }[] = [];
  for (const command of commands) {
    const known = isFirst ? command.history : undefined;
    const request = command.plan(ids, known ?? (await ledger.readStream(command.stream)));
    if (isRefusal(request)) return request;
    if (request.events.length > 0) planned.push({ command, request });
  }
  if (planned.length === 0) return { events: [] };
  await Promise.all(commands.map(({ after }) => after));
  const requests = planned.map(({ request }) => request);
  const outcomes = await append(
    ledger,
    requests,
    planned.flatMap(({ command }) => command.expects),
  );
  for (const [index, { command, request }] of planned.entries()) {
    const outcome = outcomes[index];
    if (outcome?.outcome === 'claimed' || outcome?.outcome === 'used-up') return command.refusal(request, outcome);
  }
  if (!outcomes.every(isAppended)) return undefined;
  return { events: requests.flatMap((request, index) => recorded(request, outcomes[index])) };
}

export function commandOn<A extends Aggregate, State, Command extends { type: string }>(
  decider: Decider<A, State, Command>,
  target: Target,
  command: Command,
): BoundCommand {
  return {
    stream: streamOf(decider.aggregate, target.id),
    name: command.type,
    history: target.history ?? (target.isNew ? [] : undefined),
    traceparent: target.context.traceparent,
    after: target.after,
    expects: target.expects ?? [],
    plan: (ids, history) => notAsExpected(target, history) ?? plan({ ids }, decider, target, command, history),
    refusal: (request, outcome) =>
      outcome.outcome === 'claimed'
        ? claimRefusal(decider, request, outcome.kind, outcome.by)
        : quotaRefusal(decider, request, outcome.kind),
  };
}

/** The state of an aggregate that a command looks at beside its own stream. */
export async function stateOf<A extends Aggregate, State, Command extends { type: string }>(
  ledger: Ledger,
  decider: Decider<A, State, Command>,
  id: string,
): Promise<State> {
  return fold(decider, await ledger.readStream(streamOf(decider.aggregate, id)));
}

/** A single request is queued, and shares a statement with others; several requests, or expectations, need their own transaction. */
async function append(
  ledger: Ledger,
  requests: AppendRequest[],
  expects: readonly ExpectedStream[],
): Promise<AppendOutcome[]> {
  const [only, ...more] = requests;
  if (only && more.length === 0 && expects.length === 0) return [await ledger.append(only)];
  return ledger.appendTogether(requests, { expects });
}

/** The append that a command leads to on a known history, or its refusal. A caller that appends in its own transaction uses it. */
export function plan<A extends Aggregate, State, Command extends { type: string }>(
  { ids }: { ids: Ids },
  decider: Decider<A, State, Command>,
  { id, accountId, instanceId, context, claims = [], keeps }: Target,
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
    context: tracedContext(context),
    events: decision.events.map((event) => ({ ...event, id: ids.next() })),
    claims: [...(decision.claims ?? []), ...claims],
    releases: decision.releases ?? [],
    quotas: decision.quotas ?? [],
    keeps,
  };
}

function notAsExpected({ id, ifVersion }: Target, history: readonly RecordedEvent[]): Refusal | undefined {
  const version = history.at(-1)?.version ?? 0;
  if (ifVersion === undefined || ifVersion === version) return undefined;
  return refuse('changed-meanwhile', `${id} is at version ${version} now: read it again, then decide.`);
}

/** The decider's refusal when the ledger says that a claim is taken. */
function claimRefusal<A extends Aggregate, State, Command extends { type: string }>(
  decider: Decider<A, State, Command>,
  request: AppendRequest,
  kind: string,
  by: string,
): Refusal {
  if (kind === idempotencyKey) {
    return refuse('key-in-use', 'A request with this Idempotency-Key has had its effect already.');
  }
  const claim = request.claims.find((wanted) => wanted.kind === kind);
  const answer = decider.claimed[kind as ClaimKind];
  if (!claim || !answer)
    throw new TypeError(`the ledger refused a claim of kind ${kind} that ${decider.aggregate} has no answer for`);
  return answer(claim.key, idOf(by));
}

function quotaRefusal<A extends Aggregate, State, Command extends { type: string }>(
  decider: Decider<A, State, Command>,
  request: AppendRequest,
  kind: string,
): Refusal {
  const quota = request.quotas?.find((wanted) => wanted.kind === kind);
  const answer = decider.usedUp?.[kind as QuotaKind];
  if (!quota || !answer)
    throw new TypeError(`the ledger refused a quota of kind ${kind} that ${decider.aggregate} has no answer for`);
  return answer(quota.key, quota.most);
}

function recorded(request: AppendRequest, outcome: AppendOutcome | undefined): RecordedEvent[] {
  if (outcome?.outcome !== 'appended') return [];
  const { stream, accountId, instanceId, context, expectedVersion } = request;
  return request.events.map((event, index) => ({
    ...event,
    stream,
    accountId,
    instanceId,
    context,
    version: expectedVersion + index + 1,
    position: outcome.position + index,
    at: outcome.at.toISOString(),
  }));
}
