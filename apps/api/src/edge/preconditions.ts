/** `ETag` and `If-Match`: a resource's version, by which a client changes exactly what it has read. RFC 9110, 8.8.3 and 13.1.1. */
import type { FastifyReply } from 'fastify';
import { HttpFault } from './http-fault.js';

interface Versioned {
  id: string;
  version: number;
}

export function tagWith(reply: FastifyReply, { version }: Pick<Versioned, 'version'>): void {
  void reply.header('etag', tagOf(version));
}

/**
 * The version that the resource must still have when the command is decided; undefined when the client has sent none.
 * @throws {HttpFault} preconditionFailed when it has another version already, badRequest for what is no list of tags
 */
export function expectedVersion(ifMatch: string | undefined, { id, version }: Versioned): number | undefined {
  const wanted = ifMatch?.trim();
  if (wanted === undefined || wanted === '*') return undefined;
  const tags = wanted.split(',').map((tag) => tag.trim());
  if (!tags.every((tag) => /^(W\/)?"[\x21\x23-\x7e]*"$/.test(tag))) {
    throw new HttpFault('badRequest', 'If-Match: must be * or entity tags such as "3".');
  }
  if (tags.includes(tagOf(version))) return version;
  throw new HttpFault('preconditionFailed', `${id} is at ${tagOf(version)} now: read it again, then decide.`);
}

function tagOf(version: number): string {
  return `"${version}"`;
}
