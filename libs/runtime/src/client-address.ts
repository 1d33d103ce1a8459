/**
 * Whose address a request comes from. A proxy that the operator has listed is believed about the address that it was reached from; what
 * anybody else says of addresses is not even read.
 */
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import type { Networks } from './addresses.js';

export const forwardedHeaders = ['x-forwarded-for', 'forwarded'] as const;
/** The one header that the proxies write. A client could have written the other one. */
export type ForwardedHeader = (typeof forwardedHeaders)[number];

export interface TrustedProxies {
  networks: Networks;
  header: ForwardedHeader;
}

export class ClientAddresses {
  private readonly proxies = new BlockList();
  private readonly header: ForwardedHeader;
  private readonly areListed: boolean;

  constructor({ networks, header }: TrustedProxies) {
    this.header = header;
    this.areListed = networks.networks.length > 0;
    for (const [address, prefix] of networks.networks) {
      this.proxies.addSubnet(address, prefix, isIPv4(address) ? 'ipv4' : 'ipv6');
    }
  }

  isProxy(address: string): boolean {
    // To look an address up costs more than all else that is done with it.
    return this.areListed && isIP(address) !== 0 && this.proxies.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
  }

  /**
   * Goes from the peer through the proxies that are listed, and stops at the first address that is no such proxy. What stands before that
   * one in the header may be anything.
   * @returns an IP address; empty when the connection is gone already
   */
  of({
    socket,
    headers,
  }: Pick<IncomingMessage, 'headers'> & { socket: { remoteAddress?: string | undefined } }): string {
    let address = plain(socket.remoteAddress ?? '');
    if (!this.isProxy(address)) return address;
    const told = headers[this.header];
    const hops = (Array.isArray(told) ? told : [told ?? '']).join(',').split(',').reverse();
    for (const hop of hops) {
      const before = this.header === 'forwarded' ? addressIn(forIn(hop)) : addressIn(hop.trim());
      if (before === undefined) return address;
      address = before;
      if (!this.isProxy(address)) return address;
    }
    return address;
  }
}

/**
 * What is counted as one client: an address of IPv4, and of IPv6 the network of 64 bits, because whoever has one address of it has all.
 */
export function clientNetworkOf(address: string): string {
  const unzoned = plain(address);
  if (!unzoned.includes(':') || !isIPv6(unzoned)) return unzoned;
  const [head = '', tail = ''] = unzoned.split('::');
  const [first = [], last = []] = [head, tail].map((part) => part.split(':').filter((group) => group !== ''));
  const missing = Math.max(0, 8 - first.length - last.length);
  return [...first, ...Array<string>(missing).fill('0'), ...last]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}

/** Without its zone; an address of IPv4 that came by a socket of IPv6 as what it is. */
function plain(address: string): string {
  if (!/[%:]/.test(address)) return address;
  return address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '');
}

/** The `for` of one element of `Forwarded` (RFC 7239, 4). */
function forIn(element: string): string {
  const [, quoted, token = quoted] = /(?:^|;)\s*for\s*=\s*(?:"([^"\\]*)"|([^\s;"]+))\s*(?:;|$)/i.exec(element) ?? [];
  return token ?? '';
}

/** The address, which may have a port behind it and, of IPv6, brackets around it; undefined when it is none. */
function addressIn(text: string): string | undefined {
  const [, inBrackets, beforePort] = /^(?:\[([^\]]*)\]|([^:]+))(?::\d{1,5})?$/.exec(text) ?? [];
  const address = plain(inBrackets ?? beforePort ?? text);
  return isIP(address) === 0 ? undefined : address;
}
