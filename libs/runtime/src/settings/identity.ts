/** How the API finds out who calls. */
import { type Roles, rightsInWords, usualRoles } from '@strongroom/contracts';
import { mustBe, oneOf, parsedText, seconds, text } from './forms.js';
import type { AppName, Setting } from './setting.js';

const usedBy: readonly AppName[] = ['api'];

export const identity = {
  name: 'STRONGROOM_IDENTITY',
  meaning: 'Where tokens are looked up: in a file of tokens (`static`), or in an OpenStack Keystone (`keystone`).',
  form: oneOf(['static', 'keystone']),
  usedBy,
  default: 'static',
} satisfies Setting<string>;

const withKeystone = { name: identity.name, is: 'keystone' };

export const tokensPath = {
  name: 'STRONGROOM_TOKENS_FILE',
  meaning:
    'The file holds `[{"name": "…", "sha256": "…", "accountId": "…", "roles": ["admin"]}]`: for each token its SHA-256 in hexadecimal, never the token. An entry may also have `"expiresAt"`, a time like `2027-01-31T00:00:00Z`; `"instances"`, the ids of the only instances that the token reaches; `"rights"`, which it has beside those of its roles; and `"id"`, which tells its holder from another one of the same name. A changed file is read again within a second.',
  form: text('the path of a JSON file of tokens'),
  usedBy,
  requiredWhen: { name: identity.name, is: 'static' },
} satisfies Setting<string>;

const roleName = /^[A-Za-z][\w.-]{0,63}$/;
const ownRolesForm =
  'like auditor=observer audit.read, restorer=observer restore, creator=creator !restore: a role and its rights';

export const roles = {
  name: 'STRONGROOM_ROLES',
  meaning:
    'Roles beside `admin`, `creator` and `observer`, or other rights for these. A word is one of these three as the contract has it, a right, a group of rights like `backup.*`, or one of all that after a `!`, which takes it away. `docs/operations.md` lists the rights.',
  form: parsedText(ownRolesForm, ownRolesOf),
  usedBy,
} satisfies Setting<Roles>;

export const keystoneUrl = {
  name: 'STRONGROOM_KEYSTONE_URL',
  meaning:
    'Where Keystone answers. The tokens of all callers and the password of the service user go there, so only `https` is taken for another machine, unless `STRONGROOM_ALLOW_PLAINTEXT` has `keystone`. A scheduler gets it only so that no instance leads there.',
  form: parsedText('like https://keystone.example.com:5000, without /v3', (value) =>
    URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
      ? new URL(value)
      : mustBe('like https://keystone.example.com:5000, without /v3'),
  ),
  usedBy: ['api', 'scheduler'],
  requiredWhen: withKeystone,
} satisfies Setting<URL>;

export const keystoneUser = {
  name: 'STRONGROOM_KEYSTONE_USER',
  meaning: 'The service user, who may validate tokens.',
  form: text('the name of a user'),
  usedBy,
  default: 'strongroom',
} satisfies Setting<string>;

export const keystoneUserDomain = {
  name: 'STRONGROOM_KEYSTONE_USER_DOMAIN',
  meaning: 'The domain of the service user.',
  form: text('the name of a domain'),
  usedBy,
  default: 'Default',
} satisfies Setting<string>;

export const keystonePassword = {
  name: 'STRONGROOM_KEYSTONE_PASSWORD',
  meaning: 'The password of the service user.',
  form: text("the service user's password"),
  usedBy,
  requiredWhen: withKeystone,
  isSecret: true,
  mayBeFile: true,
} satisfies Setting<string>;

export const keystoneProject = {
  name: 'STRONGROOM_KEYSTONE_PROJECT',
  meaning: 'The project that the service user works in.',
  form: text('the name of a project'),
  usedBy,
  default: 'service',
} satisfies Setting<string>;

export const keystoneProjectDomain = {
  name: 'STRONGROOM_KEYSTONE_PROJECT_DOMAIN',
  meaning: 'The domain of that project.',
  form: text('the name of a domain'),
  usedBy,
  default: 'Default',
} satisfies Setting<string>;

export const keystoneAccount = {
  name: 'STRONGROOM_KEYSTONE_ACCOUNT',
  meaning:
    "What of a caller's project is the account in the paths of the API. A name is unique in its domain alone: with `project-name`, only the projects of `STRONGROOM_KEYSTONE_ACCOUNT_DOMAIN` have accounts.",
  form: oneOf(['project-id', 'project-name']),
  usedBy,
  default: 'project-id',
} satisfies Setting<string>;

export const keystoneAccountDomain = {
  name: 'STRONGROOM_KEYSTONE_ACCOUNT_DOMAIN',
  meaning:
    'With `project-name`, the domain whose projects have accounts. A token of a project of another domain is refused.',
  form: text('the name of a domain'),
  usedBy,
  default: 'Default',
} satisfies Setting<string>;

export const keystoneRolesForm = "like admin=admin,member=creator,reader=observer: Keystone's role, and ours";

export const keystoneRoles = {
  name: 'STRONGROOM_KEYSTONE_ROLES',
  meaning:
    "Our role for each of Keystone's. Ours are `admin`, who may do everything, `creator`, who may do everything but delete, and `observer`, who may only read; and those of `STRONGROOM_ROLES`. A role of Keystone that is called `member@<id of an instance>` counts as `member` does, for that instance alone.",
  form: parsedText(keystoneRolesForm, rolesOf),
  usedBy,
  default: 'admin=admin,member=creator,reader=observer',
} satisfies Setting<ReadonlyMap<string, string>>;

export const keystoneCache = {
  name: 'STRONGROOM_KEYSTONE_CACHE_SECONDS',
  meaning: 'For how long an answer of Keystone counts. A token that Keystone withdraws is accepted for as long.',
  form: seconds(0, 3_600),
  usedBy,
  default: '60',
} satisfies Setting<number>;

export const keystoneTimeout = {
  name: 'STRONGROOM_KEYSTONE_TIMEOUT_SECONDS',
  meaning: 'How long Keystone may take to answer. After that the caller gets a 503.',
  form: seconds(0.1, 60),
  usedBy,
  default: '5',
} satisfies Setting<number>;

function rolesOf(value: string): Map<string, string> | string {
  const pairs = value.split(',').map((entry) => /^([^=@]+)=([A-Za-z][\w.-]{0,63})$/.exec(entry.trim()));
  if (pairs.some((pair) => pair === null)) return mustBe(keystoneRolesForm);
  return new Map(pairs.map((pair) => [pair?.[1]?.toLowerCase() ?? '', pair?.[2] ?? '']));
}

function ownRolesOf(value: string): Roles | string {
  const found = new Map(usualRoles);
  for (const entry of value.split(',')) {
    const [name = '', words = '', ...more] = entry.split('=').map((part) => part.trim());
    if (!roleName.test(name) || words === '' || more.length > 0) return mustBe(ownRolesForm);
    const given = rightsInWords(words.split(/\s+/));
    if ('unknown' in given)
      return `has ${given.unknown} in role ${name}, which is no right and no role of the contract; ${mustBe(ownRolesForm)}`;
    found.set(name, given);
  }
  return found;
}
