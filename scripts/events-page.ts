/** Writes the text of docs/events.md from the schemas of the events and from what stands above each of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Aggregate, aggregateOfEvent, aggregates, eventSchemas, topicName } from '@strongroom/contracts';
import ts from 'typescript';
import { z } from 'zod';
import { fieldsTable } from './fields-table.js';

const titles: Readonly<Record<Aggregate, string>> = {
  instance: 'Instances',
  schedule: 'Schedules',
  backup: 'Backups and slots',
  copy: 'Copies',
  webhook: 'Webhooks',
};

/** The text of the files that spell the events. @param root the folder of the project */
export function sourceOfEvents(root: string): string {
  const folder = join(root, 'libs', 'contracts', 'src', 'events');
  return readdirSync(folder)
    .sort()
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('\n');
}

/** @param source the text of these files, whose comments say what each event means */
export function eventsPage(source: string): string {
  const meanings = meaningsIn(source);
  const typesOf = (kind: Aggregate) => Object.entries(eventSchemas).filter(([type]) => isOf(type, kind));
  return `${[
    '# Events',
    `\`npm run docs\` writes this page from [libs/contracts/src/events](../libs/contracts/src/events). Everything that happens is an event. Other services subscribe to the topics
of Kafka, with the instance as the key of each message; \`GET /events\` answers the same events. A released event never changes, but new ones are added, and an
event may get new fields: pass over what you do not know. Where traces are told, a message has the header \`traceparent\` of W3C Trace
Context. [For subscribers](operations.md#for-subscribers) says how to read them without losing one.`,
    ...aggregates.flatMap((kind) => [
      `## ${titles[kind]}`,
      `The topic is \`${topicName(kind)}\`.`,
      ...typesOf(kind).flatMap(([type, schema]) => [
        `### ${type}`,
        meanings.get(type) ?? '',
        fieldsTable(z.toJSONSchema(schema, { unrepresentable: 'any' })),
      ]),
    ]),
  ].join('\n\n')}\n`;
}

function isOf(type: string, kind: Aggregate): boolean {
  return Object.entries(aggregateOfEvent).some(([each, of]) => each === type && of === kind);
}

/** What the comment above each event says, by type. Its property is in an object whose name ends in `Events`. */
export function meaningsIn(source: string): Map<string, string> {
  const file = ts.createSourceFile('events.ts', source, ts.ScriptTarget.Latest, true);
  const found = new Map<string, string>();
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && node.name.getText().endsWith('Events')) {
      for (const property of propertiesOf(node)) found.set(property.name?.getText() ?? '', commentAbove(property));
      return;
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function propertiesOf({ initializer }: ts.VariableDeclaration): readonly ts.ObjectLiteralElementLike[] {
  let value: ts.Expression | undefined = initializer;
  while (value && (ts.isAsExpression(value) || ts.isSatisfiesExpression(value))) value = value.expression;
  return value && ts.isObjectLiteralExpression(value) ? value.properties : [];
}

function commentAbove(node: ts.Node): string {
  return ts
    .getJSDocCommentsAndTags(node)
    .map((comment) => (ts.isJSDoc(comment) ? (ts.getTextOfJSDocComment(comment.comment) ?? '') : ''))
    .join(' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
