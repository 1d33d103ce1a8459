/**
 * The token that a user of OAUTHBEARER shows to a broker. One from a server of tokens is asked for anew before it expires; a file is
 * read each time, because whoever writes it puts a new token in. No error shows a token or a secret.
 */
import { readFile } from 'node:fs/promises';
import { whyNotFetched } from '@strongroom/contracts';
import type { TokenSource } from '@strongroom/runtime';
import { z } from 'zod';

const answer = z.object({
  access_token: z.string().min(1).max(65_536),
  expires_in: z.coerce.number().positive().optional(),
});

const askMs = 10_000;
/** Without a time of its own, a token is taken to be good for so long. */
const usualSeconds = 300;
/** A token is used for this share of its time. */
const usedShare = 0.8;

export class BearerTokens {
  private kept: { token: string; untilMs: number } | undefined;

  /** @param nowMs a time that only goes on */
  constructor(
    private readonly source: TokenSource,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  async get(): Promise<string> {
    const { source } = this;
    if (source.is === 'given') return source.token;
    if (source.is === 'file') return (await readFile(source.path, 'utf8')).trim();
    if (!this.kept || this.kept.untilMs <= this.nowMs()) this.kept = await this.fetched(source);
    return this.kept.token;
  }

  /** By client_credentials of RFC 6749, 4.4. */
  private async fetched({
    url,
    client,
    secret,
    scope,
  }: Extract<TokenSource, { is: 'server' }>): Promise<{ token: string; untilMs: number }> {
    const askedMs = this.nowMs();
    const credential = Buffer.from(`${encodeURIComponent(client)}:${encodeURIComponent(secret)}`).toString('base64');
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { authorization: `Basic ${credential}`, accept: 'application/json' },
        body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope !== undefined && { scope }) }),
        redirect: 'error',
        signal: AbortSignal.timeout(askMs),
      });
      if (!response.ok) throw new Error(`it answered ${response.status}`);
      const { access_token: token, expires_in: seconds = usualSeconds } = answer.parse(await response.json());
      return { token, untilMs: askedMs + seconds * 1_000 * usedShare };
    } catch (error) {
      throw new Error(`no token for Kafka came from ${url} (KAFKA_SASL_TOKEN_URL): ${whyNotFetched(error)}`, {
        cause: error,
      });
    }
  }
}
