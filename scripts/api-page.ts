/** Writes the text of docs/api.md from the OpenAPI document of the API. */
import { z } from 'zod';
import { fieldsTable } from './fields-table.js';

const content = z.object({ 'application/json': z.object({ schema: z.unknown() }).optional() });
const operation = z.object({
  tags: z.array(z.string()),
  operationId: z.string(),
  summary: z.string(),
  description: z.string().optional(),
  parameters: z.array(z.object({ name: z.string(), in: z.string(), description: z.string().optional() })),
  requestBody: z.object({ content }).optional(),
  responses: z.record(z.string(), z.object({ description: z.string(), content: content.optional() })),
});
const document = z.object({
  tags: z.array(z.object({ name: z.string(), description: z.string() })),
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
});
type Operation = z.infer<typeof operation> & { method: string; path: string };

/** @param openApi the document that `/openapi.json` answers */
export function apiPage(openApi: unknown): string {
  const { tags, paths, components } = document.parse(openApi);
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, each]) => ({ ...each, method: method.toUpperCase(), path })),
  );
  return `${[
    '# API',
    `\`npm run docs\` writes this page from the OpenAPI document, which a running API answers at \`/openapi.json\`. At \`/docs\` it draws the same document, where each
operation can be tried with your own token. [contract.md](contract.md) has what each operation promises, and the test that has seen it.`,
    `Every path of an account needs a token in \`X-Auth-Token\`. A 202 means that the request is on disk. Each answer has the id of its request in \`X-Request-Id\`.
A fault has one form: \`{"itemNotFound": {"code": 404, "message": "…"}}\`. Where what the account has does not allow what was
asked, there is a \`refusal\` too, which is a word for programs such as \`backup-running-for-instance\`. In the tables, a field that is marked "always" is always there.`,
    ...tags.flatMap(({ name, description }) => [
      `## ${name}`,
      description,
      ...operations.filter((each) => each.tags.includes(name)).flatMap(partsOf),
    ]),
    '## What the answers have',
    ...Object.entries(components.schemas).flatMap(([name, schema]) => [`### ${name}`, fieldsTable(schema)]),
  ].join('\n\n')}\n`;
}

function partsOf(each: Operation): string[] {
  const { method, path, summary, description, parameters, requestBody, responses } = each;
  const asked = parameters.filter(({ in: place }) => place === 'query');
  const body = requestBody?.content['application/json']?.schema;
  const faults = Object.entries(responses).filter(([status]) => Number(status) >= 400);
  const answers = Object.entries(responses).filter(([status]) => Number(status) < 400);
  return [
    `### \`${method} ${path}\``,
    [`${summary}${/[.!?]$/.test(summary) ? '' : '.'}`, description].filter(Boolean).join(' '),
    ...(asked.length > 0
      ? [asked.map(({ name, description: about = '' }) => `- \`?${name}=\` ${about}`).join('\n')]
      : []),
    ...(body === undefined ? [] : ['The body:', fieldsTable(body)]),
    ...answers.flatMap(([status, { description: about, content: has }]) => {
      const schema = has?.['application/json']?.schema;
      const said = `**${status}**: ${about}${/[.!?]$/.test(about) ? '' : '.'}`;
      return schema === undefined ? [said] : [said, fieldsTable(schema)];
    }),
    ...(faults.length > 0
      ? [`Faults: ${faults.map(([status, { description: type }]) => `${status} \`${type}\``).join(', ')}.`]
      : []),
  ];
}
