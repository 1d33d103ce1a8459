/** The services of the deployment that a process knows by its settings. No instance leads to one of them. */
import { placeOfDatabase } from './database-url.js';
import { heartbeatUrl } from './settings/alarms.js';
import { auditSyslog } from './settings/audit.js';
import type { GivenSettings } from './settings/given-settings.js';
import { keystoneUrl } from './settings/identity.js';
import { saslTokenUrl } from './settings/kafka.js';
import { brokers, databaseUrl, feed } from './settings/ledger-and-feed.js';
import { httpHost, httpPort } from './settings/process.js';

export interface OwnService {
  /** A name, an address, or the folder of a socket. */
  host: string;
  port: number;
}

export function ownServicesOf(given: GivenSettings, privateHttp?: OwnService): OwnService[] {
  const kafka = given.value(feed) === 'kafka' ? (given.valueIfSet(brokers) ?? []) : [];
  const tokenUrl = given.valueIfSet(saslTokenUrl);
  const urls = [
    given.valueIfSet(keystoneUrl),
    given.valueIfSet(heartbeatUrl),
    tokenUrl === undefined ? undefined : new URL(tokenUrl),
  ];
  const syslog = given.valueIfSet(auditSyslog);
  const http = { host: given.value(httpHost), port: given.value(httpPort) };
  return [
    placeOfDatabase(given.value(databaseUrl)),
    ...kafka.map((broker) => ({ host: broker.replace(/:\d+$/, ''), port: Number(/\d+$/.exec(broker)?.[0]) })),
    ...urls.flatMap((url) => (url ? [placeOf(url)] : [])),
    ...(syslog ? [syslog] : []),
    ...[http, ...(privateHttp ? [privateHttp] : [])].filter(({ port }) => port !== 0),
  ];
}

function placeOf({ hostname, port, protocol }: URL): OwnService {
  return { host: hostname, port: Number(port || (protocol === 'https:' ? 443 : 80)) };
}
