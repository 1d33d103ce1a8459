/** What operators are told of without asking. */
import { integer, mustBe, parsedText } from './forms.js';
import type { Setting } from './setting.js';

export const metricSchedules = {
  name: 'STRONGROOM_METRIC_SCHEDULES',
  meaning:
    'How many schedules have metrics of their own at `/metrics` of the scheduler, with their account and id as labels. When there are more, those that have waited too long for a success come first, and `strongroom_schedules_not_shown` says how many have none. With 0 no schedule has any.',
  form: integer(0, 10_000),
  usedBy: ['scheduler'],
  default: '1000',
} satisfies Setting<number>;

const heartbeatForm = 'like https://hc-ping.com/2f2fcb9b-8a9a-4f4e-9f4d-0f3a3c1e9c55, without anything behind a #';

export const heartbeatUrl = {
  name: 'STRONGROOM_HEARTBEAT_URL',
  meaning:
    'Where each scheduler tells once a minute that it looks for due slots, by a `GET`. While its looks fail, it asks for the same path with `/fail` behind it, as healthchecks.io has it. Whoever is told raises an alarm when nothing comes any more. Only `https` is taken for another machine, unless `STRONGROOM_ALLOW_PLAINTEXT` has `heartbeat`. Without it nobody is told.',
  form: parsedText(heartbeatForm, (value) => {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    return url && /^https?:$/.test(url.protocol) && url.hash === '' ? url : mustBe(heartbeatForm);
  }),
  usedBy: ['scheduler'],
  // Whoever knows it can keep the alarm from being raised.
  isSecret: true,
  mayBeFile: true,
} satisfies Setting<URL>;
