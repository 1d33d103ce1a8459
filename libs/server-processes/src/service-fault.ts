/** A service that was to run on this machine does not: says what is missing, or where its log is. */
import { Fault } from '@strongroom/contracts';

const retryableByCode = {
  /** Its programs are not installed, or not for this machine. */
  'not-installed': false,
  /** It can't be run as, or reached by, the user that it has to run as. */
  'no-place': false,
  /** The folder that it was to carry on with holds no data. */
  'no-data': true,
  /** It ended, or did not answer, before it was ready. */
  'did-not-start': true,
  /** One from before runs on its data and does not end. */
  'still-runs': true,
  /** Whoever asked for the start has called it off. */
  'called-off': false,
} as const;

export type ServiceFaultCode = keyof typeof retryableByCode;

export class ServiceFault extends Fault<ServiceFaultCode> {
  override readonly name = 'ServiceFault';

  constructor(code: ServiceFaultCode, message: string, options?: { cause?: unknown }) {
    super(code, retryableByCode[code], message, options);
  }
}

export function calledOff(what: string): ServiceFault {
  return new ServiceFault('called-off', `the start of ${what} was called off`);
}
