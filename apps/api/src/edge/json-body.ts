/**
 * Reads a body as JSON, and strictly: UTF-8 only, no deeper than anything that the contract knows, and no name twice in
 * an object, where readers differ on which one holds.
 */
import { HttpFault } from './http-fault.js';

/** What is nested deeper could exhaust the stack of whoever walks through it. */
const deepest = 64;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** @throws {HttpFault} badRequest. The body is never quoted: there may be a password in it. */
export function readJson(body: Buffer): unknown {
  // A client may name the type of a body that it does not send.
  if (body.length === 0) return undefined;
  const text = decoded(body);
  const value = parsed(text);
  judge(text);
  return value;
}

function decoded(body: Buffer): string {
  try {
    return utf8.decode(body);
  } catch {
    throw new HttpFault('badRequest', 'The body is not UTF-8.');
  }
}

function parsed(text: string): unknown {
  try {
    return floatsKept(text, JSON.parse(text));
  } catch (error) {
    const [where = ''] = error instanceof Error ? (/ at position \d+/.exec(error.message) ?? []) : [];
    throw new HttpFault('badRequest', `The body is not JSON: it breaks off or goes wrong${where}.`);
  }
}

const numbers = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
/** Whatever a field's range is, a fraction is not in it. */
const noInteger = '0.5';

/** A number that is written as a float is none of the contract's integers, though JavaScript reads 14.0 as one. */
function floatsKept(text: string, value: unknown): unknown {
  let isChanged = false;
  const spelled = text.replaceAll(numbers, (token) => {
    if (token.startsWith('"') || !/[.eE]/.test(token) || !Number.isInteger(Number(token))) return token;
    isChanged = true;
    return noInteger;
  });
  return isChanged ? JSON.parse(spelled) : value;
}

const tokens = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g;

/** @throws {HttpFault} badRequest for a well-formed text that is too deep, or has a name twice in an object */
function judge(text: string): void {
  const open: (Set<string> | undefined)[] = [];
  let string = '""';
  for (const [token] of text.matchAll(tokens)) {
    switch (token) {
      case '{':
      case '[':
        open.push(token === '{' ? new Set() : undefined);
        if (open.length > deepest) throw new HttpFault('badRequest', `The body is nested more than ${deepest} deep.`);
        break;
      case '}':
      case ']':
        open.pop();
        break;
      case ':': {
        const name: unknown = JSON.parse(string);
        const names = open.at(-1);
        if (typeof name !== 'string' || names?.has(name)) {
          throw new HttpFault(
            'badRequest',
            `The body is ambiguous: ${JSON.stringify(name)} is there twice in one object.`,
          );
        }
        names?.add(name);
        break;
      }
      default:
        string = token;
    }
  }
}
