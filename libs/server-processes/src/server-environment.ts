/**
 * The environment of a PostgreSQL that we start, which is nothing of our own. Its data may hold a tenant's code, which must see no secret
 * of ours. Its messages are read, so they are in English. No variable leads it to other libraries or to another zone.
 */
export const serverEnvironment: NodeJS.ProcessEnv = { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C', TZ: 'UTC' };
