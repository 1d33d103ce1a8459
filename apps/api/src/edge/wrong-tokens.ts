/**
 * How many requests with a wrong token an address has made in the current minute. What is kept is bounded, however many addresses there
 * are: then the oldest are forgotten.
 */
import { Inject } from '@nestjs/common';
import { type AppConfig, clientNetworkOf, configToken } from '@strongroom/runtime';

const periodMs = 60_000;
const mostKept = 20_000;

interface Counted {
  count: number;
  untilMs: number;
}

export class WrongTokens {
  private readonly byAddress = new Map<string, Counted>();

  constructor(@Inject(configToken) private readonly config: Pick<AppConfig, 'mostWrongTokens'>) {}

  /** @returns in how many seconds the address may send a token that is not known; undefined when it may now */
  waitOf(address: string): number | undefined {
    const counted = this.current(address);
    const { mostWrongTokens } = this.config;
    if (mostWrongTokens === 0 || !counted || counted.count < mostWrongTokens) return undefined;
    return Math.max(1, Math.ceil((counted.untilMs - performance.now()) / 1_000));
  }

  count(address: string): void {
    const counted = this.current(address);
    if (counted) counted.count += 1;
    else {
      // The order of the map is the order in which the minutes end.
      this.byAddress.delete(clientNetworkOf(address));
      this.byAddress.set(clientNetworkOf(address), { count: 1, untilMs: performance.now() + periodMs });
      for (const oldest of this.byAddress.keys()) {
        if (this.byAddress.size <= mostKept) break;
        this.byAddress.delete(oldest);
      }
    }
  }

  private current(address: string): Counted | undefined {
    const counted = this.byAddress.get(clientNetworkOf(address));
    return counted && counted.untilMs > performance.now() ? counted : undefined;
  }
}
