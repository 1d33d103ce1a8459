/** Where one is: the address has the screen, and the id of what it shows. */

export const screens = {
  restorable: 'Restorable',
  schedules: 'Schedules',
  regions: 'Regions',
  instances: 'Instances',
  webhooks: 'Webhooks',
  activity: 'Activity',
} as const;
export type Screen = keyof typeof screens;

const things = ['schedules', 'backups', 'webhooks'] as const;

export type Route =
  | { screen: Screen; id: null }
  /** One of its things. */
  | { screen: (typeof things)[number]; id: string };

export function routeOf(hash: string): Route {
  const [, screen = '', id] = hash.split('/');
  const thing = things.find((each) => each === screen);
  if (thing && id) return { screen: thing, id: decodeURIComponent(id) };
  return { screen: isScreen(screen) ? screen : 'restorable', id: null };
}

function isScreen(name: string): name is Screen {
  return Object.hasOwn(screens, name);
}

export function scheduleAddress(id: string): string {
  return `#/schedules/${encodeURIComponent(id)}`;
}

export function backupAddress(id: string): string {
  return `#/backups/${encodeURIComponent(id)}`;
}

export const webhooksAddress = '#/webhooks';

export function webhookAddress(id: string): string {
  return `${webhooksAddress}/${encodeURIComponent(id)}`;
}
