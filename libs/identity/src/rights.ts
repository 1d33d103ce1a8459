/** What a principal may do: it has the rights of each of its roles, and those of its own. A role that nobody knows has none. */
import { type Right, type Roles, usualRoles } from '@strongroom/contracts';
import type { Principal } from './identity.js';

/** @returns whether the principal has the right, in the account and for the instances that it reaches */
export function hasRight({ roles, rights = [] }: Principal, right: Right, known: Roles = usualRoles): boolean {
  return rights.includes(right) || roles.some((role) => known.get(role)?.includes(right) ?? false);
}
