/**
 * The 503 of a request during which the ledger's database went away. It says what became of the request: nothing was changed, or the
 * outcome is unknown. In the second case its `details` name the ways to find out.
 */
import { accountPath, type Operation } from '@strongroom/contracts';
import { ConflictFault, isOutage, LedgerFault, UnreadableStreamFault } from '@strongroom/ledger';
import type { FastifyRequest } from 'fastify';
import { callerOf } from './caller.js';
import { type HttpFault, unavailable } from './http-fault.js';
import { operationOf, pathAsked } from './routing.js';

/** @returns undefined for an error of which the service knows nothing to say */
export function awayFaultOf(error: unknown, request: FastifyRequest): HttpFault | undefined {
  if (error instanceof ConflictFault) {
    return unavailable('Other requests kept changing the same thing: nothing was changed by this one. Try again.');
  }
  if (error instanceof UnreadableStreamFault) {
    return unavailable(
      'This process of the service could not read what the request is about: nothing was changed. Try again later; if it goes on, tell the operator of the service.',
      `The reason: ${error.message}.`,
    );
  }
  if (!isOutage(error)) return undefined;
  if (request.method === 'GET' || request.method === 'HEAD') {
    return unavailable("The ledger's database does not answer at the moment. Try again.");
  }
  // Nothing is written but by an append, and what was appended is answered without another look at the database.
  if (!(error instanceof LedgerFault && error.mayBeWritten)) {
    return unavailable("The ledger's database does not answer at the moment: nothing was changed. Try again.");
  }
  return unavailable(
    "The ledger's database stopped answering while the request was recorded: whether it took effect is not known.",
    `The outcome is unknown: the request took effect as a whole, or not at all. ${waysToFindOut(request)}`,
  );
}

function waysToFindOut(request: FastifyRequest): string {
  const repeat =
    request.headers['idempotency-key'] === undefined
      ? 'A request that is sent with an Idempotency-Key can be sent again until it is answered: it takes effect once.'
      : 'Send it again with the same Idempotency-Key: it takes effect once, and is answered as if nothing had been lost.';
  return `${whereToLook(request)} ${repeat}`;
}

/** Where the effect is seen: at the resource, at its id in the list, and among the events. */
function whereToLook(request: FastifyRequest): string {
  const operation = operationOf(request);
  const path = pathAsked(request).replace(/\/(action)?$/, '');
  const { accountId = '', newId = '' } = callerOf(request) ?? {};
  const events = `GET ${accountPath.replace('{accountId}', accountId)}/events lists what was recorded, with request_id ${request.id}`;
  if (operation && makes(operation)) {
    return `If it took effect, GET ${path}/${newId} shows what it made, the list GET ${path} has it, and ${events}.`;
  }
  return `GET ${path} shows whether it did, and ${events}.`;
}

/** Whether the operation makes a resource in a list, whose id the gateway has chosen. */
function makes({ method, path, response }: Operation): boolean {
  return method === 'POST' && response !== undefined && !path.includes('{id}');
}
