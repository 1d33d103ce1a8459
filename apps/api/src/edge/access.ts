/**
 * Lets in who has a token of the account, with a role that allows the method. Everything below an account is behind it,
 * and nobody's body is read before it is known who they are.
 */
import { type Identity, mayDo } from '@strongroom/identity';
import { currentContext } from '@strongroom/runtime';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { rememberCaller } from './caller.js';
import { HttpFault } from './http-fault.js';
import type { LateDatabase } from './late-database.js';
import type { RateLimits } from './rate-limits.js';
import { operationOf } from './routing.js';

export interface Guards {
  identity: Identity;
  database: LateDatabase;
  limits: RateLimits;
}

export function guardAccounts(server: FastifyInstance, { identity, database, limits }: Guards): void {
  server.addHook('onRequest', async (request) => {
    const accountId = accountIn(request);
    if (accountId === undefined) return;
    await letIn(request, accountId, identity);
    database.require();
    await notTooMany(request, accountId, limits);
  });
}

/** @throws {HttpFault} unauthorized, forbidden */
async function letIn(request: FastifyRequest, accountId: string, identity: Identity): Promise<void> {
  const token = request.headers['x-auth-token'];
  const principal = await identity.authenticate(typeof token === 'string' ? token : undefined);
  if (!principal) {
    const message = token ? 'The token in X-Auth-Token is not valid.' : 'Send a token in X-Auth-Token.';
    throw new HttpFault('unauthorized', message);
  }
  if (principal.accountId !== accountId) throw new HttpFault('forbidden', 'The token is of another account.');
  if (!mayDo(principal, request.method)) {
    throw new HttpFault('forbidden', `The token's roles do not allow ${request.method}.`);
  }
  rememberCaller(request, {
    accountId,
    mayDelete: mayDo(principal, 'DELETE'),
    context: {
      requestId: request.id,
      correlationId: currentContext()?.correlationId ?? request.id,
      causationId: null,
      actor: principal.name,
    },
  });
}

/** @throws {HttpFault} overLimit, telling when to ask again */
async function notTooMany(request: FastifyRequest, accountId: string, limits: RateLimits): Promise<void> {
  const operation = operationOf(request);
  if (!operation) return;
  const seconds = await limits.take(accountId, operation);
  if (seconds === undefined) return;
  throw new HttpFault('overLimit', `The account has asked this too often. Ask again in ${seconds} s.`, {
    'retry-after': String(seconds),
  });
}

/** The account in the path of a route; none on a route without one, and where there is no route. */
function accountIn({ params }: FastifyRequest): string | undefined {
  if (typeof params !== 'object' || params === null || !('accountId' in params)) return undefined;
  return String(params.accountId);
}
