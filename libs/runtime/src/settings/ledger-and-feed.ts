/** Where the ledger is, and how its events reach the services. */
import { defaultNamespace } from '@strongroom/contracts';
import { mustBe, oneOf, parsedText, text } from './forms.js';
import { appNames, type Setting } from './setting.js';

const brokersForm = 'like kafka-1:9092,kafka-2:9092';

export const databaseUrl = {
  name: 'STRONGROOM_DATABASE_URL',
  meaning:
    'The PostgreSQL database that holds the ledger, the views and the jobs. A service whose role owns the database brings its schema up to date when it starts. Any other waits until `strongroom migrate` has done that.',
  form: text('like postgres://user:password@host:5432/database', isPostgresUrl),
  usedBy: appNames,
  isRequired: true,
  isSecret: true,
  mayBeFile: true,
} satisfies Setting<string>;

export const feed = {
  name: 'STRONGROOM_FEED',
  meaning:
    'How the events reach the services: over Kafka, or from the ledger itself (`embedded`). The embedded feed needs no broker and is meant for one machine.',
  form: oneOf(['kafka', 'embedded']),
  usedBy: appNames,
  default: 'kafka',
} satisfies Setting<string>;

export const brokers = {
  name: 'KAFKA_BROKERS',
  meaning: 'The brokers of the Kafka cluster, with commas between them.',
  form: parsedText(brokersForm, brokersOf),
  usedBy: appNames,
  requiredWhen: { name: feed.name, is: 'kafka' },
} satisfies Setting<string[]>;

export const namespace = {
  name: 'STRONGROOM_NAMESPACE',
  meaning:
    'The prefix of the topics and of the consumer groups, so that several deployments can share a Kafka. Every process of a deployment has the same one.',
  form: text('1 to 64 characters of A-Z a-z 0-9 _ -', (name) => /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name)),
  usedBy: appNames,
  default: defaultNamespace,
} satisfies Setting<string>;

function isPostgresUrl(value: string): boolean {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return url !== undefined && /^postgres(ql)?:$/.test(url.protocol) && url.hostname !== '' && url.pathname.length > 1;
}

function brokersOf(value: string): string[] | string {
  const found = value.split(',').map((broker) => broker.trim());
  const isRight = found.every((broker) => /^([^\s:/]+|\[[0-9a-fA-F:]+\]):\d{1,5}$/.test(broker));
  return isRight ? found : mustBe(brokersForm);
}
