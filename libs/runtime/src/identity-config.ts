/** Where the API looks tokens up, as its settings say, and what is wrong with these together. */
import type { Roles } from '@strongroom/contracts';
import { isLoopbackHost } from './addresses.js';
import { mustBe } from './settings/forms.js';
import type { ConfigProblem, GivenSettings } from './settings/given-settings.js';
import * as identity from './settings/identity.js';
import { allowPlaintext } from './settings/transport.js';

/** Where the API looks tokens up. */
export type IdentityConfig =
  | { kind: 'static'; tokensFile: string }
  | {
      kind: 'keystone';
      url: URL;
      user: { name: string; domain: string; password: string; project: string; projectDomain: string };
      account: 'project-id' | 'project-name';
      /** The domain whose projects have accounts by their names. */
      accountDomain: string;
      /** Our role for each of Keystone's. */
      roles: ReadonlyMap<string, string>;
      cacheMs: number;
      timeoutMs: number;
    };

/** A token in clear on the way is everybody's, and a role that nobody knows gives no rights. */
export function problemsOfIdentity(given: GivenSettings, roles: Roles): ConfigProblem[] {
  const url = given.valueIfSet(identity.keystoneUrl);
  if (given.value(identity.identity) !== 'keystone' || !url) return [];
  const problems: ConfigProblem[] = [];
  const isAllowed = given.valueIfSet(allowPlaintext)?.has('keystone') ?? false;
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname) && !isAllowed) {
    const problem = `is http for another machine, so that every token would go there in clear; use https, or set ${allowPlaintext.name} to keystone`;
    problems.push({ variable: identity.keystoneUrl.name, problem });
  }
  const unknown = [...given.value(identity.keystoneRoles).values()].filter((role) => !roles.has(role));
  if (unknown.length > 0) {
    const there = [...roles.keys()].join(', ');
    const problem = `${mustBe(identity.keystoneRolesForm)}. It has ${unknown.join(', ')}; there are ${there}, and ${identity.roles.name} adds others`;
    problems.push({ variable: identity.keystoneRoles.name, problem });
  }
  return problems;
}

export function identityOf(given: GivenSettings): IdentityConfig {
  const url = given.valueIfSet(identity.keystoneUrl);
  if (given.value(identity.identity) === 'static' || !url) {
    return { kind: 'static', tokensFile: given.valueIfSet(identity.tokensPath) ?? '' };
  }
  return {
    kind: 'keystone',
    url,
    user: {
      name: given.value(identity.keystoneUser),
      domain: given.value(identity.keystoneUserDomain),
      password: given.valueIfSet(identity.keystonePassword) ?? '',
      project: given.value(identity.keystoneProject),
      projectDomain: given.value(identity.keystoneProjectDomain),
    },
    account: given.value(identity.keystoneAccount),
    accountDomain: given.value(identity.keystoneAccountDomain),
    roles: given.value(identity.keystoneRoles),
    cacheMs: given.value(identity.keystoneCache),
    timeoutMs: given.value(identity.keystoneTimeout),
  };
}
