/** Writes the text of docs/metrics.md from the calls that declare metrics: their arguments are the one place that says what a metric is. */
import {
  createSourceFile,
  type Expression,
  type Identifier,
  isArrayLiteralExpression,
  isAsExpression,
  isCallExpression,
  isIdentifier,
  isNumericLiteral,
  isObjectLiteralExpression,
  isPropertyAccessExpression,
  isPropertyAssignment,
  isShorthandPropertyAssignment,
  isSpreadElement,
  isStringLiteralLike,
  isTemplateExpression,
  isVariableDeclaration,
  type Node,
  type ObjectLiteralExpression,
  ScriptTarget,
  type VariableDeclaration,
} from 'typescript';

export interface DeclaredMetric {
  name: string;
  type: 'counter' | 'gauge' | 'histogram';
  labels: readonly string[];
  /** Whole sentences. */
  help: string;
  /** The file that declares it, from the root of the project. */
  path: string;
}

const types = ['counter', 'gauge', 'histogram'] as const;

/** The last part of a name before `_total` is its unit, as Prometheus has it. What has none is a number of things. */
const units = ['seconds', 'bytes', 'bytes_per_second'] as const;

const rooms: readonly { title: string; of: RegExp }[] = [
  { title: 'The API', of: /^apps\/api\// },
  { title: 'The scheduler', of: /^apps\/scheduler\// },
  { title: 'The replicator', of: /^apps\/replicator\// },
  { title: 'Several services', of: /^libs\// },
];

/** @throws {TypeError} for a metric whose name, meaning or labels are not written where it is declared */
export function metricsIn(path: string, text: string): DeclaredMetric[] {
  const found: DeclaredMetric[] = [];
  const look = (node: Node): void => {
    const declared = declaredBy(node, path);
    if (declared) found.push(declared);
    node.forEachChild(look);
  };
  look(createSourceFile(path, text, ScriptTarget.Latest, true));
  return found;
}

function declaredBy(node: Node, path: string): DeclaredMetric | undefined {
  if (!isCallExpression(node) || !isPropertyAccessExpression(node.expression)) return undefined;
  const type = types.find((each) => isPropertyAccessExpression(node.expression) && node.expression.name.text === each);
  const [given] = node.arguments;
  if (!type || !given || !isObjectLiteralExpression(given)) return undefined;
  const name = textOf(givenAs(given, 'name'));
  const help = textOf(givenAs(given, 'help'));
  const labels = givenAs(given, 'labels');
  const names = labels ? textsOf(labels) : [];
  if (name === undefined || help === undefined || names.includes(undefined)) {
    throw new TypeError(`${path} declares a ${type} whose name, help or labels are not written there`);
  }
  return { name, type, labels: names.filter((each) => each !== undefined), help, path };
}

function givenAs(given: ObjectLiteralExpression, name: string): Expression | undefined {
  const found = given.properties.find((each) => each.name?.getText() === name);
  if (found && isShorthandPropertyAssignment(found)) return found.name;
  return found && isPropertyAssignment(found) ? found.initializer : undefined;
}

/** A text as it is written, with the constants of the same file in their places; undefined for anything else. */
function textOf(value: Expression | undefined): string | undefined {
  if (!value) return undefined;
  if (isStringLiteralLike(value) || isNumericLiteral(value)) return value.text;
  if (isIdentifier(value)) return textOf(constantOf(value));
  if (!isTemplateExpression(value)) return undefined;
  const parts = value.templateSpans.map(({ expression, literal }) => ({
    text: textOf(expression),
    after: literal.text,
  }));
  if (parts.some(({ text }) => text === undefined)) return undefined;
  return value.head.text + parts.map(({ text, after }) => `${text}${after}`).join('');
}

/** The texts of a list; undefined stands for what is no text. A name stands for the list of that name in the same file. */
function textsOf(list: Expression): (string | undefined)[] {
  if (isAsExpression(list)) return textsOf(list.expression);
  if (isSpreadElement(list)) return textsOf(list.expression);
  const named = isIdentifier(list) ? constantOf(list) : undefined;
  if (named) return textsOf(named);
  if (!isArrayLiteralExpression(list)) return [undefined];
  return list.elements.flatMap((each) => (isSpreadElement(each) ? textsOf(each) : [textOf(each)]));
}

function constantOf(name: Identifier): Expression | undefined {
  return name
    .getSourceFile()
    .statements.flatMap((statement) => constantsIn(statement))
    .find((each) => each.name.getText() === name.text)?.initializer;
}

function constantsIn(node: Node): VariableDeclaration[] {
  const found: VariableDeclaration[] = isVariableDeclaration(node) ? [node] : [];
  node.forEachChild((child) => void found.push(...constantsIn(child)));
  return found;
}

export function metricsPage(metrics: readonly DeclaredMetric[]): string {
  return `${[
    '# Metrics',
    `\`npm run docs\` writes this page from the calls in the code that declare metrics. [operations.md](operations.md#watching) says of each when to look, and what to do
next.`,
    `Each service serves its metrics at \`/metrics\`, in the text format of Prometheus; the API at its private port. A name ends in the unit. A counter's name ends in
\`_total\`, and only grows while its process runs. A histogram has \`_bucket\`, \`_sum\` and \`_count\`. Beside these, each process has those of Node that \`prom-client\` gives, such
as \`nodejs_heap_size_used_bytes\` and \`process_cpu_seconds_total\`.`,
    ...rooms.flatMap(({ title, of }) => [
      `## ${title}`,
      [
        '| Metric | Type | Unit | Labels | Meaning |',
        '| --- | --- | --- | --- | --- |',
        ...rowsOf(metrics.filter(({ path }) => of.test(path))),
      ].join('\n'),
    ]),
  ].join('\n\n')}\n`;
}

function rowsOf(metrics: readonly DeclaredMetric[]): string[] {
  return [...metrics]
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .map(({ name, type, labels, help }) => {
      const cells = [`\`${name}\``, type, unitOf(name), labels.map((label) => `\`${label}\``).join(', '), help];
      return `| ${cells.join(' | ')} |`;
    });
}

function unitOf(name: string): string {
  const unit = units.find((each) => name.replace(/_total$/, '').endsWith(`_${each}`));
  return unit?.replaceAll('_', ' ') ?? '';
}
