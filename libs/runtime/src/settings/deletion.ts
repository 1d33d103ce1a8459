/** For how long backups are kept from whoever may delete them. No call of the API changes any of this. */
import { accountId } from '@strongroom/contracts';
import { integer, mustBe, parsedText, seconds } from './forms.js';
import type { AppName, Setting } from './setting.js';

/** How long the bytes of a completed backup stay at least, in milliseconds. */
export interface MinimumRetention {
  usualMs: number;
  /** By account, where it is another time. */
  byAccount: ReadonlyMap<string, number>;
}

const usedBy: readonly AppName[] = ['api', 'scheduler'];
const dayMs = 86_400_000;
const mostDays = 36_500;

export const deletionDelay = {
  name: 'STRONGROOM_DELETION_DELAY_SECONDS',
  meaning:
    'For how long the bytes of a deleted backup stay, and can be brought back. A schedule that is changed to keep less, or to copy less, lets go of more backups only after this time, too. The default is seven days. With 0 a deletion begins at once and can’t be reverted.',
  form: seconds(0, 9_999_999),
  usedBy,
  default: '604800',
} satisfies Setting<number>;

const minimumForm = 'days from 0 to 36500 for every account, with those of single accounts behind them, like 7,acme=30';

export const minimumRetention = {
  name: 'STRONGROOM_MINIMUM_RETENTION_DAYS',
  meaning:
    'For how long the bytes of a completed backup stay at least, whoever deletes it, and whatever its schedule says. With 0 there is no minimum.',
  form: parsedText(minimumForm, minimumOf),
  usedBy: ['api', 'scheduler', 'replicator'],
  default: '0',
} satisfies Setting<MinimumRetention>;

export const bulkDeletionLimit = {
  name: 'STRONGROOM_BULK_DELETION_LIMIT',
  meaning:
    'How many deleted backups an account may have before their bytes go only when a second person has approved it, by `approve-deletion`. What retention has deleted does not count. With 0 nobody has to approve anything.',
  form: integer(0, 1_000_000),
  usedBy,
  default: '0',
} satisfies Setting<number>;

function minimumOf(value: string): MinimumRetention | string {
  const [usual = '', ...others] = value.split(',').map((part) => part.trim());
  const usualMs = msOf(usual);
  const byAccount = new Map<string, number>();
  for (const other of others) {
    const [account = '', days = '', ...more] = other.split('=');
    const ms = msOf(days);
    if (!accountId.safeParse(account).success || ms === undefined || more.length > 0 || byAccount.has(account)) {
      return mustBe(minimumForm);
    }
    byAccount.set(account, ms);
  }
  return usualMs === undefined ? mustBe(minimumForm) : { usualMs, byAccount };
}

function msOf(days: string): number | undefined {
  return /^\d{1,5}$/.test(days) && Number(days) <= mostDays ? Number(days) * dayMs : undefined;
}
