/**
 * Refused requests, on their way to the audit. Requests that are refused alike are one entry at once and one more at the end of the
 * period, with a count. There are so many kinds in a period and no more, whoever asks and however often: what is beyond is counted
 * together. So a flood of refused requests fills neither memory nor disk.
 */
import type { ActorDetails, RefusedBecause, Right } from '@strongroom/contracts';
import type { AuditTrail, NewAuditEntry } from '@strongroom/ledger';
import type { Clock, Ids, Metrics } from '@strongroom/runtime';

export interface RefusedRequest {
  status: number;
  because: RefusedBecause;
  /** The account whose audit it belongs to; undefined when none is known. */
  accountId: string | undefined;
  actor: ActorDetails | null;
  operation: string | null;
  rights: readonly Right[];
  askedAccount: string | null;
  address: string | null;
  requestId: string;
  clientRequestId: string | null;
}

interface Counted {
  first: RefusedRequest;
  /** When the first one came that is in no entry yet, and the last one. */
  from: Date;
  until: Date;
  /** How many are in no entry yet. */
  count: number;
  wasTold: boolean;
}

export const periodMs = 600_000;
/** So many kinds of refusals are told apart in a period: of callers who are nobody, and of each account. */
export const mostKinds = { nobody: 100, account: 50 };
/** Accounts that are told apart, since a stranger may name any. */
const mostAccounts = 1_000;

export class Refusals {
  private kinds = new Map<string, Counted>();
  private perOwner = new Map<string, number>();
  private periodEndsAt: number;
  private readonly total;

  constructor(private readonly parts: { trail: Pick<AuditTrail, 'add'>; clock: Clock; ids: Ids; metrics: Metrics }) {
    this.periodEndsAt = this.now.getTime() + periodMs;
    this.total = parts.metrics.counter({
      name: 'strongroom_refused_requests_total',
      help: 'Requests that were refused because of who asked, by reason.',
      labels: ['because'],
    });
  }

  note(request: RefusedRequest): void {
    this.total.inc({ because: request.because });
    const at = this.now;
    const kind = this.kindOf(request);
    const known = this.kinds.get(kind.key);
    if (known) {
      if (known.count === 0) known.from = at;
      known.count += 1;
      known.until = at;
    } else {
      this.kinds.set(kind.key, { first: kind.request, from: at, until: at, count: 1, wasTold: false });
    }
  }

  /**
   * Writes what is new, and at the end of the period what was counted since. What can't be written now is kept.
   * @param isLast the process ends, and so does its period
   */
  async flush(isLast = false): Promise<void> {
    const isOver = isLast || this.now.getTime() >= this.periodEndsAt;
    const due = [...this.kinds.values()].filter(({ count, wasTold }) => count > 0 && (isOver || !wasTold));
    const written = due.map((each) => ({ each, count: each.count, entry: this.entryOf(each) }));
    await this.parts.trail.add(written.map(({ entry }) => entry));
    // Some may have come meanwhile.
    for (const { each, count } of written) {
      each.count -= count;
      each.from = each.until;
      each.wasTold = true;
    }
    if (!isOver) return;
    const left = [...this.kinds].filter(([, { count }]) => count > 0);
    this.kinds = new Map(left);
    this.perOwner = new Map();
    for (const [, { first }] of left) this.count(ownerOf(first));
    this.periodEndsAt = this.now.getTime() + periodMs;
  }

  /** What a refusal is counted under. */
  private kindOf(request: RefusedRequest): { key: string; request: RefusedRequest } {
    const key = keyOf(request);
    if (this.kinds.has(key)) return { key, request };
    const owner = ownerOf(request);
    const most = request.actor ? mostKinds.account : mostKinds.nobody;
    const isKnown = this.perOwner.has(owner);
    if ((this.perOwner.get(owner) ?? 0) < most && (isKnown || this.perOwner.size < mostAccounts)) {
      this.count(owner);
      return { key, request };
    }
    // Of an account that is known to be real, what is beyond is still told to it.
    const together: RefusedRequest = {
      ...request,
      accountId: request.actor && isKnown ? request.accountId : undefined,
      actor: null,
      operation: null,
      rights: [],
      askedAccount: null,
      address: null,
    };
    return { key: keyOf(together), request: together };
  }

  private count(owner: string): void {
    this.perOwner.set(owner, (this.perOwner.get(owner) ?? 0) + 1);
  }

  private entryOf({ first, from, until, count }: Counted): NewAuditEntry {
    return {
      id: this.parts.ids.next(),
      accountId: first.accountId ?? null,
      isKnown: first.actor !== null,
      at: from,
      entry: {
        type: 'RequestsRefused',
        actor: first.actor,
        data: {
          status: first.status,
          because: first.because,
          operation: first.operation,
          rights: [...first.rights],
          asked_account: first.askedAccount,
          address: first.address,
          count,
          until: until.toISOString(),
          request_id: first.requestId,
          client_request_id: first.clientRequestId,
        },
      },
    };
  }

  private get now(): Date {
    return this.parts.clock.now();
  }
}

/** Those who are nobody share one allowance, whichever accounts they name. */
function ownerOf({ actor, accountId }: RefusedRequest): string {
  return actor ? `account ${accountId}` : 'nobody';
}

function keyOf({ because, accountId, actor, operation, rights, askedAccount, address }: RefusedRequest): string {
  return JSON.stringify([because, accountId, actor?.kind, actor?.id, operation, rights, askedAccount, address]);
}
