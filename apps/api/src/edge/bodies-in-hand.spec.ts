import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { BodiesInHand, smallBody } from './bodies-in-hand.js';

const large = 10_000;
const room = { most: 4 * large, mostOfClient: 2 * large };
const refused = (message: RegExp) =>
  expect.objectContaining({ type: 'serviceUnavailable', message: expect.stringMatching(message) });

function bodies() {
  const inHand = new BodiesInHand(room);
  return (address: string, size = large) => {
    const response = new ServerResponse(new IncomingMessage(new Socket()));
    const fault = inHand.begin(address, size, response);
    if (fault) throw fault;
    return () => response.emit('close');
  };
}

describe('large bodies', () => {
  it('of one client have a share of the room, and again when they are answered', () => {
    const begin = bodies();
    const ends = [begin('192.0.2.1'), begin('192.0.2.1')];
    expect(() => begin('192.0.2.1')).toThrow(refused(/^Your address has 20000 bytes in bodies/));
    begin('192.0.2.2');
    ends[0]?.();
    begin('192.0.2.1');
    expect(() => begin('192.0.2.1')).toThrow(refused(/^Your address/));
  });

  it('of a network of IPv6 have one share', () => {
    const begin = bodies();
    begin('2001:db8::1');
    begin('2001:db8::2');
    expect(() => begin('2001:db8::3')).toThrow(refused(/^Your address/));
  });

  it('of all clients have a limit, and leave no trace when they are answered', () => {
    const begin = bodies();
    const clients = ['192.0.2.1', '192.0.2.2', '192.0.2.1', '192.0.2.2'];
    for (let round = 0; round < 3; round += 1) {
      const ends = clients.map((client) => begin(client));
      expect(() => begin('192.0.2.3')).toThrow(refused(/^This process has 40000 bytes in bodies/));
      for (const end of ends) end();
    }
  });

  it('never keep small ones out', () => {
    const begin = bodies();
    for (const client of ['192.0.2.1', '192.0.2.1', '192.0.2.2', '192.0.2.2']) begin(client);
    for (let n = 0; n < 100; n += 1) begin('192.0.2.1', smallBody);
    expect(() => begin('192.0.2.1', smallBody + 1)).toThrow(refused(/^Your address/));
  });
});
