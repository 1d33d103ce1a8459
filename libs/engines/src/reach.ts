/**
 * Where instances may lead. The name of a host is looked up once, every address of it is judged, and those addresses are the ones that
 * are dialled: a name that leads elsewhere a moment later leads nowhere else.
 */
import { lookup as lookUp } from 'node:dns/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Endpoint } from '@strongroom/contracts';
import type { CustomerConfig, OwnService } from '@strongroom/runtime';
import { isLoopbackHost, kindOfAddress, plainAddress } from '@strongroom/runtime/light';
import type { EngineTarget } from './engine.js';
import { EngineFault } from './engine-fault.js';

export interface ReachOptions {
  customers: Pick<CustomerConfig, 'networks' | 'minTls'>;
  /** What no instance leads to. */
  ownServices?: readonly OwnService[];
  /** Default: the system's own way. */
  lookup?: (host: string) => Promise<string[]>;
  /** The addresses of this machine. Default: those of its interfaces. */
  ofThisMachine?: () => string[];
}

const strictness = ['disable', 'require', 'verify-ca', 'verify-full'] as const satisfies readonly Endpoint['tls'][];
/** For so long the addresses of our own services are not looked up again. */
const keptMs = 30_000;

export class Reach {
  /** By the host of a service: its addresses when they were looked up last. */
  private readonly own = new Map<string, { addresses: string[]; untilMs: number }>();

  constructor(private readonly options: ReachOptions) {}

  /**
   * @returns the addresses that may be dialled for it
   * @throws {EngineFault} `server-not-allowed`; the error of the look-up; the signal's reason
   */
  async addressesOf(
    { endpoint, isBuiltHere = false }: Pick<EngineTarget, 'endpoint' | 'isBuiltHere'>,
    signal: AbortSignal,
  ): Promise<string[]> {
    const host = bare(endpoint.host);
    const { tls } = endpoint;
    const mustBeSafe = (isLoopback: boolean) => {
      const why = isBuiltHere ? undefined : this.whyTooLittle(tls, isLoopback);
      if (why !== undefined) throw new EngineFault('server-not-allowed', why);
    };
    // Before the look-up, so that this tells nothing of where the name leads.
    mustBeSafe(isLoopbackHost(host));
    const addresses = await untilAborted(this.lookedUp(host), signal);
    const own = await untilAborted(this.ownAt(endpoint.port), signal);
    for (const address of addresses) {
      if (own.some((each) => this.isSame(each, address))) throw notAllowed(endpoint, address);
      const kind = kindOfAddress(address);
      const { networks } = this.options.customers;
      const isAllowed = kind === 'public' || (kind !== 'never' && networks.has(address));
      if (!isAllowed && !(isBuiltHere && kind === 'loopback')) throw notAllowed(endpoint, address);
      mustBeSafe(kind === 'loopback');
    }
    return addresses;
  }

  /** Why an instance is not registered with this connection, as far as that is known without looking up a name. */
  whyNot({ host, tls }: Pick<Endpoint, 'host' | 'tls'>): { field: 'host' | 'tls'; why: string } | undefined {
    const address = bare(host);
    const kind = isIP(address.split('%')[0] ?? '') === 0 ? undefined : kindOfAddress(address);
    if (
      kind !== undefined &&
      kind !== 'public' &&
      (kind === 'never' || !this.options.customers.networks.has(address))
    ) {
      return { field: 'host', why: `is ${address}. ${advice}` };
    }
    const why = this.whyTooLittle(tls, isLoopbackHost(address));
    return why === undefined ? undefined : { field: 'tls', why };
  }

  private whyTooLittle(tls: Endpoint['tls'], isLoopback: boolean): string | undefined {
    const least = this.options.customers.minTls ?? (isLoopback ? 'disable' : 'require');
    if (strictness.indexOf(tls) >= strictness.indexOf(least)) return undefined;
    return `This deployment connects to servers with tls "${least}" at the least (STRONGROOM_MIN_TLS), and the tls of the instance is "${tls}". Turn ssl on in the server, and give the instance tls "verify-full" with the ca_certificate of the server's authority.`;
  }

  /** An own service on the loopback interface may listen on every address of its machine. */
  private isSame(own: string, address: string): boolean {
    const [one, other] = [plainAddress(own), plainAddress(address)];
    return one === other || (this.isHere(one) && this.isHere(other));
  }

  private isHere(address: string): boolean {
    if (kindOfAddress(address) === 'loopback' || address === '0.0.0.0' || address === '::') return true;
    const { ofThisMachine = addressesOfThisMachine } = this.options;
    return ofThisMachine().includes(address);
  }

  /** The addresses of our own services that listen on the port. */
  private async ownAt(port: number): Promise<string[]> {
    const { ownServices = [] } = this.options;
    const there = ownServices.filter((service) => service.port === port && !service.host.startsWith('/'));
    return (await Promise.all(there.map(({ host }) => this.addressesOfOwn(bare(host))))).flat();
  }

  private async addressesOfOwn(host: string): Promise<string[]> {
    const known = this.own.get(host);
    if (known && known.untilMs > performance.now()) return known.addresses;
    // A name that has no address now is one that nobody reaches by it.
    const addresses = await this.lookedUp(host).catch(() => known?.addresses ?? []);
    this.own.set(host, { addresses, untilMs: performance.now() + keptMs });
    return addresses;
  }

  private async lookedUp(host: string): Promise<string[]> {
    if (isIP(host.split('%')[0] ?? '') !== 0) return [host];
    const { lookup = addressesBySystem } = this.options;
    return [...new Set(await lookup(host))];
  }
}

const advice =
  'This deployment does not connect to servers there. Its operator can allow private networks with STRONGROOM_CUSTOMER_NETWORKS.';

function notAllowed({ host, port }: Endpoint, address: string): EngineFault {
  const leads = bare(host) === address ? `${address}:${port}` : `${bare(host)}:${port}, which leads to ${address}`;
  return new EngineFault('server-not-allowed', `The instance is at ${leads}. ${advice}`);
}

function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

async function addressesBySystem(host: string): Promise<string[]> {
  return (await lookUp(host, { all: true })).map(({ address }) => address);
}

function addressesOfThisMachine(): string[] {
  return Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => plainAddress(address)));
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
