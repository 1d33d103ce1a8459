/** How the API finds out who calls. */
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
    'The file holds `[{"name": "…", "sha256": "…", "accountId": "…", "roles": ["admin"]}]`: for each token its SHA-256 in hexadecimal, never the token. A changed file is read again within a second.',
  form: text('the path of a JSON file of tokens'),
  usedBy,
  requiredWhen: { name: identity.name, is: 'static' },
} satisfies Setting<string>;

export const keystoneUrl = {
  name: 'STRONGROOM_KEYSTONE_URL',
  meaning: 'Where Keystone answers.',
  form: parsedText('like https://keystone.example.com:5000, without /v3', (value) =>
    URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
      ? new URL(value)
      : mustBe('like https://keystone.example.com:5000, without /v3'),
  ),
  usedBy,
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
  meaning: "What of a caller's project is the account in the paths of the API.",
  form: oneOf(['project-id', 'project-name']),
  usedBy,
  default: 'project-id',
} satisfies Setting<string>;

const rolesForm = "like admin=admin,member=creator,reader=observer: Keystone's role, and ours";

export const keystoneRoles = {
  name: 'STRONGROOM_KEYSTONE_ROLES',
  meaning:
    "Our role for each of Keystone's. Ours are `admin`, who may do everything, `creator`, who may do everything but delete, and `observer`, who may only read.",
  form: parsedText(rolesForm, rolesOf),
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
  const pairs = value.split(',').map((entry) => /^([^=]+)=(admin|creator|observer)$/.exec(entry.trim()));
  if (pairs.some((pair) => pair === null)) return mustBe(rolesForm);
  return new Map(pairs.map((pair) => [pair?.[1]?.toLowerCase() ?? '', pair?.[2] ?? '']));
}
