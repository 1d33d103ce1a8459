/** What each role may do. A role or a method that is not named here may do nothing. */
import type { Principal } from './identity.js';

const reading = ['GET', 'HEAD'];
const creating = [...reading, 'POST', 'PUT', 'PATCH'];

const allowed: ReadonlyMap<string, readonly string[]> = new Map([
  ['admin', [...creating, 'DELETE']],
  ['creator', creating],
  ['observer', reading],
]);

/** Whether one of the principal's roles allows the HTTP method. It does not say which account the principal may reach. */
export function mayDo(principal: Principal, method: string): boolean {
  return principal.roles.some((role) => allowed.get(role)?.includes(method) ?? false);
}
