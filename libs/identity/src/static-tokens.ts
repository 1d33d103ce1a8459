/**
 * Identity from a file of hashed tokens. The file and this process hold only SHA-256 digests, so nobody learns a token from
 * them. A changed file is read again without a restart. A broken file changes nothing until it is repaired.
 */
import { hash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { accountId, messageOf, type RightsInForce, rights, sha256Hex, uuid } from '@strongroom/contracts';
import type { Clock, Logger } from '@strongroom/runtime';
import { z } from 'zod';
import { Identity, type Principal } from './identity.js';
import { IdentityFault } from './identity-fault.js';

const entry = z.strictObject({
  name: z.string().min(1).max(128),
  sha256: sha256Hex,
  accountId,
  roles: z.array(z.string().min(1)),
  /** Who holds the token. Tokens of one id are one person's. */
  id: z.string().min(1).max(256).optional(),
  rights: z.array(z.enum(rights, { error: `must be rights: ${rights.join(', ')}` })).optional(),
  /** An empty list would read as no limit to some and as nothing to others. */
  instances: z.array(uuid).min(1, { error: 'must name an instance; without it, the token reaches all' }).optional(),
  expiresAt: z.iso
    .datetime({ offset: true, error: 'must be a time with its zone, like 2027-01-31T00:00:00Z' })
    .optional(),
});

/**
 * The form of the file: `[{"name", "sha256": hex of the token's SHA-256, "accountId", "roles": [...]}]`. An entry may also have `id`,
 * `rights`, `instances` and `expiresAt`.
 */
export const hashedTokens = z
  .array(entry)
  .refine((entries) => new Set(entries.map(({ sha256 }) => sha256)).size === entries.length, {
    error: 'the same sha256 is there twice; a token has one principal',
  });
export type HashedTokens = z.infer<typeof hashedTokens>;

/** The SHA-256 of a token in lower-case hexadecimal, as the file has it. It is fit for random tokens, not for passwords. */
export function hashToken(token: string): string {
  return hash('sha256', token, 'hex');
}

interface KnownToken {
  principal: Principal;
  /** Beyond this time the token is nobody's, in milliseconds since 1970. */
  until: number;
}

export interface StaticTokensOptions {
  path: string;
  clock: Clock;
  log: Logger;
}

/** By the SHA-256 of the token, in hexadecimal. */
type KnownTokens = ReadonlyMap<string, KnownToken>;

const lookAgainMs = 1_000;

export class StaticTokens extends Identity {
  private lookedAt: number;
  private looking: Promise<void> | undefined;

  private constructor(
    private readonly options: StaticTokensOptions,
    private tokens: KnownTokens,
    private version: string,
  ) {
    super();
    this.lookedAt = options.clock.now().getTime();
  }

  /** @throws {IdentityFault} when the file can't be read or is not in the right form */
  static async open(options: StaticTokensOptions): Promise<StaticTokens> {
    const version = await versionOf(options.path);
    return new StaticTokens(options, await readTokens(options.path), version);
  }

  async authenticate(token: string | undefined): Promise<Principal | undefined> {
    if (!token) return undefined;
    const looking = this.lookAtFile();
    if (looking !== undefined) await looking;
    // How long this takes depends on digests alone. Nobody can make a token whose digest is near to another one, and a digest gives no token.
    const found = this.tokens.get(hashToken(token));
    return found && this.options.clock.now().getTime() < found.until ? found.principal : undefined;
  }

  override tokensInForce(): ReadonlyMap<string, RightsInForce['tokens']> {
    const found = new Map<string, RightsInForce['tokens']>();
    for (const { principal, until } of this.tokens.values()) {
      const { name, id = name, roles, rights = [], instances = null, accountId: account } = principal;
      found.set(account, [
        ...(found.get(account) ?? []),
        {
          name,
          id,
          roles: [...roles],
          rights: [...rights],
          instances: instances && [...instances],
          expires_at: Number.isFinite(until) ? new Date(until).toISOString() : null,
        },
      ]);
    }
    return found;
  }

  /** Looks at the file once a second at most. Requests that come meanwhile wait for the same look. */
  private lookAtFile(): Promise<void> | undefined {
    const now = this.options.clock.now().getTime();
    if (this.looking === undefined && Math.abs(now - this.lookedAt) >= lookAgainMs) {
      this.lookedAt = now;
      this.looking = this.readIfChanged().finally(() => {
        this.looking = undefined;
      });
    }
    return this.looking;
  }

  private async readIfChanged(): Promise<void> {
    const { path, log } = this.options;
    const version = await versionOf(path);
    if (version === this.version) return;
    // This holds for a broken file too: it is logged once, and the file is read again when it changes again.
    this.version = version;
    try {
      this.tokens = await readTokens(path);
      log.info({ tokens: this.tokens.size }, 'the tokens file changed and was read again');
    } catch (error) {
      if (!(error instanceof IdentityFault)) throw error;
      log.error({ err: error }, 'the tokens known so far stay in force until the tokens file is mended');
    }
  }
}

/** A value that differs whenever the file was written, replaced or made readable. */
async function versionOf(path: string): Promise<string> {
  try {
    const { ctimeMs, size, ino } = await stat(path);
    return `${ino}/${size}/${ctimeMs}`;
  } catch {
    return 'not there';
  }
}

async function readTokens(path: string): Promise<KnownTokens> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    const why = messageOf(cause);
    throw new IdentityFault('tokens-file-invalid', `tokens file ${path} can't be read: ${why}`, { cause });
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text around the fault, which may be a token put there by mistake.
    throw new IdentityFault('tokens-file-invalid', `tokens file ${path} is not JSON; it must be a JSON list of tokens`);
  }
  const parsed = hashedTokens.safeParse(json);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path: [index, ...field], message }) =>
      index === undefined
        ? message
        : `entry ${Number(index) + 1}${field.length ? ` ${field.join('.')}` : ''}: ${message}`,
    );
    throw new IdentityFault('tokens-file-invalid', `tokens file ${path} is not valid: ${problems.join('; ')}`);
  }
  return new Map(
    parsed.data.map(({ sha256, expiresAt, id, rights, instances, ...named }) => [
      sha256,
      {
        principal: {
          ...named,
          ...(id !== undefined && { id }),
          ...(rights && { rights }),
          ...(instances && { instances }),
        },
        until: expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(expiresAt),
      },
    ]),
  );
}
