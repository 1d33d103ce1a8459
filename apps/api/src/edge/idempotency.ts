/** `Idempotency-Key` on a request that changes something: the same request, made again, gets the first one's answer. */
import { Inject } from '@nestjs/common';
import {
  deleteSchedulesId,
  type FaultType,
  type Operation,
  postSchedules,
  putSchedulesId,
  streamOf,
  takesKey,
} from '@strongroom/contracts';
import { isOutage, Ledger } from '@strongroom/ledger';
import { type Logger, loggerToken } from '@strongroom/runtime';
import type { FastifyRequest } from 'fastify';
import type { Asked } from './asked.js';
import { type Caller, callerOf, mustHave, rememberCaller } from './caller.js';
import { HttpFault, KeyInUse, unavailable } from './http-fault.js';
import { IdempotentRequests, isKeptBefore, type KeyedRequest, replayed, type Settled } from './idempotent-requests.js';
import { withFractionsForFloats } from './json-body.js';
import { eventsOfMaking, type MadeBy, madeByToken } from './made.js';
import { pathAsked } from './routing.js';

/** These answers decide on the request. Any other says that the request was not decided, and may be made again. */
const decisions: readonly FaultType[] = [
  'badRequest',
  'itemNotFound',
  'conflict',
  'preconditionFailed',
  'unprocessableEntity',
];

/**
 * Such a request does nothing but read until it appends. So it is worked at while its key is looked for. What is appended waits for that
 * look, and whatever comes of the work counts only when the request is the first with its key.
 */
const onlyAppending: ReadonlySet<string> = new Set(
  [postSchedules, putSchedulesId, deleteSchedulesId].map(({ name }) => name),
);
/**
 * Such a request appends, or it has no effect and fails. The append takes the claim on the key, so its success says that the request is
 * the first with the key, and the key is not looked for before.
 */
const alwaysAppending: ReadonlySet<string> = new Set([postSchedules, deleteSchedulesId].map(({ name }) => name));

type Outcome = { body: unknown } | { error: unknown };

interface KeyedCall {
  asked: Asked;
  caller: Caller;
  keyed: KeyedRequest;
  operation: Operation;
  work: () => unknown;
}

export class Idempotency {
  constructor(
    @Inject(IdempotentRequests) private readonly requests: IdempotentRequests,
    @Inject(madeByToken) private readonly madeBy: MadeBy,
    @Inject(Ledger) private readonly ledger: Ledger,
    @Inject(loggerToken) private readonly log: Logger,
  ) {}

  /**
   * Answers a request once. One that has come before with its key gets its first answer.
   * @param work does what is asked and gives the body of the answer
   */
  answer(asked: Asked, operation: Operation, work: () => unknown): unknown {
    const { request } = asked;
    const caller = callerOf(request);
    const key = takesKey(operation) ? keyOf(request) : undefined;
    if (!caller || key === undefined) return work();
    const { accountId, instances } = caller;
    const keyed = {
      accountId,
      instances,
      key,
      method: request.method,
      path: pathAsked(request),
      body: asWritten(request.body),
    };
    return this.once({ asked, caller, keyed, operation, work });
  }

  private once(call: KeyedCall): Promise<unknown> {
    if (alwaysAppending.has(call.operation.name)) return this.workedFirst(call);
    return onlyAppending.has(call.operation.name) ? this.workedBeside(call) : this.worked(call);
  }

  /** Does nothing until it is known whether the request is the first with its key. */
  private async worked(call: KeyedCall): Promise<unknown> {
    const before = await this.requests.before(call.keyed);
    if (before.is !== 'open') return this.again(call, before);
    const key = this.requests.keyOf(call.keyed, before.resourceId);
    return this.decided(call, key.keeps.resourceId, await this.workAt(call, key));
  }

  private async workedBeside(call: KeyedCall): Promise<unknown> {
    const looked = this.requests.before(call.keyed);
    const isFirst = looked.then(({ is }) => {
      if (is !== 'open') throw new TypeError('nothing is appended for a request that has come before');
    });
    // Whatever the look throws is thrown below as well. Work that ends before it appends has not waited for it.
    isFirst.catch(() => {});
    const key = this.requests.keyOf(call.keyed);
    const outcome = await this.workAt(call, { ...key, isFirst });
    // The look is believed before the work, which may have found what an earlier request with the key has left.
    const before = await looked;
    if (before.is !== 'open') return this.again(call, before);
    return this.decided(call, key.keeps.resourceId, outcome);
  }

