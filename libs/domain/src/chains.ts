/** Chains of backups: what is built on what, and what goes with what. */
import type { MadeFull } from './backup-state.js';

/** A backup and the one that it is built on. */
export interface Link {
  id: string;
  parentId: string | null;
}

/**
 * With which backup each of those that go is deleted: what is built on a deleted one goes with it.
 * @param links parents before children
 * @param goes the ids of those that go
 * @returns for each of these, in the order of the links, the id of the root of its chain
 */
export function rootsOf(links: readonly Link[], goes: ReadonlySet<string>): Map<string, string> {
  const roots = new Map<string, string>();
  for (const { id, parentId } of links) {
    if (goes.has(id)) roots.set(id, (parentId === null ? undefined : roots.get(parentId)) ?? id);
  }
  return roots;
}

/** The backup and everything that is built on it. @param links parents before children */
export function chainBelow<L extends Link>(rootId: string, links: readonly L[]): L[] {
  const below = new Set([rootId]);
  return links.filter(({ id, parentId }) => {
    if (parentId !== null && below.has(parentId)) below.add(id);
    return below.has(id);
  });
}

/** Everything that the backup is built on and that is there, the nearest first; and the backup itself before it. */
export function chainAbove<L extends Link>(id: string, links: readonly L[]): L[] {
  const byId = new Map(links.map((each) => [each.id, each]));
  const chain: L[] = [];
  for (let each = byId.get(id); each; each = each.parentId === null ? undefined : byId.get(each.parentId))
    chain.push(each);
  return chain;
}

/** The newest completed backup of an instance, whoever asked for it, as a slot finds it. */
export interface NewestOfInstance {
  id: string;
  /** `being-deleted` is one that is not there any more, or that is built on such a one. */
  is: 'whole' | 'being-deleted' | 'unreadable';
}

/** What a slot's run is built on, when an incremental is planned for it; or why it is full instead. */
export type RunBasis = { type: 'incremental'; parentId: string } | { type: 'full'; madeFull: MadeFull };

/** @param newest undefined when the instance has no completed backup */
export function basisOfIncremental(newest: NewestOfInstance | undefined): RunBasis {
  if (!newest) return { type: 'full', madeFull: nothingThere };
  if (newest.is === 'whole') return { type: 'incremental', parentId: newest.id };
  return { type: 'full', madeFull: newest.is === 'unreadable' ? unreadable(newest.id) : beingDeleted(newest.id) };
}

const nothingThere: MadeFull = {
  ground: 'nothing-to-build-on',
  reason: 'When the slot came there was no completed backup of the instance to build on.',
};
const beingDeleted = (parentId: string): MadeFull => ({
  ground: 'parent-not-there',
  reason: `When the slot came backup ${parentId}, the newest of the instance, or what it is built on, was being deleted.`,
});
const unreadable = (parentId: string): MadeFull => ({
  ground: 'parent-not-there',
  reason: `When the slot came the history of backup ${parentId}, the newest of the instance, could not be read.`,
});
