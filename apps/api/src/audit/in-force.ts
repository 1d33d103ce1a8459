/**
 * Puts into the audit which tokens, roles and keys are in force, at the start and when they have changed. What several processes read
 * alike is one entry.
 */
import { createHash } from 'node:crypto';
import type { AuditEntry, Roles } from '@strongroom/contracts';
import type { Identity } from '@strongroom/identity';
import type { AuditTrail, NewAuditEntry } from '@strongroom/ledger';
import type { Clock, Ids, KeyRing } from '@strongroom/runtime';

/** An entry lists no more tokens of an account. */
const mostTokens = 1_000;

export class InForce {
  /** By account, and under '' for the deployment: the digest of what was told last. */
  private readonly told = new Map<string, string>();

  constructor(
    private readonly parts: {
      trail: AuditTrail;
      identity: Identity;
      roles: Roles;
      ring: KeyRing;
      clock: Clock;
      ids: Ids;
    },
  ) {}

  async tell(): Promise<void> {
    const { identity, roles, ring, trail } = this.parts;
    const tokens = identity.tokensInForce() ?? new Map<string, never[]>();
    const entries = new Map<string, AuditEntry>();
    // An account that has no token any more is told so.
    for (const account of [...tokens.keys(), ...this.told.keys()]) {
      if (account === '') continue;
      const list = (tokens.get(account) ?? []).slice(0, mostTokens);
      entries.set(account, { type: 'RightsInForce', actor: null, data: { tokens: list } });
    }
    entries.set('', {
      type: 'SettingsInForce',
      actor: null,
      data: {
        key_ids: ring.all.map(({ id }) => id),
        roles: Object.fromEntries([...roles].map(([role, rights]) => [role, [...rights]])),
      },
    });
    const changed = [...entries]
      .map(([account, entry]) => ({ account, entry, digest: digestOf(entry) }))
      .filter(({ account, digest }) => this.told.get(account) !== digest);
    await trail.add(changed.map((each) => this.newEntry(each)));
    for (const { account, digest } of changed) this.told.set(account, digest);
  }

  private newEntry({ account, entry, digest }: { account: string; entry: AuditEntry; digest: string }): NewAuditEntry {
    const { ids, clock } = this.parts;
    return {
      id: ids.next(),
      accountId: account === '' ? null : account,
      isKnown: true,
      at: clock.now(),
      entry,
      digest,
    };
  }
}

function digestOf(entry: AuditEntry): string {
  return createHash('sha256').update(JSON.stringify(entry)).digest('hex');
}
