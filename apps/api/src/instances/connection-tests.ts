/** Tries the connection to an instance's server, or one that it is to have, and tells everything that backups lack there. */
import type { ConnectionTest, Endpoint } from '@strongroom/contracts';
import type { RegisteredInstance } from '@strongroom/domain';
import type { EngineFor, ServerTest, Verdict } from '@strongroom/engines';
import type { Clock } from '@strongroom/runtime';
import { HttpFault } from '../edge/http-fault.js';
import { type Connection, warningsOfCertificates } from './connection-change.js';

/** The token of Nest for the engines that ask customers' servers. */
export const enginesToken = Symbol('EngineFor');

/** This is far shorter than a client waits for its answer. */
const withinMs = 5_000;

export function tryConnection(
  engines: EngineFor,
  {
    accountId,
    instanceId,
    datastore,
    builtFrom,
  }: Pick<RegisteredInstance, 'accountId' | 'instanceId' | 'datastore' | 'builtFrom'>,
  { endpoint, credential }: Connection,
): Promise<ServerTest> {
  const target = { accountId, instanceId, endpoint, ...credential, isBuiltHere: builtFrom !== null };
  return engines(datastore.type).test(target, { withinMs });
}

/** @throws {HttpFault} unprocessableEntity when no full backup can be taken with the connection */
export function mustAllowBackups({ full: { missing } }: ServerTest): void {
  if (missing.length === 0) return;
  throw new HttpFault(
    'unprocessableEntity',
    `instance.connection: ${missing.join(' ')} Nothing was changed: the connection before stays in force. With "verify": false beside "connection", the new one counts without being tried.`,
  );
}

export function testResource(
  { server, full, incremental, tried }: ServerTest,
  endpoint: Endpoint,
  clock: Clock,
): ConnectionTest {
  return {
    server: server
      ? {
          version: server.version,
          system_id: server.systemId,
          clock_ahead_seconds: server.clockAheadMs === null ? null : server.clockAheadMs / 1_000,
        }
      : null,
    full: possibility(full),
    incremental: possibility(incremental),
    tried: tried.map(({ what, fault }) => ({
      what,
      fault: fault ? { code: fault.code, message: fault.message } : null,
    })),
    warnings: warningsOfCertificates(endpoint, clock.now()),
  };
}

function possibility({ missing }: Verdict): ConnectionTest['full'] {
  return { possible: missing.length === 0, missing };
}
