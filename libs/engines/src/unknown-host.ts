/**
 * What is told of a host that has never let the instance in: that it was not reached, in the same words whether nothing listens there,
 * something else does, or it is where nobody may go. So an instance is no way to look around in networks. The operator's log has what it
 * was.
 */
import type { EngineTarget } from './engine.js';
import { EngineFault, type EngineFaultCode } from './engine-fault.js';
import { NotAllowedFault } from './reach.js';

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

/**
 * The fault of a host that is not dialled. Where a name leads is told to nobody: who has its name server may point it at a name of ours,
 * whether the host was known before or not.
 */
export function notReached(target: Target, error: unknown): EngineFault {
  const isTold = error instanceof NotAllowedFault ? error.isPlain : error instanceof EngineFault;
  return error instanceof EngineFault && isTold ? error : coarse(target, error);
}

function coarse({ endpoint: { host, port } }: Target, cause: unknown): EngineFault {
  const where = host.includes(':') ? `[${host.replace(/^\[|\]$/g, '')}]:${port}` : `${host}:${port}`;
  return new EngineFault(
    'server-unreachable',
    `No database server was reached at ${where}. See that host and port are right, that the server is up, and that its network lets this deployment in. The operator must allow a private network by STRONGROOM_CUSTOMER_NETWORKS, and finds in the log what exactly went wrong. More is told here once the server at this address has let the instance in.`,
    { cause },
  );
}
