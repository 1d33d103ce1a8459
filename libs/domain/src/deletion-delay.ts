/**
 * When the bytes of a deleted backup go: after the delay of the deployment, and never before the minimum retention of the
 * account is over. A backup and everything that is built on it go together, so the last of them says when.
 */
import type { BackupCommand } from './backup.js';

export interface DeletionRules {
  /** How long the bytes of a deleted backup stay at least, in milliseconds. */
  delayMs: number;
  /** How long the bytes of a completed backup stay at least, from its completion, in milliseconds. */
  minimumMs: number;
}

/** A backup that is deleted, or is to be. */
export interface Deletable {
  id: string;
  parentId: string | null;
  /** Whether its removal was asked for before, has failed, and may succeed now. It can't be brought back. */
  isDeleteFailed: boolean;
  /** Null when it has not completed: no minimum holds for it. */
  completedAt: Date | null;
  /** Since when it is deleted, and until when its bytes stay at least, as was told then; null when it is not deleted. */
  mark: { at: Date; purgeAt: Date } | null;
}

/** What of it says when its bytes go. */
type Timed = Pick<Deletable, 'completedAt' | 'mark'>;

/** Until when the account's minimum retention keeps the bytes; undefined when there is none. */
export function keptUntil(completedAt: Date | null, { minimumMs }: Pick<DeletionRules, 'minimumMs'>): Date | undefined {
  return completedAt !== null && minimumMs > 0 ? new Date(completedAt.getTime() + minimumMs) : undefined;
}

/**
 * When the bytes of a backup may go. Rules that became longer since it was deleted count as they are now. Those that became
 * shorter change nothing of what was told.
 * @param now when the deletion is asked for, where the backup is not deleted yet
 */
export function bytesGoAt({ mark, completedAt }: Timed, rules: DeletionRules, now: Date): Date {
  const since = mark ? mark.at : now;
  return new Date(
    Math.max(
      since.getTime() + rules.delayMs,
      mark?.purgeAt.getTime() ?? 0,
      keptUntil(completedAt, rules)?.getTime() ?? 0,
    ),
  );
}

/**
 * When the bytes of a backup go with those of everything that is built on it: the last of them says when.
 * @param chain those that are deleted, or are to be
 */
export function chainGoesAt(chain: readonly Timed[], rules: DeletionRules, now: Date): Date {
  return new Date(Math.max(...chain.map((each) => bytesGoAt(each, rules, now).getTime())));
}

export interface AskedDeletion {
  accountId: string;
  trigger: 'request' | 'retention';
  now: Date;
  rules: DeletionRules;
  /** Whether a second person may have to approve it: that is found out when the bytes are to go. Default: nobody has to. */
  mayNeedApproval?: boolean;
}

/**
 * The commands that delete a backup with everything that is built on it. They mark the backups; where nothing keeps the bytes
 * of any of them, they ask for the removal at once. Of a backup whose removal has failed they ask for that in any case: a part
 * of it may be gone, so nothing is won by waiting for the time of the others.
 * @param chain the backup first
 */
export function deletionOf(
  chain: readonly Deletable[],
  { accountId, trigger, now, rules, mayNeedApproval = false }: AskedDeletion,
): { backupId: string; command: BackupCommand }[] {
  const [root] = chain;
  if (!root) return [];
  const times = chain.map((each) => bytesGoAt(each, rules, now));
  const isAtOnce = !mayNeedApproval && times.every((at) => at <= now);
  const isNow = new Set(chain.filter(({ isDeleteFailed }) => isAtOnce || isDeleteFailed).map(({ id }) => id));
  return chain.map(({ id: backupId, parentId }, index) => {
    const purgeAt = (times[index] ?? now).toISOString();
    // The removal of a backup removes what is built on it.
    const isCascade = backupId !== root.id && parentId !== null && isNow.has(parentId);
    return {
      backupId,
      command: isNow.has(backupId)
        ? { type: 'RequestDeletion', backupId, accountId, trigger: isCascade ? 'cascade' : trigger }
        : { type: 'MarkDeletion', backupId, accountId, trigger, rootId: root.id, purgeAt },
    };
  });
}

/** A backup of a chain, as it is looked at to be brought back. */
export interface Markable {
  id: string;
  parentId: string | null;
  /** The backup that it was deleted with; null when it is not deleted. */
  rootId: string | null;
}

/**
 * What comes back with a deleted backup: what it is built on, and everything that was deleted together with any of these.
 * @param chain the whole chain, parents first
 * @returns the ids in that order; empty when the backup is not deleted
 */
export function broughtBackWith(backupId: string, chain: readonly Markable[]): string[] {
  const byId = new Map(chain.map((each) => [each.id, each]));
  const back = new Set<string>();
  const look = [backupId];
  for (let id = look.pop(); id !== undefined; id = look.pop()) {
    const found = byId.get(id);
    if (!found || found.rootId === null || back.has(id)) continue;
    back.add(id);
    if (found.parentId !== null) look.push(found.parentId);
    for (const each of chain) if (each.rootId === found.rootId) look.push(each.id);
  }
  return chain.map(({ id }) => id).filter((id) => back.has(id));
}
