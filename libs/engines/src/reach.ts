/**
 * Where instances may lead. The name of a host is looked up once, every address of it is judged, and only addresses that were judged are
 * dialled: a name that leads elsewhere a moment later leads nowhere else.
 */
import { lookup as lookUp } from 'node:dns/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Endpoint } from '@strongroom/contracts';
import type { CustomerConfig, OwnService } from '@strongroom/runtime';
import { isLoopbackHost, kindOfAddress, plainAddress } from '@strongroom/runtime/light';
import type { EngineTarget } from './engine.js';
import { EngineFault } from './engine-fault.js';
import { LookUps } from './look-ups.js';

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
/** A name may lead to thousands of addresses. So many of them are dialled. */
const mostAddresses = 16;
/** A name server may tell some of a service's addresses now and others then, and a service that has moved may come back. */
const rememberedMs = 3_600_000;

/** No instance leads there. */
export class NotAllowedFault extends EngineFault {
  constructor(
    message: string,
    /** Whether the address was written down, and is of a kind that nobody reaches unless it is allowed. Everybody knows that. */
    readonly isPlain: boolean,
  ) {
    super('server-not-allowed', message);
  }
}

export class Reach {
  /** By the host of a service: each address that it had, and when it had it last. */
  private readonly own = new Map<string, Map<string, number>>();
  private readonly lookUps: LookUps;

  constructor(private readonly options: ReachOptions) {
    this.lookUps = new LookUps(options.lookup ?? addressesBySystem);
  }

  /**
   * @returns the addresses that may be dialled for it, at least one
   * @throws {NotAllowedFault}
   * @throws {EngineFault} `server-not-allowed`; the error of the look-up; the signal's reason
   */
  async addressesOf(
    { endpoint, accountId = '', isBuiltHere = false }: Pick<EngineTarget, 'endpoint' | 'accountId' | 'isBuiltHere'>,
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
    const addresses = isIP(unzoned(host)) !== 0 ? [host] : await this.lookUps.ofTenant(host, accountId, signal);
    // This look-up comes second: an address that the name has just got may be one that a service has just got.
    const own = await this.ownAt(endpoint.port, signal);
    for (const address of addresses) {
      const kind = kindOfAddress(address);
      const isAllowed = kind === 'public' || (kind !== 'never' && this.options.customers.networks.has(address));
      if (!isAllowed && !(isBuiltHere && kind === 'loopback')) throw notAllowed(endpoint, address, true);
      if (own.some((each) => this.isSame(each, address))) throw notAllowed(endpoint, address, false);
      mustBeSafe(kind === 'loopback');
    }
    return addresses.slice(0, mostAddresses);
  }

  /** Why an instance is not registered with this connection, as far as that is known without looking up a name. */
  whyNot({ host, tls }: Pick<Endpoint, 'host' | 'tls'>): { field: 'host' | 'tls'; why: string } | undefined {
    const address = bare(host);
    const kind = isIP(unzoned(address)) === 0 ? undefined : kindOfAddress(address);
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
  private async ownAt(port: number, signal: AbortSignal): Promise<string[]> {
    const { ownServices = [] } = this.options;
    const there = ownServices.filter((service) => service.port === port);
    return (await Promise.all(there.map(({ host }) => this.addressesOfOwn(bare(host), signal)))).flat();
  }

  private async addressesOfOwn(host: string, signal: AbortSignal): Promise<string[]> {
    // A server with a socket may listen on the loopback interface too.
    if (host.startsWith('/')) return ['127.0.0.1'];
    if (isIP(unzoned(host)) !== 0) return [host];
    const known = this.own.get(host) ?? new Map<string, number>();
    this.own.set(host, known);
    const found = await this.lookUps.ofService(host, signal).catch((error: unknown) => {
      // Nobody reaches a service by a name that has no address. With any other error it may have one.
      if (signal.aborted || (known.size === 0 && !hasNone(error))) throw error;
      return [];
    });
    const now = performance.now();
    for (const address of found) known.set(address, now);
    for (const [address, at] of known) if (at < now - rememberedMs) known.delete(address);
    return [...known.keys()];
  }
}

const advice =
  'This deployment does not connect to servers there. Its operator can allow private networks with STRONGROOM_CUSTOMER_NETWORKS.';

function notAllowed({ host, port }: Endpoint, address: string, isOfKind: boolean): NotAllowedFault {
  const isWritten = bare(host) === address;
  const leads = isWritten ? `${address}:${port}` : `${bare(host)}:${port}, which leads to ${address}`;
  return new NotAllowedFault(`The instance is at ${leads}. ${advice}`, isWritten && isOfKind);
}

function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

function unzoned(address: string): string {
  return address.split('%')[0] ?? '';
}

function hasNone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOTFOUND';
}

async function addressesBySystem(host: string): Promise<string[]> {
  return (await lookUp(host, { all: true })).map(({ address }) => address);
}

function addressesOfThisMachine(): string[] {
  return Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => plainAddress(address)));
}
