/** A service that was to run on this machine does not: says what is missing, or where its log is. */
export class ServiceFault extends Error {
  override readonly name = 'ServiceFault';
}
