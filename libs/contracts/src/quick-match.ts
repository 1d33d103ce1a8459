/**
 * Tells whether a value has the form of a schema, some twenty times as fast as the schema tells it, because it makes no copy and collects no
 * issues. It is made from the schema itself. It may say no to a value that the schema takes, and never yes to one that it refuses or
 * changes: whoever hears no asks the schema.
 */
import { z } from 'zod';

type Match = (value: unknown) => boolean;

/** By schema; undefined for one with a part that is not known here. */
const matches = new WeakMap<z.ZodType, Match | undefined>();

export function quickMatch<S extends z.ZodType>(schema: S, value: unknown): value is z.output<S> {
  if (!matches.has(schema)) matches.set(schema, matchOf(schema));
  return matches.get(schema)?.(value) ?? false;
}

/** @returns undefined when the schema has a part that is not known here, such as one that changes values */
function matchOf(schema: z.core.$ZodType): Match | undefined {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  const own = ownMatch(def);
  const checks = [...('check' in def ? [def] : []), ...(def.checks ?? []).map((check) => check._zod.def)].map(checkOf);
  if (!own || !areKnown(checks)) return undefined;
  if (checks.length === 0) return own;
  const [first, ...others] = checks;
  if (first && others.length === 0) return (value) => own(value) && first(value);
  return (value) => own(value) && checks.every((check) => check(value));
}

function ownMatch(def: z.core.$ZodTypes['_zod']['def']): Match | undefined {
  switch (def.type) {
    case 'string':
      return (value) => typeof value === 'string';
    case 'number':
      return Number.isFinite;
    case 'boolean':
      return (value) => typeof value === 'boolean';
    case 'null':
      return (value) => value === null;
    case 'unknown':
      return () => true;
    case 'enum': {
      const values = new Set<unknown>(Object.values(def.entries));
      return (value) => values.has(value);
    }
    case 'nullable':
    case 'optional': {
      const inner = matchOf(def.innerType);
      const absent = def.type === 'nullable' ? null : undefined;
      return inner && ((value) => value === absent || inner(value));
    }
    case 'array': {
      const element = matchOf(def.element);
      return element && ((value) => Array.isArray(value) && value.every(element));
    }
    case 'union': {
      const options = def.options.map(matchOf);
      return areKnown(options) ? (value) => options.some((option) => option(value)) : undefined;
    }
    case 'object':
      return def.catchall?._zod.def.type === 'never' ? objectMatch(def.shape) : undefined;
    case 'record': {
      const [key, value] = [matchOf(def.keyType), matchOf(def.valueType)];
      return (
        key &&
        value &&
        ((record) => isObject(record) && Object.entries(record).every((each) => key(each[0]) && value(each[1])))
      );
    }
    default:
      return undefined;
  }
}

function objectMatch(shape: Readonly<Record<string, z.core.$ZodType>>): Match | undefined {
  const matchesOfFields = Object.values(shape).map(matchOf);
  if (!areKnown(matchesOfFields)) return undefined;
  const fields = Object.entries(shape).map(([name, { _zod }], at) => ({
    name,
    match: matchesOfFields[at] ?? (() => false),
    mayLack: _zod.def.type === 'optional',
  }));
  return (value) => {
    if (!isObject(value)) return false;
    let known = 0;
    for (const { name, match, mayLack } of fields) {
      if (Object.hasOwn(value, name)) known += 1;
      else if (!mayLack) return false;
      if (!match(value[name])) return false;
    }
    return Object.keys(value).length === known;
  };
}

function checkOf(check: object): Match | undefined {
  const def = check as Extract<z.core.$ZodTypes['_zod']['def'], { check: string }> | z.core.$ZodChecks['_zod']['def'];
  switch (def.check) {
    case 'string_format': {
      const { pattern } = def;
      // A pattern that remembers its place would tell something else the next time.
      return pattern && !pattern.global && !pattern.sticky
        ? (value) => typeof value === 'string' && pattern.test(value)
        : undefined;
    }
    case 'number_format':
      return def.format === 'safeint' ? Number.isSafeInteger : undefined;
    case 'min_length':
      return (value) => hasLength(value) && value.length >= def.minimum;
    case 'max_length':
      return (value) => hasLength(value) && value.length <= def.maximum;
    case 'greater_than': {
      const { value: bound, inclusive } = def;
      if (typeof bound !== 'number') return undefined;
      return (value) => typeof value === 'number' && (value > bound || (inclusive && value === bound));
    }
    case 'less_than': {
      const { value: bound, inclusive } = def;
      if (typeof bound !== 'number') return undefined;
      return (value) => typeof value === 'number' && (value < bound || (inclusive && value === bound));
    }
    case 'custom':
      return (value) => def.fn(value) === true;
    default:
      return undefined;
  }
}

function areKnown(all: readonly (Match | undefined)[]): all is Match[] {
  return all.every((each) => each !== undefined);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function hasLength(value: unknown): value is string | readonly unknown[] {
  return typeof value === 'string' || Array.isArray(value);
}
