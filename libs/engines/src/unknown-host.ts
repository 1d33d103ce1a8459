/**
 * What is told of a host that has never let the instance in: that it was not reached, in the same words whether nothing listens there,
 * something else does, or its name leads where nobody may go. So an instance is no way to look around in networks. The operator's log
 * has what it was.
 */
import { isIP } from 'node:net';
import { messageOf } from '@strongroom/contracts';
import type { EngineTarget } from './engine.js';
import { EngineFault, type EngineFaultCode } from './engine-fault.js';

type Target = Pick<EngineTarget, 'endpoint' | 'isKnown'>;

/** These say what the network said, and not what a server said. */
const ofNetwork: readonly EngineFaultCode[] = ['server-unreachable', 'server-stalled', 'protocol-violation'];

/**
 * @param hasSpoken whether a server of the instance's kind has answered, such as by an error of its own
 * @returns the fault as it is told
 */
export function asTold(fault: EngineFault, target: Target, hasSpoken: boolean): EngineFault {
  if (target.isKnown !== false || hasSpoken || !ofNetwork.includes(fault.code)) return fault;
  return coarse(target, fault);
}

/** The fault of a host whose name leads nowhere, or nowhere where instances may lead. */
export function notReached(target: Target, error: unknown): EngineFault {
  const { host } = target.endpoint;
  const isName = isIP(host.replace(/^\[|\]$|%.*$/g, '')) === 0;
  if (error instanceof EngineFault) {
    // What an address is everybody knows. Where a name leads is not for everybody.
    return target.isKnown === false && isName && /which leads to/.test(error.message) ? coarse(target, error) : error;
  }
  if (target.isKnown === false) return coarse(target, error);
  const told = `The server can't be reached: ${messageOf(error)}. See that the name of the host is written right, and that the name servers of this deployment know it.`;
  return new EngineFault('server-unreachable', told, { cause: error });
}

function coarse({ endpoint: { host, port } }: Target, cause: unknown): EngineFault {
  const where = host.includes(':') ? `[${host.replace(/^\[|\]$/g, '')}]:${port}` : `${host}:${port}`;
  return new EngineFault(
    'server-unreachable',
    `No database server was reached at ${where}. See that host and port are right, that the server is up, and that its network lets this deployment in. The operator must allow a private network by STRONGROOM_CUSTOMER_NETWORKS, and finds in the log what exactly went wrong. More is told here once the server has let the instance in.`,
    { cause },
  );
}
