/**
 * Reads a body as JSON, and strictly. It is UTF-8, is nested no deeper than the contract needs, and has no more values. No object has a
 * name twice, since readers differ on which of the two values holds.
 */
import { HttpFault } from './http-fault.js';

/** A body that is nested deeper could exhaust the stack of the code that walks through it. */
const deepest = 64;
/** No body of the contract has half as many. Each may take the memory of a hundred bytes that are sent. */
const mostValues = 512;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** @throws {HttpFault} badRequest. The body is never quoted: there may be a password in it. */
export function readJson(body: Buffer): unknown {
  // A client may send the type of a body, and no body.
  if (body.length === 0) return undefined;
  const text = decoded(body);
  refuseManyValues(text);
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

/**
 * Looks at the text before anything is made of it, which would take far more memory. A text that is no JSON is not judged further than
 * where it breaks off.
 * @throws {HttpFault} badRequest
 */
function refuseManyValues(text: string): void {
  // Each value stands behind a comma or a bracket.
  if (text.length < mostValues) return;
  let values = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') {
      at = endOfString(text, at);
      if (at === -1) return;
    } else if (character === ',' || character === '{' || character === '[') {
      values += 1;
      if (values > mostValues)
        throw new HttpFault('badRequest', `The body has more than ${mostValues} commas and opening brackets.`);
    }
  }
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    if (mayHaveFloat.test(text) && typeof value === 'object' && value !== null) {
      const withFractions = text.replaceAll(numbers, fractionForFloat);
      if (withFractions !== text) fractions.set(value, JSON.parse(withFractions));
    }
    return value;
  } catch (error) {
    const [where = ''] = error instanceof Error ? (/ at position \d+/.exec(error.message) ?? []) : [];
    throw new HttpFault('badRequest', `The body is not JSON: it breaks off or goes wrong${where}.`);
  }
}

const fractions = new WeakMap<object, unknown>();

/**
 * JavaScript reads 14.0 as the integer 14. This is the body with a fraction in place of every number that is written so:
 * no schema of an integer takes a fraction. It is undefined for a body that has no such number.
 */
export function withFractionsForFloats(body: object): unknown {
  return fractions.get(body);
}

/** A number of an object or an array with a fraction or an exponent; some texts within strings look like one. */
const mayHaveFloat = /[:,[]\s*-?\d+[.eE]/;
const numbers = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;

function fractionForFloat(token: string): string {
  const isFloat = !token.startsWith('"') && /[.eE]/.test(token);
  return isFloat && Number.isInteger(Number(token)) ? '0.5' : token;
}

/**
 * Goes through the text once, and from one end of a string to the other.
 * @throws {HttpFault} badRequest for well-formed JSON that is nested too deep, or that has a name twice in one object
 */
function judge(text: string): void {
  const open: (Set<string> | undefined)[] = [];
  let string = '';
  for (let at = 0; at < text.length; at += 1) {
    switch (text[at]) {
      case '"': {
        const end = endOfString(text, at);
        string = text.slice(at, end + 1);
        at = end;
        break;
      }
      case '{':
      case '[':
        open.push(text[at] === '{' ? new Set() : undefined);
        if (open.length > deepest) throw new HttpFault('badRequest', `The body is nested more than ${deepest} deep.`);
        break;
      case '}':
      case ']':
        open.pop();
        break;
      case ':':
        mustBeNew(string, open.at(-1));
        break;
      default:
    }
  }
}

/** Where the string ends that begins at a quote; -1 when it does not. A quote behind an odd number of backslashes is within it. */
function endOfString(text: string, begin: number): number {
  for (let end = text.indexOf('"', begin + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text[before] === '\\') before -= 1;
    if ((end - before) % 2 === 1) return end;
  }
  return -1;
}

/** @param string the name in quotes, as it is written */
function mustBeNew(string: string, names: Set<string> | undefined): void {
  const name = string.includes('\\') ? String(JSON.parse(string)) : string.slice(1, -1);
  if (names?.has(name)) {
    throw new HttpFault('badRequest', `The body is ambiguous: ${JSON.stringify(name)} is there twice in one object.`);
  }
  names?.add(name);
}
