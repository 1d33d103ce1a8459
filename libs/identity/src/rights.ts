/**
 * What a caller may do beyond its HTTP method, by name. Who asks for a right does not know the roles. Today a role has a right
 * when it allows the method that stands beside it.
 */
import type { Principal } from './identity.js';
import { mayDo } from './roles.js';

const methodOf = {
  'backup.delete': 'DELETE',
  'backup.restore-deleted': 'DELETE',
  'backup.approve-deletion': 'DELETE',
  'backup.hold': 'DELETE',
  'schedule.delete': 'DELETE',
  // To have a schedule keep less, or copy to fewer regions.
  'schedule.retention': 'DELETE',
  'instance.forget': 'DELETE',
  'instance.accept-lineage': 'DELETE',
  // To have the stored password sent to another host or port.
  'instance.lead-elsewhere': 'DELETE',
} as const;

export type Right = keyof typeof methodOf;

/** Whether one of the principal's roles has the right. It does not say which account the principal may reach. */
export function hasRight(principal: Principal, right: Right): boolean {
  return mayDo(principal, methodOf[right]);
}
