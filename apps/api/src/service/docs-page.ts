/** The reference of the API as a page for people. It is made from the document that programs read, and from nothing else. */
import type { openApiDocument } from './open-api.js';

type Document = ReturnType<typeof openApiDocument>;

/** What the page reads of an operation in the document. */
interface Documented {
  operationId: string;
  summary: string;
  description?: string;
  parameters: { name: string | undefined; in: string; description?: string }[];
  requestBody?: { content: Content };
  responses: Record<string, { description: string; content?: Content }>;
}
type Content = Record<string, { schema: object; examples?: Record<string, { value: unknown }> }>;

const style = `
:root { color-scheme: light dark; --line: #8884; --accent: #0a7; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem 1.5rem 4rem; }
h1 { margin-bottom: 0; } h2 { border-top: 1px solid var(--line); margin-top: 2.5rem; padding-top: 1.5rem; font-size: 1.1rem; }
code, pre { font: 0.875rem/1.45 ui-monospace, monospace; } pre { background: #8881; border-radius: 6px; overflow-x: auto; padding: .8rem 1rem; }
table { border-collapse: collapse; width: 100%; } td, th { border-bottom: 1px solid var(--line); padding: .3rem .6rem .3rem 0; text-align: left; vertical-align: top; }
.method { color: var(--accent); font-weight: 700; } nav ul { columns: 2; list-style: none; padding: 0; } a { color: inherit; }
@media (max-width: 40rem) { nav ul { columns: 1; } }
`;

/** The page has no scripts, and loads nothing from elsewhere. */
export const docsPolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

export function docsPage(document: Document): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      operation: operation as Documented,
    })),
  );
  const links = operations.map(
    ({ path, method, operation }) =>
      `<li><a href="#${operation.operationId}"><span class="method">${method}</span> <code>${escaped(path)}</code></a></li>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(document.info.title)} API ${document.info.version}</title>
<style>${style}</style>
</head>
<body>
<h1>${escaped(document.info.title)} API ${document.info.version}</h1>
<p>${escaped(document.info.description)} Every call below an account carries a token in <code>X-Auth-Token</code>.
For programs: <a href="/openapi.json">/openapi.json</a>.</p>
<nav><ul>${links.join('')}</ul></nav>
${operations.map(section).join('\n')}
</body>
</html>
`;
}

function section({ path, method, operation }: { path: string; method: string; operation: Documented }): string {
  const { operationId, summary, description, parameters, requestBody, responses } = operation;
  const parts = [
    `<h2 id="${operationId}"><span class="method">${method}</span> <code>${escaped(path)}</code></h2>`,
    `<p>${escaped(summary)}.${description ? ` <small>${escaped(description)}</small>` : ''}</p>`,
  ];
  const asked = parameters.filter((parameter) => parameter.in !== 'path');
  if (asked.length > 0) {
    parts.push(
      rows(
        ['Parameter', 'In', ''],
        asked.map((each) => [code(each.name ?? ''), each.in, escaped(each.description ?? '')]),
      ),
    );
  }
  const request = requestBody?.content['application/json'];
  if (request) parts.push('<h3>Request</h3>', ...valuesOf(request).map(example), details(request.schema));
  parts.push(
    '<h3>Answers</h3>',
    rows(
      ['Status', ''],
      Object.entries(responses).map(([status, answer]) => [code(status), escaped(answer.description)]),
    ),
  );
  for (const { content } of Object.values(responses)) {
    for (const answer of Object.values(content ?? {})) {
      const examples = valuesOf(answer);
      if (examples.length > 0) parts.push(...examples.map(example));
      else if (!('$ref' in answer.schema)) parts.push(details(answer.schema));
    }
  }
  return parts.join('\n');
}

function rows(head: string[], body: string[][]): string {
  const line = (cells: string[], tag: string) => `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`;
  return `<table>${line(head, 'th')}${body.map((cells) => line(cells, 'td')).join('')}</table>`;
}

function valuesOf({ examples = {} }: Content[string]): unknown[] {
  return Object.values(examples).map(({ value }) => value);
}

function example(value: unknown): string {
  return `<pre>${escaped(typeof value === 'string' ? value : JSON.stringify(value, null, 2))}</pre>`;
}

function details(schema: object): string {
  return `<details><summary>Schema</summary>${example(schema)}</details>`;
}

function code(text: string): string {
  return `<code>${escaped(text)}</code>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
