/** What the gateway answers instead of a success, as something that is thrown and becomes the contract's fault. */
import { type FaultType, faultCodes, type Refusal, type RefusalCode } from '@strongroom/contracts';

export class HttpFault extends Error {
  override readonly name = 'HttpFault';

  constructor(
    readonly type: FaultType,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }

  get status(): number {
    return faultCodes[this.type];
  }

  get body(): Record<string, { code: number; message: string }> {
    return { [this.type]: { code: this.status, message: this.message } };
  }
}

export function notFound(what: string, id: string): HttpFault {
  return new HttpFault('itemNotFound', `${what} ${quoted(id)} was not found in this account.`);
}

/** For what passes by itself. */
export function unavailable(message: string): HttpFault {
  return new HttpFault('serviceUnavailable', message, { 'retry-after': '5' });
}

/** What a client sent, fit to be told back: no longer than it is worth. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text);
}

const faultOfRefusal: Readonly<Record<RefusalCode, FaultType>> = {
  'instance-unknown': 'itemNotFound',
  'instance-exists': 'unprocessableEntity',
  'instance-being-built': 'unprocessableEntity',
  'lineage-unknown': 'itemNotFound',
  'schedule-unknown': 'itemNotFound',
  'schedule-exists-for-instance': 'unprocessableEntity',
  'schedule-unchanged': 'badRequest',
  'schedule-quota-reached': 'overLimit',
  'backup-unknown': 'itemNotFound',
  'backup-exists': 'unprocessableEntity',
  'backup-running-for-instance': 'unprocessableEntity',
  'backup-already-ended': 'unprocessableEntity',
  'backup-still-running': 'unprocessableEntity',
  'backup-not-completed': 'unprocessableEntity',
  'attempt-superseded': 'unprocessableEntity',
  'slot-already-decided': 'unprocessableEntity',
  'copy-exists': 'unprocessableEntity',
  'copy-unknown': 'itemNotFound',
  'copy-already-ended': 'unprocessableEntity',
  'copy-deleted': 'unprocessableEntity',
  'changed-meanwhile': 'preconditionFailed',
  'key-in-use': 'unprocessableEntity',
};

export function refused({ refused: code, message }: Refusal): HttpFault {
  return new HttpFault(faultOfRefusal[code], message);
}
