/**
 * How much of bodies is in hand: what clients send at a time, and what is made of it, never takes more memory than a process has. A body
 * that finds no room is refused before it is read.
 */
import type { ServerResponse } from 'node:http';
import { clientNetworkOf, passedMemory } from '@strongroom/runtime';
import { type HttpFault, unavailable } from './http-fault.js';

/**
 * In bytes as they are sent. An instance with all of its certificates is a larger body; nearly every other request is far below. There are never
 * more of these than connections.
 */
export const smallBody = 2_048;

export interface BodyRoom {
  /** In bytes, of all clients. */
  most: number;
  /** In bytes, of one client: the others always find room beside it. */
  mostOfClient: number;
}

/**
 * What JavaScript makes of a body takes up to eight times its bytes, beside a quarter of a kilobyte for each of few values. So all of it is
 * a fifth of what a service may keep (`serviceMemory`).
 */
const usualRoom: BodyRoom = { most: 8_388_608, mostOfClient: 2_097_152 };

export class BodiesInHand {
  private bytes = 0;
  private readonly byClient = new Map<string, number>();

  constructor(private readonly room = usualRoom) {}

  /**
   * @param size of the body, in bytes
   * @param response tells when nothing of the body is needed any more
   * @returns why the body must not be read: serviceUnavailable; undefined when there is room
   */
  begin(address: string, size: number, response: Pick<ServerResponse, 'once'>): HttpFault | undefined {
    if (size <= smallBody) return undefined;
    // Also a body that finds no room has come in part.
    response.once('close', () => passedMemory.passed(size));
    const client = clientNetworkOf(address);
    const ofClient = this.byClient.get(client) ?? 0;
    const { most, mostOfClient } = this.room;
    if (ofClient + size > mostOfClient) return unavailable(`Your address has ${ofClient} bytes ${inBodies}`);
    if (this.bytes + size > most) return unavailable(`This process has ${this.bytes} bytes ${inBodies}`);
    this.take(client, size);
    response.once('close', () => this.take(client, -size));
    return undefined;
  }

  private take(client: string, size: number): void {
    this.bytes += size;
    const ofClient = (this.byClient.get(client) ?? 0) + size;
    if (ofClient > 0) this.byClient.set(client, ofClient);
    else this.byClient.delete(client);
  }
}

const inBodies = `in bodies of more than ${smallBody} bytes in hand: nothing was changed by this request. Try again.`;
