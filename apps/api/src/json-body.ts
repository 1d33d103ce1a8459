/** Reads a body as JSON, and strictly: UTF-8 only, and no name twice in an object, where readers differ on which one holds. */
import { Fault } from './fault.js';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** @throws {Fault} badRequest. The body is never quoted: there may be a password in it. */
export function readJson(body: Buffer): unknown {
  // A client may name the type of a body that it does not send.
  if (body.length === 0) return undefined;
  const text = decoded(body);
  const value = parsed(text);
  const name = repeatedName(text);
  if (name !== undefined) {
    throw new Fault('badRequest', `The body is ambiguous: ${JSON.stringify(name)} is there twice in one object.`);
  }
  return value;
}

function decoded(body: Buffer): string {
  try {
    return utf8.decode(body);
  } catch {
    throw new Fault('badRequest', 'The body is not UTF-8.');
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const [where = ''] = error instanceof Error ? (/ at position \d+/.exec(error.message) ?? []) : [];
    throw new Fault('badRequest', `The body is not JSON: it breaks off or goes wrong${where}.`);
  }
}

const tokens = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g;

/** The first name that an object of a well-formed JSON text has twice. */
function repeatedName(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  let string = '""';
  for (const [token] of text.matchAll(tokens)) {
    switch (token) {
      case '{':
        open.push(new Set());
        break;
      case '[':
        open.push(undefined);
        break;
      case '}':
      case ']':
        open.pop();
        break;
      case ':': {
        const name: unknown = JSON.parse(string);
        const names = open.at(-1);
        if (typeof name !== 'string' || names?.has(name)) return String(name);
        names?.add(name);
        break;
      }
      default:
        string = token;
    }
  }
  return undefined;
}
