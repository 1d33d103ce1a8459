/** How many requests of one client are in hand, streams among them: one client can't have all that a process serves. */
import type { ServerResponse } from 'node:http';
import { Inject } from '@nestjs/common';
import { type AppConfig, Counts, clientNetworkOf, configToken } from '@strongroom/runtime';
import { unavailable } from './http-fault.js';

export class RequestsInHand {
  private readonly byClient = new Counts();

  constructor(@Inject(configToken) private readonly config: Pick<AppConfig, 'mostConnectionsOfAddress'>) {}

  /**
   * @param response tells when the request is no more in hand
   * @throws {HttpFault} serviceUnavailable
   */
  begin(address: string, response: Pick<ServerResponse, 'once'>): void {
    const client = clientNetworkOf(address);
    const most = this.config.mostConnectionsOfAddress;
    if (most > 0 && this.byClient.of(client) >= most) {
      throw unavailable(`Your address has ${most} requests in hand here: nothing was changed by this one. Try again.`);
    }
    this.byClient.add(client);
    response.once('close', () => this.byClient.remove(client));
  }
}
