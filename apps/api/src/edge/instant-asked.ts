/** The instant that a request asks about. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { HttpFault, quoted } from './http-fault.js';
import { queryValue } from './paging.js';

const instant = z.iso.datetime({ offset: true });

/** @returns undefined when the request names none. @throws {HttpFault} badRequest */
export function instantAsked(request: FastifyRequest, name: 'as_of' | 'since'): Date | undefined {
  const given = queryValue(request, name);
  if (given === undefined) return undefined;
  if (instant.safeParse(given).success) return new Date(given);
  throw new HttpFault(
    'badRequest',
    `${name}: ${quoted(given)} is no instant of RFC 3339 with a zone, such as 2026-11-14T14:30:00Z. In a query, a + is written as %2B.`,
  );
}
