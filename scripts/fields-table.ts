/** Writes the fields of a JSON Schema as the rows of a table. */
import { z } from 'zod';

interface Shape {
  $ref?: string | undefined;
  type?: string | string[] | undefined;
  format?: string | undefined;
  pattern?: string | undefined;
  const?: unknown;
  enum?: unknown[] | undefined;
  minimum?: number | undefined;
  maximum?: number | undefined;
  exclusiveMinimum?: number | undefined;
  minLength?: number | undefined;
  maxLength?: number | undefined;
  minItems?: number | undefined;
  maxItems?: number | undefined;
  items?: Shape | undefined;
  anyOf?: Shape[] | undefined;
  oneOf?: Shape[] | undefined;
  allOf?: Shape[] | undefined;
  properties?: Record<string, Shape> | undefined;
  required?: string[] | undefined;
}

const list = z.lazy(() => z.array(shape)).optional();
const count = z.number().optional();
const shape: z.ZodType<Shape> = z.object({
  $ref: z.string().optional(),
  type: z.union([z.string(), z.array(z.string())]).optional(),
  format: z.string().optional(),
  pattern: z.string().optional(),
  const: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
  minimum: count,
  maximum: count,
  exclusiveMinimum: count,
  minLength: count,
  maxLength: count,
  minItems: count,
  maxItems: count,
  items: z.lazy(() => shape).optional(),
  anyOf: list,
  oneOf: list,
  allOf: list,
  properties: z.lazy(() => z.record(z.string(), shape)).optional(),
  required: z.array(z.string()).optional(),
});

/**
 * A row for each field, and for each field within it: `connection.host`, `copies[].region`. What may have several forms has the rows of each.
 * @param schema of draft 2020-12
 * @throws {z.ZodError} when it is no schema
 */
export function fieldsTable(schema: unknown): string {
  const rows = rowsOf(shape.parse(schema), '');
  return ['| field | form | |', '| --- | --- | --- |', ...new Set(rows)].join('\n');
}

function rowsOf({ properties = {}, required = [], items, anyOf, oneOf, allOf }: Shape, path: string): string[] {
  const ofForms = [...(anyOf ?? []), ...(oneOf ?? []), ...(allOf ?? [])].flatMap((form) => rowsOf(form, path));
  const ofItems = items ? rowsOf(items, `${path}[]`) : [];
  const ofFields = Object.entries(properties).flatMap(([name, field]) => {
    const whole = path === '' ? name : `${path}.${name}`;
    const cells = [`\`${whole}\``, formOf(field), required.includes(name) ? 'always' : ''];
    return [`| ${cells.join(' | ')} |`, ...rowsOf(field, whole)];
  });
  return [...ofFields, ...ofItems, ...ofForms];
}

/** What a value of the shape looks like, in words. */
function formOf(field: Shape): string {
  const { $ref, type, items, anyOf, oneOf, allOf } = field;
  if ($ref !== undefined) return `[${$ref.split('/').at(-1)}](#${$ref.split('/').at(-1)?.toLowerCase()})`;
  if ('const' in field && field.const !== undefined) return `\`${JSON.stringify(field.const)}\``;
  if (field.enum) return field.enum.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  const forms = anyOf ?? oneOf ?? allOf;
  if (forms) return [...new Set(forms.map(formOf))].join(' or ');
  if (items) return `a list${between(field.minItems, field.maxItems)} of: ${formOf(items)}`;
  if (field.format === 'date-time') return 'an instant';
  if (/^\^\[0-9a-f\]\{8\}-/.test(field.pattern ?? '')) return 'a UUID';
  const named = [type ?? 'anything'].flat().join(' or ');
  return `${named}${between(field.minimum ?? field.exclusiveMinimum, field.maximum)}${between(field.minLength, field.maxLength, 'characters')}`;
}

function between(least: number | undefined, most: number | undefined, unit = ''): string {
  const bounded = most !== undefined && most < Number.MAX_SAFE_INTEGER;
  if (!bounded && (least === undefined || least <= 0)) return '';
  const span = bounded ? `${least ?? 0} to ${most}` : `${least} or more`;
  return `, ${span}${unit === '' ? '' : ` ${unit}`}`;
}