  /** Looks for the key only when the work has failed: it may have met what an earlier request with the key has left. */
  private async workedFirst(call: KeyedCall): Promise<unknown> {
    const key = this.requests.keyOf(call.keyed);
    const { resourceId } = key.keeps;
    const outcome = await this.workAt(call, key);
    if (!('error' in outcome)) return outcome.body;
    const { error } = outcome;
    // Nothing can be looked for in an outage, and what is said of it tells whether something may have been written.
    if (isOutage(error)) throw error;
    const isTaken = error instanceof KeyInUse;
    if (!isTaken && isDecision(error)) return this.decided(call, resourceId, outcome);
    const before = await this.requests.before(call.keyed);
    if (before.is !== 'open') return this.again(call, before);
    if (!isTaken) throw error;
    // The request that had the key is so old that it has been forgotten now.
    return this.decided(call, resourceId, await this.workAt(call, key));
  }

  /** @returns the body of the answer, or what was thrown instead */
  private async workAt({ asked, caller, work }: KeyedCall, key: NonNullable<Caller['key']>): Promise<Outcome> {
    rememberCaller(asked.request, { ...caller, newId: key.keeps.resourceId, key });
    try {
      return { body: await work() };
    } catch (error) {
      return {
        error: isKeptBefore(error) ? new KeyInUse('A request with this Idempotency-Key was answered before.') : error,
      };
    }
  }

  /** The answer to a request that has not come before. What decides on it is kept. */
  private async decided(call: KeyedCall, resourceId: string, outcome: Outcome): Promise<unknown> {
    if (!('error' in outcome)) return this.kept(call, resourceId, outcome.body);
    const { error } = outcome;
    if (!isDecision(error)) throw error;
    const instead = await this.requests.refuse(call.keyed, resourceId, error);
    if (!instead) throw error;
    return this.again(call, instead);
  }

  /**
   * A token that lacks the right for the request gets no answer that another one of the account has got.
   * @throws {HttpFault} forbidden; the first refusal; serviceUnavailable when the first answer was not kept and can't be made now
   */
  private async again(call: KeyedCall, settled: Settled): Promise<unknown> {
    const { rightsFor } = call.operation;
    for (const right of rightsFor?.(call.asked.body) ?? []) mustHave(call.caller, right, 'The Idempotency-Key');
    if (settled.is === 'refused') throw settled.fault;
    const { operation } = call;
    const { reply } = call.asked;
    void reply.headers(replayed);
    if (settled.is === 'answered') {
      const body = settled.body ?? undefined;
      if (body !== undefined && operation.answer) void reply.status(200);
      return body;
    }
    return this.kept(call, settled.resourceId, await this.madeAgain(operation, settled.resourceId));
  }

  /** The first answer of the operation, from the events that it has appended; undefined when that answer is empty. */
  private async madeAgain({ name, response }: Operation, resourceId: string): Promise<unknown> {
    if (!response) return undefined;
    const made = this.madeBy.get(name);
    if (!made) throw new TypeError(`nothing shows what ${name} makes`);
    try {
      if ('find' in made) return await made.find(resourceId);
      const history = await this.ledger.readStream(streamOf(made.aggregate, resourceId));
      return await made.show(eventsOfMaking(history));
    } catch (error) {
      if (!isOutage(error)) throw error;
      throw unavailable(
        "The ledger's database does not answer at the moment. Try again.",
        'The request with this Idempotency-Key has had its effect. Only its answer could not be read now: send it again with the same Idempotency-Key.',
      );
    }
  }

  /**
   * The answer to an operation that makes something is made anew from its events when it is asked for again, and that to one which only
   * appends is empty: neither is kept. Another one that can't be kept is no failure: the effect is on disk.
   */
  private async kept({ keyed, operation }: KeyedCall, resourceId: string, body: unknown): Promise<unknown> {
    if (this.madeBy.has(operation.name) || onlyAppending.has(operation.name)) return body;
    try {
      const first = await this.requests.end(keyed, resourceId, operation.status, body);
      if (first?.is === 'answered') return first.body ?? undefined;
    } catch (error) {
      this.log.warn({ err: error }, "an idempotent request's answer was not kept");
    }
    return body;
  }
}

function isDecision(error: unknown): error is HttpFault {
  return error instanceof HttpFault && decisions.includes(error.type);
}

/** A body with 14.0 is another body than one with 14: where 14 is accepted, 14.0 may be refused. */
function asWritten(body: unknown): unknown {
  return typeof body === 'object' && body !== null ? (withFractionsForFloats(body) ?? body) : body;
}

/** @throws {HttpFault} badRequest */
function keyOf({ headers }: FastifyRequest): string | undefined {
  const key = headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key === 'string' && /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new HttpFault('badRequest', 'Idempotency-Key: must be 1 to 255 visible ASCII characters, such as a UUID.');
}
