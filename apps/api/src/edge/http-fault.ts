/** An answer that is no success: it is thrown anywhere on the way of a request, and becomes the contract's fault body. */
import {
  type FaultType,
  faultCodes,
  isRefusal,
  type Refusal,
  type RefusalCode,
  type RefusedBecause,
  type Right,
} from '@strongroom/contracts';
import type { BackupCommand, CopyCommand, InstanceCommand, ScheduleCommand, WebhookCommand } from '@strongroom/domain';

type Command = BackupCommand | CopyCommand | InstanceCommand | ScheduleCommand | WebhookCommand;

/** That a request is refused because of who asks. Such a refusal is in the audit. */
export interface RefusedFor {
  because: RefusedBecause;
  /** The rights of which one is missing. */
  rights?: readonly Right[];
}

export class HttpFault extends Error {
  override readonly name = 'HttpFault';

  constructor(
    readonly type: FaultType,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
    /** What else a client should know, such as how to find out what became of its request. */
    readonly details?: string,
    readonly because?: RefusedFor,
    /** Where the account's resources do not allow what was asked: why, for programs. */
    readonly refusal?: string,
  ) {
    super(message);
  }

  get status(): number {
    return faultCodes[this.type];
  }

  get body(): Record<string, { code: number; message: string; details?: string; refusal?: string }> {
    const { status: code, message, details, refusal } = this;
    const more = { ...(details !== undefined && { details }), ...(refusal !== undefined && { refusal }) };
    return { [this.type]: { code, message, ...more } };
  }
}

/** The request's Idempotency-Key was taken before: by this request, or by another one. */
export class KeyInUse extends HttpFault {
  constructor(message: string) {
    super('unprocessableEntity', message, {}, undefined, undefined, 'key-in-use');
  }
}

export function notFound(what: string, id: string): HttpFault {
  return new HttpFault('itemNotFound', `${what} ${quoted(id)} was not found in this account.`);
}

/** The answer while something is away that comes back by itself: it says when to ask again. */
export function unavailable(message: string, details?: string): HttpFault {
  return new HttpFault('serviceUnavailable', message, { 'retry-after': '5' }, details);
}

/** What a client sent, cut to a length that a message can quote. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text);
}

type Answers = FaultType | ({ [C in Command['type']]?: FaultType } & { otherwise: FaultType });

/** How each refusal is answered. Where the contract answers a command in a way of its own, the command stands beside it. */
const answerTo: Readonly<Record<RefusalCode, Answers>> = {
  'instance-unknown': 'itemNotFound',
  'instance-exists': 'unprocessableEntity',
  'instance-being-built': 'unprocessableEntity',
  'instance-build-failed': 'unprocessableEntity',
  'instance-unchanged': 'badRequest',
  'instance-built-here': 'unprocessableEntity',
  'lineage-unknown': 'itemNotFound',
  'schedule-unknown': 'itemNotFound',
  'schedule-exists-for-instance': 'unprocessableEntity',
  'schedule-unchanged': 'badRequest',
  'schedule-quota-reached': 'overLimit',
  'instance-quota-reached': 'overLimit',
  'built-server-quota-reached': 'overLimit',
  'backup-unknown': 'itemNotFound',
  'backup-exists': 'unprocessableEntity',
  'backup-running-for-instance': 'unprocessableEntity',
  'backup-already-ended': 'unprocessableEntity',
  'backup-still-running': 'unprocessableEntity',
  'backup-not-yet-completed': { BuildInstance: 'conflict', otherwise: 'unprocessableEntity' },
  'backup-not-completed': { BuildInstance: 'conflict', otherwise: 'unprocessableEntity' },
  'backup-on-hold': 'unprocessableEntity',
  'deletion-not-due': 'unprocessableEntity',
  'second-person-needed': 'forbidden',
  'attempt-superseded': 'unprocessableEntity',
  'slot-already-decided': 'unprocessableEntity',
  'copy-exists': 'unprocessableEntity',
  'copy-unknown': 'itemNotFound',
  'copy-already-ended': 'unprocessableEntity',
  'copy-deleted': 'unprocessableEntity',
  'copy-not-there': 'unprocessableEntity',
  'webhook-unknown': 'itemNotFound',
  'webhook-unchanged': 'badRequest',
  'webhook-quota-reached': 'overLimit',
  'changed-meanwhile': 'preconditionFailed',
  'key-in-use': 'unprocessableEntity',
};

/**
 * The outcome of a command that was not refused.
 * @throws {HttpFault} the refusal, as the contract answers it
 */
export function unlessRefused<T>(command: Command['type'], outcome: T | Refusal): T {
  if (!isRefusal(outcome)) return outcome;
  if (outcome.refused === 'key-in-use') throw new KeyInUse(outcome.message);
  const answer = answerTo[outcome.refused];
  const type = typeof answer === 'string' ? answer : (answer[command] ?? answer.otherwise);
  const because = outcome.refused === 'second-person-needed' ? { because: outcome.refused } : undefined;
  throw new HttpFault(type, outcome.message, {}, undefined, because, outcome.refused);
}
