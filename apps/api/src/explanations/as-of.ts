/** The past instant that a request asks about. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { HttpFault, quoted } from '../edge/http-fault.js';
import { queryValue } from '../edge/paging.js';

const instant = z.iso.datetime({ offset: true });

/** @returns undefined when the request asks about now. @throws {HttpFault} badRequest */
export function asOfIn(request: FastifyRequest): Date | undefined {
  const given = queryValue(request, 'as_of');
  if (given === undefined) return undefined;
  if (instant.safeParse(given).success) return new Date(given);
  throw new HttpFault(
    'badRequest',
    `as_of: ${quoted(given)} is no instant of RFC 3339 with a zone, such as 2026-11-14T14:30:00Z. In a query, a + is written as %2B.`,
  );
}
