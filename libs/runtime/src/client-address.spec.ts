import { describe, expect, it } from '@jest/globals';
import { Networks } from './addresses.js';
import { ClientAddresses, clientNetworkOf, type ForwardedHeader } from './client-address.js';

function from(peer: string | undefined, headers: Record<string, string>, header: ForwardedHeader = 'x-forwarded-for') {
  const networks = new Networks([
    ['10.0.0.0', 24],
    ['2001:db8:aa::', 48],
  ]);
  return new ClientAddresses({ networks, header }).of({ socket: { remoteAddress: peer }, headers });
}
const forwardedFor = (value: string, peer = '10.0.0.1') => from(peer, { 'x-forwarded-for': value });
const forwarded = (value: string) => from('10.0.0.1', { forwarded: value }, 'forwarded');

describe('the address of a client', () => {
  it('is that of its connection, whatever it says itself', () => {
    const said = { 'x-forwarded-for': '192.0.2.9', forwarded: 'for=192.0.2.9' };
    for (const header of ['x-forwarded-for', 'forwarded'] as const) {
      expect(from('198.51.100.7', said, header)).toBe('198.51.100.7');
      expect(from('::ffff:198.51.100.7', said, header)).toBe('198.51.100.7');
      expect(from(undefined, said, header)).toBe('');
    }
    // The network that an address of IPv6 embeds is no proxy.
    expect(from('2002:a00:1::1', said)).toBe('2002:a00:1::1');
  });

  it('is that of its connection where no proxy is listed', () => {
    const addresses = new ClientAddresses({ networks: new Networks([]), header: 'x-forwarded-for' });
    const headers = { 'x-forwarded-for': '192.0.2.9' };
    expect(addresses.of({ socket: { remoteAddress: '10.0.0.1' }, headers })).toBe('10.0.0.1');
    expect(addresses.of({ socket: { remoteAddress: '::ffff:10.0.0.1' }, headers })).toBe('10.0.0.1');
    expect(addresses.of({ socket: { remoteAddress: 'fe80::1%eth0' }, headers })).toBe('fe80::1');
  });

  it('is what the proxy says that is listed, and nothing that its client has said before', () => {
    expect(forwardedFor('192.0.2.9')).toBe('192.0.2.9');
    expect(forwardedFor('192.0.2.9', '::ffff:10.0.0.1')).toBe('192.0.2.9');
    expect(forwardedFor('10.0.0.9, 1.1.1.1, 192.0.2.9')).toBe('192.0.2.9');
    expect(forwardedFor('1.1.1.1, 192.0.2.9, 10.0.0.3, 2001:db8:aa::1')).toBe('192.0.2.9');
    expect(forwardedFor('192.0.2.9:4711')).toBe('192.0.2.9');
    expect(forwardedFor('[2001:db8::1]:4711')).toBe('2001:db8::1');
  });

  it('is that of the last proxy when it says nothing that is an address', () => {
    for (const said of [
      '',
      'unknown',
      '192.0.2.9, unknown',
      '192.0.2.9,',
      '_hidden',
      '999.1.1.1',
      '192.0.2.9:x',
      "'",
    ]) {
      expect(forwardedFor(said)).toBe('10.0.0.1');
    }
    expect(from('10.0.0.1', {})).toBe('10.0.0.1');
    expect(forwardedFor('192.0.2.9, junk, 10.0.0.3')).toBe('10.0.0.3');
  });

  it('is read from the one header that the proxies write, since a client may have written the other one', () => {
    const both = { 'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.2' };
    expect(from('10.0.0.1', both)).toBe('192.0.2.1');
    expect(from('10.0.0.1', both, 'forwarded')).toBe('192.0.2.2');
  });

  it('is read from Forwarded as RFC 7239 writes it', () => {
    expect(forwarded('for=192.0.2.43;proto=https;by=203.0.113.60')).toBe('192.0.2.43');
    expect(forwarded('proto=http; For="[2001:db8:cafe::17]:4711"')).toBe('2001:db8:cafe::17');
    expect(forwarded('for=1.1.1.1, for=192.0.2.43, for=10.0.0.7')).toBe('192.0.2.43');
    for (const said of ['for=unknown', 'for="_gazonk"', 'by=192.0.2.43', 'xfor=192.0.2.43', 'for="192.0.2.43']) {
      expect(forwarded(said)).toBe('10.0.0.1');
    }
  });
});

describe('a client', () => {
  it('is one address of IPv4, and a network of IPv6 however that is written', () => {
    expect(clientNetworkOf('::ffff:192.0.2.1')).toBe('192.0.2.1');
    expect(clientNetworkOf('2001:db8:0:1::1')).toBe(clientNetworkOf('2001:0db8::1:ffff:ffff:ffff:ffff'));
    expect(clientNetworkOf('2001:db8:0:1::1')).not.toBe(clientNetworkOf('2001:db8:0:2::1'));
    expect(clientNetworkOf('fe80::1%eth0')).toBe('fe80:0:0:0');
  });
});
