/** What a service of the stack finds in its environment. No service finds a setting that only another one uses, above all no secret. */
import { type AppName, settings } from '@strongroom/runtime';

/** @param all of the settings of all services @returns those that the service uses, and what is no setting of a service */
export function environmentOf(app: AppName, all: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const ofOthers = new Set(
    settings.filter(({ usedBy }) => !usedBy.includes(app)).flatMap(({ name }) => [name, `${name}_FILE`]),
  );
  return Object.fromEntries(Object.entries(all).filter(([name]) => !ofOthers.has(name)));
}

/** The settings of the way to Kafka, but for the brokers themselves. */
export function settingsOfKafka(all: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = settings.flatMap(({ name }) => (/^KAFKA_(?!BROKERS$)/.test(name) ? [name, `${name}_FILE`] : []));
  return Object.fromEntries(names.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])));
}

/** The sizes of memory among options of Node. The others are meant for the launcher, such as those of a debugger. */
export function sizesOfMemory(options = ''): string {
  return (options.match(/--max[-_](?:old|semi)[-_]space[-_]size[= ]\d+/g) ?? []).join(' ');
}
