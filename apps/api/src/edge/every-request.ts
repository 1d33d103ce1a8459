/**
 * What every request passes before its route, in order. A body is read only when it is known who sends it, and a request
 * always ends in an answer of the contract.
 */

import type { Type } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import {
  type ActorDetails,
  accountPath,
  actorOfUser,
  getHealthLive,
  getHealthReady,
  type Operation,
  type Roles,
  storableName,
} from '@strongroom/contracts';
import { connectFeed } from '@strongroom/feed';
import { hasRight, type Principal } from '@strongroom/identity';
import { clientIdsOf, type Ids, type RuntimeParts, traceOf } from '@strongroom/runtime';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Authentication } from './authentication.js';
import { BodiesInHand } from './bodies-in-hand.js';
import { type Caller, rememberCaller, withoutRight } from './caller.js';
import { HttpFaultFilter } from './http-fault.filter.js';
import { HttpFault, quoted } from './http-fault.js';
import { refuseUnmetHeaders } from './http-server.js';
import { Idempotency } from './idempotency.js';
import { readJson } from './json-body.js';
import { LateDatabase } from './late-database.js';
import { RateLimits } from './rate-limits.js';
import { Refusals } from './refusals.js';
import { refusedRequests, rememberAsker } from './refused-request.js';
import { RequestsInHand } from './requests-in-hand.js';
import { type Answering, operationOf, serveOperations } from './routing.js';

/** The largest body that is read, in bytes. */
export const bodyLimit = 65_536;

/** @param routes the classes whose methods answer the operations */
export function configureApi(app: NestFastifyApplication, parts: RuntimeParts, routes: readonly Type[]): void {
  const server: FastifyInstance = app.getHttpAdapter().getInstance();
  const [authentication, inHand] = [app.get(Authentication), app.get(RequestsInHand)];
  const [database, limits] = [app.get(LateDatabase), app.get(RateLimits)];
  // 1. The request has an id, which the log and its events carry, and its Host and Expect headers are right.
  refuseUnmetHeaders(server);
  const bodies = new BodiesInHand();
  const judges = { authentication, roles: parts.config.roles, ids: parts.ids };
  server.decorateRequest('caller', undefined);
  server.decorateRequest('asker', undefined);
  server.decorateRequest('session', undefined);
  server.addHook('onRequest', async (request, reply) => {
    const operation = operationOf(request);
    // 2. Its client has not too many requests in hand. Whoever looks after the process is always answered.
    const isOfHealth = operation === getHealthLive || operation === getHealthReady;
    if (!isOfHealth) inHand.begin(request.clientAddress, reply.raw);
    // There is room for its body, of which some is there already: it waits while it is found out who asks.
    const fault = bodies.begin(request.clientAddress, sizeOfBody(request), reply.raw);
    if (fault) throw fault;
    const accountId = accountIn(request);
    if (accountId === undefined) return;
    // 3. The token, or that of the session, belongs to the account, and has a right that lets it in.
    rememberCaller(request, await callerOf(request, accountId, operation, judges));
    // 4. The ledger's database has been reached since the start.
    database.require();
    // 5. The account has not made this request too often.
    if (operation) await notTooMany(operation, accountId, limits);
  });
  // 6. The body is JSON in UTF-8, and not too large. Nest would take forms as well, and Fastify texts.
  server.addHook('preParsing', (request, _, payload, done) => {
    done(sizeOfBody(request) > 0 ? notJson(request) : null, payload);
  });
  app.useBodyParser('application/json', { bodyLimit }, (_, body, done) => done(null, readJson(body)));
  // 7. A request with an Idempotency-Key that has had its effect gets its first answer again, and goes no further.
  // 8. The route parses the body with the contract's schema, runs a command, and answers with a resource.
  const idempotency = app.get(Idempotency);
  const answering: Answering = (asked, operation, work) => idempotency.answer(asked, operation, work);
  serveOperations(server, (type) => app.get(type), routes, answering);
  // 9. An error that is thrown anywhere on the way is answered as a fault of the contract.
  // A refusal because of who asks is noted for the audit.
  const refusals = app.get(Refusals);
  const noteRefusal = (request: FastifyRequest, fault: HttpFault) => {
    for (const refused of refusedRequests(request, fault)) refusals.note(refused);
  };
  app.useGlobalFilters(new HttpFaultFilter(parts.log, noteRefusal));
  // The gateway handles no events. Where there is a broker, it also relays what this or any other process appends.
  connectFeed(app, parts, { readinessNeedsFeed: false });
}

