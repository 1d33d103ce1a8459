/** A service can't run on this machine. The message says what is missing, or where the log is. */
import { Fault } from '@strongroom/contracts';

const retryableByCode = {
  /** The programs are not installed, or not for this machine. */
  'not-installed': false,
  /** The service can't run as the user that it has to run as, or that user can't reach its folder. */
  'no-place': false,
  /** The folder that the service was to go on with holds no data. */
  'no-data': true,
  /** The service ended before it was ready, or did not answer in time. */
  'did-not-start': true,
  /** An earlier process runs on the data and does not end. */
  'still-runs': true,
  /** The start was called off by its caller. */
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
