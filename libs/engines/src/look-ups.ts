/**
 * Looks up the names of hosts, of which tenants choose some. A name whose server never answers holds a thread of this process for as
 * long as the system waits for it, and the names of our own services need such threads too. So few names of tenants are looked up at a
 * time, and ours wait for none of them.
 */
import { SharedPlaces } from './shared-places.js';

/** Node has four threads unless it is told otherwise, and takes half of them for look-ups. */
const threads = Number(process.env.UV_THREADPOOL_SIZE) || 4;
const usualMost = Math.max(1, Math.floor(threads / 4));

export class LookUps {
  private readonly turns: SharedPlaces;

  /** @param most how many names of tenants are looked up at a time. Default: half of the threads for look-ups, at least one */
  constructor(
    private readonly lookup: (host: string) => Promise<string[]>,
    most = usualMost,
  ) {
    this.turns = new SharedPlaces(most);
  }

  /**
   * @param accountId whose name it is: as long as there are several turns, no account has all of them
   * @returns each address once, at least one
   * @throws the error of the look-up; the signal's reason
   */
  async ofTenant(host: string, accountId: string, signal: AbortSignal): Promise<string[]> {
    // The turn ends with the look-up, however soon nobody waits for it any more: the system holds the thread until then.
    return this.found(
      host,
      await untilAborted(() => this.turns.take(accountId, signal, () => this.lookup(host)), signal),
    );
  }

  /** The same for a service of the deployment, which waits for no turn. */
  async ofService(host: string, signal: AbortSignal): Promise<string[]> {
    return this.found(host, await untilAborted(() => this.lookup(host), signal));
  }

  private found(host: string, addresses: readonly string[]): string[] {
    if (addresses.length === 0) throw new Error(`the name ${host} has no address`);
    return [...new Set(addresses)];
  }
}

function untilAborted<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort));
  });
}
