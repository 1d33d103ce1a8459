/** What the audit keeps of a request that was refused because of who asked. Every text in it can be stored. */
import { type ActorDetails, accountId } from '@strongroom/contracts';
import { clientIdsOf } from '@strongroom/runtime';
import type { FastifyRequest } from 'fastify';
import type { HttpFault } from './http-fault.js';
import type { RefusedRequest } from './refusals.js';
import { operationOf } from './routing.js';

/** Who asks, as soon as the token has told it. */
interface Asker {
  accountId: string;
  actor: ActorDetails;
}

declare module 'fastify' {
  interface FastifyRequest {
    asker: Asker | undefined;
  }
}

export function rememberAsker(request: FastifyRequest, asker: Asker): void {
  request.asker = asker;
}

/**
 * Whoever asks for another account is told in the audit of its own, by name. The other account is told that somebody has asked, and
 * not who: an account learns nothing of another one.
 */
export function refusedRequests(request: FastifyRequest, { status, because }: HttpFault): RefusedRequest[] {
  if (!because) return [];
  const asker = request.asker;
  const asked = accountId.safeParse(askedAccountOf(request)).data;
  const { clientRequestId = null } = clientIdsOf(request.raw);
  const common = {
    status,
    because: because.because,
    operation: operationOf(request)?.name ?? null,
    rights: because.rights ?? [],
    address: request.clientAddress || null,
    requestId: request.id,
  };
  if (!asker) return [{ ...common, accountId: asked, actor: null, askedAccount: null, clientRequestId }];
  const { actor } = asker;
  if (because.because !== 'other-account') {
    return [{ ...common, accountId: asker.accountId, actor, askedAccount: null, clientRequestId }];
  }
  return [
    { ...common, accountId: asker.accountId, actor, askedAccount: asked ?? null, clientRequestId },
    { ...common, accountId: asked, actor: null, askedAccount: null, clientRequestId: null },
  ];
}

function askedAccountOf({ params }: FastifyRequest): unknown {
  return typeof params === 'object' && params !== null && 'accountId' in params ? params.accountId : undefined;
}