/** The account in the path; undefined when the route belongs to no account, and when there is no route. */
function accountIn({ params }: FastifyRequest): string | undefined {
  if (typeof params !== 'object' || params === null || !('accountId' in params)) return undefined;
  return String(params.accountId);
}

interface Judges {
  authentication: Authentication;
  roles: Roles;
  ids: Ids;
}

/** @throws {HttpFault} unauthorized, forbidden, overLimit */
async function callerOf(
  request: FastifyRequest,
  accountId: string,
  operation: Operation | undefined,
  { authentication, roles, ids }: Judges,
): Promise<Caller> {
  const principal = await authentication.principalOf(request);
  const actor = actorOf(principal, request);
  rememberAsker(request, { accountId: principal.accountId, actor: actor.actorDetails });
  if (principal.accountId !== accountId) {
    const because = { because: 'other-account' } as const;
    throw new HttpFault('forbidden', 'The token is of another account.', {}, undefined, because);
  }
  const may: Caller['may'] = (right) => hasRight(principal, right, roles);
  if (operation) mustBeLetIn(operation, may);
  return {
    accountId,
    ...(principal.instances && { instances: principal.instances }),
    context: {
      requestId: request.id,
      correlationId: request.id,
      causationId: null,
      ...actor,
      ...clientIdsOf(request.raw),
      ...traceOf(request),
    },
    may,
    newId: ids.next(),
  };
}

/** @throws {HttpFault} forbidden, which names the right */
function mustBeLetIn({ rights = [], method, path }: Operation, may: Caller['may']): void {
  if (!rights.some(may)) throw withoutRight(rights, `${method} ${path.replace(accountPath, '')}`);
}

/** The name of a user is anybody's. Its id tells who it is, and its name can't be that of a component of ours. */
function actorOf(
  principal: Principal,
  { clientAddress }: FastifyRequest,
): { actor: string; actorDetails: ActorDetails } {
  let known = actors.get(principal);
  if (!known) {
    const { name, id = name, domain } = principal;
    const details = {
      kind: 'user' as const,
      id: storableName(id),
      name: storableName(name),
      domain: domain === undefined ? null : storableName(domain),
    };
    known = { actor: actorOfUser(name), details };
    actors.set(principal, known);
  }
  return { actor: known.actor, actorDetails: { ...known.details, address: clientAddress || null } };
}

/** A principal stays the same for as long as its token is remembered. */
const actors = new WeakMap<Principal, { actor: string; details: Omit<ActorDetails, 'address'> }>();

/** @throws {HttpFault} overLimit, which says when to ask again */
async function notTooMany(operation: Operation, accountId: string, limits: RateLimits): Promise<void> {
  const seconds = await limits.take(accountId, operation);
  if (seconds === undefined) return;
  const message = `The account has asked this too often. Ask again in ${seconds} s.`;
  const headers = { 'retry-after': String(seconds) };
  throw new HttpFault('overLimit', message, headers, undefined, { because: 'rate-limit' });
}

/** How large the body is, in bytes, as it is told before it comes. One that is not told, or is told as too large, ends at the limit. */
function sizeOfBody({ headers }: FastifyRequest): number {
  if (headers['transfer-encoding'] !== undefined) return bodyLimit;
  return Math.min(Number(headers['content-length'] ?? 0), bodyLimit);
}

/** Why a body is not read: it is of another type. */
function notJson({ headers }: FastifyRequest): HttpFault | null {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = headers;
  if (!/^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?;?$/i.test(type)) {
    return new HttpFault(
      'badMediaType',
      `A body of type ${quoted(type)} can't be read. Send application/json, in UTF-8.`,
    );
  }
  if (encoding.toLowerCase() !== 'identity') {
    return new HttpFault('badMediaType', `A body encoded as ${quoted(encoding)} can't be read. Send it as it is.`);
  }
  return null;
}
