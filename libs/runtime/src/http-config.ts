/** How a service serves HTTP: with which certificate, and where its own metrics are. */
import type { GivenSettings } from './settings/given-settings.js';
import * as service from './settings/process.js';
import * as transport from './settings/transport.js';

/** The certificate and the key that clients see. They change where they come from files. */
export interface HttpTls {
  certificate: string;
  key: string;
  certificateFile?: string;
  keyFile?: string;
}

/** Beside the port of the clients, so that several processes on one host keep apart. */
export function privateHttpOf(given: GivenSettings): { host: string; port: number } {
  const port = given.value(service.httpPort);
  const beside = port === 0 ? 0 : port + (port > 65_525 ? -10 : 10);
  return { host: given.value(service.privateHost), port: given.valueIfSet(service.privatePort) ?? beside };
}

export function httpTlsOf(given: GivenSettings): HttpTls | undefined {
  const certificate = given.valueIfSet(transport.tlsCertificate);
  const key = given.valueIfSet(transport.tlsKey);
  if (certificate === undefined || key === undefined) return undefined;
  const certificateFile = given.fileOf(transport.tlsCertificate);
  const keyFile = given.fileOf(transport.tlsKey);
  return {
    ...{ certificate, key },
    ...(certificateFile !== undefined && { certificateFile }),
    ...(keyFile !== undefined && { keyFile }),
  };
}
