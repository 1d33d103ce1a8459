/** The calls on the account's audit: a list, and a live stream that outlasts its connections. */
import { type AuditResource, auditResource, getAudit } from '@strongroom/contracts';
import type { CallOptions, QueryOf } from './call.js';
import { type FollowOptions, followStream } from './live-stream.js';
import type { OperationCaller } from './operation-caller.js';

export class AuditCalls {
  constructor(private readonly caller: OperationCaller) {}

  /** All of it, the oldest first, read page by page. @throws {ApiFault} */
  async *list(query: QueryOf<typeof getAudit> = {}, options: CallOptions = {}): AsyncGenerator<AuditResource> {
    for await (const page of this.caller.pages(getAudit, { ...options, query })) yield* page.audit;
  }

  /** Each item as it comes, as `followStream` tells. Refusals come some seconds after they happened. */
  follow(options: FollowOptions = {}): AsyncGenerator<AuditResource, void, undefined> {
    return followStream(this.caller, getAudit, auditResource, options);
  }
}
