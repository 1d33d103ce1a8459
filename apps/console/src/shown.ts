/** What every screen is given. */
import type { Right } from '@strongroom/contracts';
import type { Known } from './account.js';

export interface Shown {
  known: Known;
  accountId: string;
  rights: readonly Right[];
  now: Date;
  /** Says that something of an instance was changed here. */
  changed: (instanceId: string) => void;
}
