/**
 * What a caller may do, by name, and the roles that every deployment knows. Each operation names the rights of which a caller needs
 * one to be let in. A route asks for the one that its request needs.
 */

/** Everything that only reads what the account has. */
const reading = [
  'schedule.read',
  'backup.read',
  'instance.read',
  'datastore.read',
  'region.read',
  'event.read',
  'webhook.read',
] as const;

/** Everything that makes or changes something, and lets nothing go. */
const making = [
  'schedule.create',
  'schedule.update',
  'schedule.run',
  'backup.create',
  'backup.copy',
  // To say that a restore of a backup was tested, and how that ended.
  'backup.restore-test',
  'restore',
  'instance.register',
  'instance.update',
  'instance.test',
  // To have the events of the account sent to a URL. Whoever may do so may read them too.
  'webhook.create',
  'webhook.update',
] as const;

/** Everything that lets something go, or decides about that. */
const lettingGo = [
  'schedule.delete',
  // To have a schedule keep less, or copy to fewer regions.
  'schedule.retention',
  'backup.delete',
  'backup.restore-deleted',
  'backup.approve-deletion',
  'backup.hold',
  'instance.forget',
  'instance.accept-lineage',
  // To have the stored password sent to another host or port.
  'instance.lead-elsewhere',
  'webhook.delete',
  'audit.read',
] as const;

export const rights = [...reading, ...making, ...lettingGo] as const;
export type Right = (typeof rights)[number];

/** The roles of the contract. A deployment may add others, and may give these other rights. */
export const builtInRoles = {
  admin: rights,
  creator: [...reading, ...making],
  observer: reading,
} as const satisfies Record<string, readonly Right[]>;

export function isRight(name: string): name is Right {
  return rights.some((right) => right === name);
}

/** By name of a role, the rights that it has. A role that is not there has none. */
export type Roles = ReadonlyMap<string, readonly Right[]>;

export const usualRoles: Roles = new Map(Object.entries(builtInRoles));

/** The form of one role, for whoever writes one. */
export const roleForm =
  'name=word word …; a word is a role of the contract, a right, a group like backup.*, or one of these after a !';

/**
 * The rights of a role that is written as words: `creator backup.hold !restore`. A word adds rights, and one after a `!` takes them away.
 * A role of the contract has its usual rights here, whatever else the deployment gives it.
 * @returns the word that means nothing, when there is one
 */
export function rightsInWords(words: readonly string[]): readonly Right[] | { unknown: string } {
  const found = new Set<Right>();
  for (const word of words) {
    const meant = meaningOf(word.replace(/^!/, ''));
    if (meant.length === 0) return { unknown: word };
    for (const right of meant) {
      if (word.startsWith('!')) found.delete(right);
      else found.add(right);
    }
  }
  return [...found];
}

function meaningOf(word: string): readonly Right[] {
  if (isRight(word)) return [word];
  if (word.endsWith('.*')) return rights.filter((right) => right.startsWith(word.slice(0, -1)));
  return usualRoles.get(word) ?? [];
}
