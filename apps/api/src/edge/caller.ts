/** Who calls, for which account, and what the commands of the call are executed with. */
import type { EventContext, Right } from '@strongroom/contracts';
import type { Claim } from '@strongroom/domain';
import type { KeptRequest, Target } from '@strongroom/ledger';
import type { FastifyRequest } from 'fastify';
import { HttpFault, notFound } from './http-fault.js';

/** What of an account can be reached: all of it, or what belongs to some of its instances. */
export interface Reach {
  accountId: string;
  /** Undefined for the whole account. */
  instances?: readonly string[] | undefined;
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | undefined;
  }
}

export interface Caller extends Reach {
  /** Every event of the call carries it. */
  context: EventContext;
  /** Whether one of the caller's roles has a right. */
  may(right: Right): boolean;
  /** The id of what the call makes. It is the same when the call is made again with its Idempotency-Key. */
  newId: string;
  /**
   * The call's Idempotency-Key, if it has one: the claim on it, and what is kept of the request. Both go with the effect, so that the
   * effect happens once. Where it is still being looked at whether the call has had its effect before, `isFirst` tells it, and
   * nothing is appended until then.
   */
  key?: { claim: Claim; keeps: KeptRequest; isFirst?: Promise<unknown> } | undefined;
}

/** The stream of one aggregate, as the target of a command of the caller. */
export function targetOf({ accountId, context, key, newId }: Caller, id: string, instanceId: string): Target {
  const ofKey = { claims: key ? [key.claim] : [], keeps: key?.keeps, after: key?.isFirst };
  return { id, accountId, instanceId, context, ...ofKey, isNew: id === newId };
}

/** The caller for a further command of the same call: only one command takes the claim on the key. */
export function withoutKey(caller: Caller): Caller {
  return { ...caller, key: undefined };
}

/**
 * @param what names what was asked, for the answer
 * @throws {HttpFault} forbidden
 */
export function mustHave(caller: Caller, right: Right, what: string): void {
  if (!caller.may(right)) throw withoutRight([right], what);
}

/** The answer to who lacks a right. @param rights those of which one would do */
export function withoutRight(rights: readonly Right[], what: string): HttpFault {
  const message = `${what}: the token's roles do not have the right ${rights.join(' or ')}.`;
  return new HttpFault('forbidden', message, {}, undefined, { because: 'missing-right', rights });
}

/** Whether what belongs to the instance can be reached. */
export function reaches({ instances }: Reach, instanceId: string): boolean {
  return instances === undefined || instances.includes(instanceId);
}

/** What lies beyond the reach of a caller is not there for it. @throws {HttpFault} itemNotFound */
export function mustReach(reach: Reach, instanceId: string): void {
  if (!reaches(reach, instanceId)) throw notFound('Instance', instanceId);
}

/** @throws {HttpFault} forbidden when the caller reaches only some instances, and so may add none */
export function mustReachAll({ instances }: Reach, what: string): void {
  if (instances === undefined) return;
  const message = `${what}: the token reaches only some instances. Use a token of the whole account.`;
  throw new HttpFault('forbidden', message, {}, undefined, { because: 'instances-only' });
}

export function rememberCaller(request: FastifyRequest, caller: Caller): void {
  request.caller = caller;
}

/** The caller whom the edge has let in; undefined on a route that belongs to no account. */
export function callerOf(request: FastifyRequest): Caller | undefined {
  return request.caller;
}
