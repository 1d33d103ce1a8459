/** Who calls, for which account, and what the commands of the call are executed with. */
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { EventContext } from '@strongroom/contracts';
import type { Claim } from '@strongroom/domain';
import type { Right } from '@strongroom/identity';
import type { Target } from '@strongroom/ledger';
import type { FastifyRequest } from 'fastify';
import { HttpFault } from './http-fault.js';

export interface Caller {
  accountId: string;
  /** Every event of the call carries it. */
  context: EventContext;
  /** Whether one of the caller's roles has a right. */
  may(right: Right): boolean;
  /** The id of what the call makes. It is the same when the call is made again with its Idempotency-Key. */
  newId: string;
  /** The claim on the call's Idempotency-Key, if it has one. It is taken with the effect, so that the effect happens once. */
  keyClaims: Claim[];
}

/** The stream of one aggregate, as the target of a command of the caller. */
export function targetOf({ accountId, context, keyClaims }: Caller, id: string, instanceId: string): Target {
  return { id, accountId, instanceId, context, claims: keyClaims };
}

/** The caller for a further command of the same call: only one command takes the claim on the key. */
export function withoutKey(caller: Caller): Caller {
  return { ...caller, keyClaims: [] };
}

/**
 * @param what names what was asked, for the answer
 * @throws {HttpFault} forbidden
 */
export function mustHave(caller: Caller, right: Right, what: string): void {
  if (caller.may(right)) return;
  throw new HttpFault('forbidden', `${what}: the token's roles do not have the right ${right}.`);
}

const callers = new WeakMap<FastifyRequest, Caller>();

export function rememberCaller(request: FastifyRequest, caller: Caller): void {
  callers.set(request, caller);
}

/** The caller whom the edge has let in; undefined on a route that belongs to no account. */
export function callerOf(request: FastifyRequest): Caller | undefined {
  return callers.get(request);
}

/** The caller of the request, as a parameter of a route that belongs to an account. */
export const CalledBy = createParamDecorator((_: unknown, execution: ExecutionContext): Caller => {
  const caller = callerOf(execution.switchToHttp().getRequest<FastifyRequest>());
  if (!caller) throw new TypeError('the route belongs to no account');
  return caller;
});
