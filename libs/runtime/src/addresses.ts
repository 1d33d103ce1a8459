/**
 * Kinds of addresses, and lists of networks. An IPv6 address that stands for an IPv4 address is of the kind of that one, so that no
 * way of writing leads past a rule.
 */
import { BlockList, isIP, isIPv4, SocketAddress } from 'node:net';

/** Whose an address is. `never` is nobody's, or that of a cloud's own service, which hands out credentials. */
export type AddressKind = 'public' | 'private' | 'loopback' | 'link-local' | 'never';

type Family = 'ipv4' | 'ipv6';
type Network = readonly [address: string, prefix: number];

/** RFC 6890 and what it lists, RFC 6598, RFC 4193. The first kind that fits counts. */
const kinds: readonly (readonly [AddressKind, readonly Network[]])[] = [
  [
    'never',
    [
      ['0.0.0.0', 8],
      ['224.0.0.0', 4],
      ['240.0.0.0', 4],
      ['::', 128],
      ['ff00::', 8],
      ['100::', 64],
      // The services of clouds for their own machines: AWS, Azure, Alibaba, Tencent, Scaleway, Oracle, Google and OpenStack.
      ['169.254.169.254', 32],
      ['169.254.170.0', 24],
      ['168.63.129.16', 32],
      ['100.100.100.200', 32],
      ['169.254.0.23', 32],
      ['169.254.42.42', 32],
      ['192.0.0.192', 32],
      ['fd00:ec2::', 64],
      ['fd20:ce::254', 128],
      ['fd00:42::42', 128],
      ['fd00:c1::a9fe:a9fe', 128],
      ['fe80::a9fe:a9fe', 128],
    ],
  ],
  [
    'loopback',
    [
      ['127.0.0.0', 8],
      ['::1', 128],
    ],
  ],
  [
    'link-local',
    [
      ['169.254.0.0', 16],
      ['fe80::', 10],
    ],
  ],
  [
    'private',
    [
      ['10.0.0.0', 8],
      ['100.64.0.0', 10],
      ['172.16.0.0', 12],
      ['192.0.0.0', 24],
      ['192.168.0.0', 16],
      ['198.18.0.0', 15],
      ['fc00::', 7],
      ['fec0::', 10],
      // A NAT64 of one's own may lead to any network of one's own.
      ['64:ff9b:1::', 48],
    ],
  ],
];

/** Networks of IPv6 that stand for IPv4, and the group of 16 bits at which the IPv4 address begins. */
const embedding: readonly (readonly [Network, group: number, isInverted?: true])[] = [
  [['::ffff:0:0', 96], 6],
  [['::ffff:0:0:0', 96], 6],
  [['64:ff9b::', 96], 6],
  [['::', 96], 6],
  [['2002::', 16], 1],
  [['2001::', 32], 6, true],
];

const lists = kinds.map(([kind, networks]) => [kind, listOf(networks)] as const);
const embeddings = embedding.map(([network, group, isInverted]) => ({ list: listOf([network]), group, isInverted }));

/** @param address an IP address, with a zone where it has one */
export function kindOfAddress(address: string): AddressKind {
  const plain = plainAddress(address);
  return lists.find(([, list]) => list.check(plain, familyOf(plain)))?.[0] ?? 'public';
}

/** The address without its zone and in its one form; an IPv6 address that stands for one of IPv4 as that one. */
export function plainAddress(address: string): string {
  const [unzoned = ''] = address.split('%');
  if (isIP(unzoned) === 0) throw new TypeError(`${JSON.stringify(address)} is no IP address`);
  if (isIPv4(unzoned)) return unzoned;
  const groups = groupsOf(unzoned);
  // These two are addresses of IPv6 in their own right.
  if (groups.slice(0, 7).every((group) => group === 0) && (groups[7] ?? 0) <= 1) return groups[7] === 1 ? '::1' : '::';
  const found = embeddings.find(({ list }) => list.check(unzoned, 'ipv6'));
  if (!found) return new SocketAddress({ address: unzoned, family: 'ipv6' }).address;
  const pair = groups.slice(found.group, found.group + 2).map((group) => (found.isInverted ? group ^ 0xffff : group));
  return pair.flatMap((group) => [group >> 8, group & 0xff]).join('.');
}

/** Whether a host, as a setting names it, can only be this machine. */
export function isLoopbackHost(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (isIP(name.split('%')[0] ?? '') !== 0) return kindOfAddress(name) === 'loopback';
  // A name below it is looked up like any other, and may lead anywhere.
  return name === 'localhost';
}

/** A list of networks in the form `10.1.0.0/16`. */
export class Networks {
  private readonly list = new BlockList();

  /** @param networks each with its address and the length of its prefix */
  constructor(readonly networks: readonly Network[]) {
    for (const [address, prefix] of networks) this.list.addSubnet(address, prefix, familyOf(address));
  }

  has(address: string): boolean {
    const plain = plainAddress(address);
    return this.list.check(plain, familyOf(plain));
  }
}

/** Undefined when the text is no network. An address alone is a network of one. */
export function networkIn(text: string): Network | undefined {
  const [address = '', prefix, ...more] = text.split('/');
  if (isIP(address) === 0 || address.includes('%') || more.length > 0) return undefined;
  const longest = isIPv4(address) ? 32 : 128;
  if (prefix === undefined) return [address, longest];
  return /^\d{1,3}$/.test(prefix) && Number(prefix) <= longest ? [address, Number(prefix)] : undefined;
}

/** Whether all of the network is of one kind that may be allowed: neither public, nor of nobody, nor wider than its kind. */
export function isOfOneKind([address, prefix]: Network): boolean {
  return kinds.some(
    ([kind, networks]) =>
      kind !== 'never' &&
      networks.some(
        (each) =>
          prefix >= each[1] &&
          familyOf(address) === familyOf(each[0]) &&
          listOf([each]).check(address, familyOf(address)),
      ),
  );
}

function listOf(networks: readonly Network[]): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of networks) list.addSubnet(address, prefix, familyOf(address));
  return list;
}

function familyOf(address: string): Family {
  return isIPv4(address) ? 'ipv4' : 'ipv6';
}

/** The eight groups of an address of IPv6. */
function groupsOf(address: string): number[] {
  const written = address.replace(/\d+\.\d+\.\d+\.\d+$/, (ipv4) => {
    const [a = 0, b = 0, c = 0, d = 0] = ipv4.split('.').map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [before = '', after] = written.split('::');
  const parsed = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const [head, tail] = [parsed(before), parsed(after ?? '')];
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}
