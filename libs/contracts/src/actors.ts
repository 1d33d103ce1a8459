/**
 * Who did something. The context of an event has the actor's name, as ever, and beside it who that is. A name alone can be anybody's: two
 * users may share one. No user has the name of a component of ours.
 */
import { z } from 'zod';

export const actorDetails = z.strictObject({
  /** A caller of the API, or a process of Strongroom. */
  kind: z.enum(['user', 'service']),
  /** Tells two actors of a kind apart: the user's id in Keystone, or that of the entry in the file of tokens. */
  id: z.string().min(1).max(256),
  name: z.string().min(1).max(256),
  /** The domain of the user in Keystone; null where there are no domains. */
  domain: z.string().min(1).max(256).nullable(),
  /** The address that the request came from; null when there was no request. */
  address: z.string().min(1).max(128).nullable(),
});
export type ActorDetails = z.infer<typeof actorDetails>;

/** The actor of an event, as far as the event tells it. Events of older versions have the name alone. */
export interface Actor {
  actor: string;
  actorDetails?: ActorDetails | undefined;
}

const longestName = 128;
const longestDetail = 256;
/** The names of our components, and those that have the prefix already. */
const reserved = /^(strongroom|scheduler-|replicator-|api-|user:)/i;

/** The name of a user as the actor of events. One that could be a component's gets a prefix that no component has. */
export function actorOfUser(name: string): string {
  const told = storableName(name);
  return cut(reserved.test(told) ? `user:${told}` : told, longestName);
}

/** A name from elsewhere, as an event can hold it: without control characters and broken ones, and not too long. */
export function storableName(name: string): string {
  return cut(name.replaceAll(/[\p{Cc}\p{Cs}]/gu, '\uFFFD'), longestDetail) || 'nameless';
}

/** A character that is two halves is kept whole or left out. */
function cut(text: string, length: number): string {
  return text.slice(0, length).replace(/[\uD800-\uDBFF]$/, '');
}

/** A process or a component of Strongroom as the actor. */
export function serviceActor(name: string): { actor: string; actorDetails: ActorDetails } {
  return { actor: name, actorDetails: { kind: 'service', id: name, name, domain: null, address: null } };
}

/** Whether two actors are one. Their ids tell it; where one of them is told by an older version, their names do. */
export function isSameActor(one: Actor, other: Actor): boolean {
  if (!one.actorDetails || !other.actorDetails) return one.actor === other.actor;
  return one.actorDetails.kind === other.actorDetails.kind && one.actorDetails.id === other.actorDetails.id;
}
