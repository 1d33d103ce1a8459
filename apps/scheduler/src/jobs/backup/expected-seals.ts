/**
 * What attempts at backups were about to seal: the SHA-256 of each manifest, kept in the database before the seal. A later attempt takes
 * nothing else from the vault, so whoever writes to the vault can't leave a backup there that counts.
 */
import type { ExpectedSeals as SealsOfBackup } from '@strongroom/engines';
import type { DataSource } from 'typeorm';
import { z } from 'zod';

const found = z.array(z.object({ expected: z.boolean() })).length(1);

/** One try at a job that makes a backup. */
export interface SealingAttempt {
  backupId: string;
  attempt: number;
}

export class ExpectedSeals {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * Keeps what an attempt is about to seal. A frozen attempt may do so after its backup has ended: it can seal nothing any more, and the
   * row goes after a month. A clock that is wrong ends that earlier, and then a backup is made anew.
   */
  async expect({ backupId, attempt }: SealingAttempt, sha256: string): Promise<void> {
    await this.dataSource.query(
      `with old as (delete from expected_seal where kept_at < now() - interval '30 days')
       insert into expected_seal (backup_id, sha256, attempt) values ($1, $2, $3) on conflict (backup_id, sha256) do nothing`,
      [backupId, sha256, attempt],
    );
  }

  /** Whether any attempt at the backup was about to seal it. */
  async isExpected(backupId: string, sha256: string): Promise<boolean> {
    const rows: unknown = await this.dataSource.query(
      'select exists (select from expected_seal where backup_id = $1 and sha256 = $2) as expected',
      [backupId, sha256],
    );
    return found.parse(rows).some(({ expected }) => expected);
  }

  /** Forgets a backup that has ended in the ledger. */
  async forget(backupId: string): Promise<void> {
    await this.dataSource.query('delete from expected_seal where backup_id = $1', [backupId]);
  }

  /**
   * @param outlast tries again while the database is away, as long as the attempt has its lease
   * @param onStranger is told of what is sealed though no attempt was about to seal it
   */
  of(
    attempt: SealingAttempt,
    outlast: <T>(what: string, action: () => Promise<T>) => Promise<T>,
    onStranger: (sha256: string) => void,
  ): SealsOfBackup {
    return {
      expect: (sha256) => outlast('keeping what is to be sealed', () => this.expect(attempt, sha256)),
      isExpected: async (sha256) => {
        const look = () => this.isExpected(attempt.backupId, sha256);
        const isExpected = await outlast('reading what was to be sealed', look);
        if (!isExpected) onStranger(sha256);
        return isExpected;
      },
    };
  }
}
