import { describe, expect, it } from '@jest/globals';
import { isLoopbackHost, isOfOneKind, kindOfAddress, Networks, networkIn, plainAddress } from './addresses.js';

describe('an address', () => {
  it.each([
    ['93.184.216.34', 'public'],
    ['2606:2800:220:1::1', 'public'],
    ['8.8.8.8', 'public'],
    ['10.0.0.1', 'private'],
    ['100.64.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['172.32.0.0', 'public'],
    ['192.168.1.1', 'private'],
    ['198.18.0.1', 'private'],
    ['fc00::1', 'private'],
    ['fdff:ffff::1', 'private'],
    ['fec0::1', 'private'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['::1', 'loopback'],
    ['::1%lo', 'loopback'],
    ['0:0:0:0:0:0:0:1', 'loopback'],
    ['169.254.1.1', 'link-local'],
    ['fe80::1%eth0', 'link-local'],
    ['0.0.0.0', 'never'],
    ['0.1.2.3', 'never'],
    ['::', 'never'],
    ['224.0.0.1', 'never'],
    ['255.255.255.255', 'never'],
    ['ff02::1', 'never'],
    ['169.254.169.254', 'never'],
    ['168.63.129.16', 'never'],
    ['fd00:ec2::254', 'never'],
    ['fd00:ec2::23', 'never'],
    ['fd20:ce::254', 'never'],
    ['fe80::a9fe:a9fe%eth0', 'never'],
    ['169.254.170.23', 'never'],
    ['100.100.100.200', 'never'],
    ['192.0.0.192', 'never'],
    ['::ffff:100.100.100.200', 'never'],
    // What stands for another address is of its kind.
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:7f00:1', 'loopback'],
    ['::ffff:0:127.0.0.1', 'loopback'],
    ['::127.0.0.1', 'loopback'],
    ['::ffff:10.1.2.3', 'private'],
    ['::ffff:169.254.169.254', 'never'],
    ['::ffff:0.0.0.0', 'never'],
    ['64:ff9b::127.0.0.1', 'loopback'],
    ['64:ff9b::a9fe:a9fe', 'never'],
    ['64:ff9b::5db8:d822', 'public'],
    ['64:ff9b:1::1', 'private'],
    ['2002:7f00:1::', 'loopback'],
    ['2002:a00:1::1', 'private'],
    ['2001:0:1:2:3:4:80ff:fffe', 'loopback'],
    ['::ffff:93.184.216.34', 'public'],
  ])('%s is %s', (address, kind) => {
    expect(kindOfAddress(address)).toBe(kind);
  });

  it('is the same however it is written', () => {
    expect(['::ffff:10.0.0.5', '10.0.0.5', '64:ff9b::a00:5', '::ffff:a00:5'].map(plainAddress)).toEqual(
      Array(4).fill('10.0.0.5'),
    );
    const written = ['fd12::5', 'FD12:0::5', 'fd12:0000:0:0:0:0:0:0005', 'fd12::5%eth0', 'fd12::0.0.0.5'];
    expect(written.map(plainAddress)).toEqual(Array(5).fill('fd12::5'));
    expect(() => plainAddress('db.example.com')).toThrow('no IP address');
  });
});

describe('the name of a host', () => {
  it.each(['127.0.0.1', '::1', '[::1]', 'localhost', 'LOCALHOST', '127.8.8.8', '::ffff:127.0.0.1'])(
    '%s is this machine',
    (host) => expect(isLoopbackHost(host)).toBe(true),
  );
  it.each(['db', 'a.localhost', '10.0.0.1', '0.0.0.0', 'localhost.example.com', '', '127.0.0.1.example.com', '::'])(
    '%s may be another',
    (host) => expect(isLoopbackHost(host)).toBe(false),
  );
});

describe('a list of networks', () => {
  it('has an address in each of its forms', () => {
    const networks = new Networks([
      ['10.1.0.0', 16],
      ['fd12::', 16],
    ]);
    expect(['10.1.255.1', '::ffff:10.1.2.3', 'fd12::5', 'fd12::5%eth0'].every((each) => networks.has(each))).toBe(true);
    expect(['10.2.0.1', 'fd13::1', '93.184.216.34'].some((each) => networks.has(each))).toBe(false);
  });

  it.each([
    ['10.0.0.0/8', ['10.0.0.0', 8]],
    ['10.1.2.3', ['10.1.2.3', 32]],
    ['fd00::/8', ['fd00::', 8]],
    ['10.0.0.0/33', undefined],
    ['10.0.0.0/-1', undefined],
    ['10.0.0.0/8/8', undefined],
    ['db', undefined],
    ['fe80::1%eth0', undefined],
    ['', undefined],
  ])('reads %j', (text, network) => {
    expect(networkIn(text)).toEqual(network);
  });

  it.each([
    ['10.0.0.0', 8, true],
    ['127.0.0.1', 32, true],
    ['169.254.0.0', 16, true],
    ['fd00::', 8, true],
    ['0.0.0.0', 0, false],
    ['10.0.0.0', 7, false],
    ['::', 0, false],
    ['93.184.216.0', 24, false],
    ['224.0.0.1', 32, false],
  ])('says whether all of %s/%i is of one kind: %s', (address, prefix, isOne) => {
    expect(isOfOneKind([address, prefix])).toBe(isOne);
  });
});
